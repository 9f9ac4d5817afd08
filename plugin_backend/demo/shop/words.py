"""What the storefronts say, in French and in English, and how they write an amount."""

from plugin_backend.demo.shop.basket import Mistyped
from plugin_backend.sdk.money import Money

LANGUAGES = ("fr", "en")
COUNTRIES = {
    "fr": {
        "FR": "France",
        "BE": "Belgique",
        "CH": "Suisse",
        "DE": "Allemagne",
        "ES": "Espagne",
        "GB": "Royaume-Uni",
        "NO": "Norvège",
        "SE": "Suède",
        "US": "États-Unis",
    },
    "en": {
        "NO": "Norway",
        "BE": "Belgium",
        "CH": "Switzerland",
        "DE": "Germany",
        "ES": "Spain",
        "FR": "France",
        "GB": "United Kingdom",
        "SE": "Sweden",
        "US": "United States",
    },
}

_FR = {
    "skip": "Aller au contenu",
    "demo": "Boutique fictive de la démonstration : rien n'y est à vendre, aucune carte n'est demandée.",
    "products": "Nos produits",
    "basket": "Panier",
    "add": "Ajouter au panier",
    "article": "Article",
    "price": "Prix",
    "quantity": "Quantité",
    "total": "Total",
    "update": "Modifier la quantité",
    "empty": "Votre panier est vide.",
    "in_parts": "Payer en plusieurs fois",
    "to_checkout": "Passer la commande",
    "checkout": "Commande",
    "your_details": "Vos coordonnées",
    "email": "Adresse e-mail",
    "name": "Prénom et nom",
    "country": "Pays",
    "consent": "Si je ne termine pas ma commande, vous pouvez m'écrire par e-mail et me proposer de la payer en plusieurs fois.",
    "how_it_ends": "Comment la visite finit",
    "leave": "Partir sans payer",
    "declined": "Payer avec une carte au-delà de son plafond",
    "buy": "Acheter maintenant",
    "left_title": "Vous êtes parti",
    "left_text": "Le panier reste dans la boutique. Si vous avez coché la case, un message viendra.",
    "declined_title": "Paiement refusé",
    "declined_text": "Votre banque a refusé ce montant : il dépasse le plafond de la carte.",
    "bought_title": "Merci",
    "bought_text": "Votre commande est payée.",
    "order": "Commande",
    "back": "Retour à la boutique",
    "again": "Revenir à la commande",
    "wrong_email": "Cette adresse e-mail n'en est pas une.",
    "wrong_name": "Indiquez votre nom.",
    "wrong_country": "Choisissez un pays.",
    "wrong_basket": "Votre panier est vide.",
    "wrong": "Cette saisie n'est pas valable.",
    "other_language": "English",
    "deliveries": "Ce que la boutique a envoyé",
}
_EN = {
    "skip": "Skip to content",
    "demo": "A fake shop of the demo: nothing is for sale here, and no card is asked for.",
    "products": "Our products",
    "basket": "Basket",
    "add": "Add to basket",
    "article": "Article",
    "price": "Price",
    "quantity": "Quantity",
    "total": "Total",
    "update": "Change quantity",
    "empty": "Your basket is empty.",
    "in_parts": "Pay in parts",
    "to_checkout": "Go to checkout",
    "checkout": "Checkout",
    "your_details": "Your details",
    "email": "E-mail address",
    "name": "First and last name",
    "country": "Country",
    "consent": "If I do not finish my order, you may write to me by e-mail and offer to let me pay it in several parts.",
    "how_it_ends": "How the visit ends",
    "leave": "Leave without paying",
    "declined": "Pay with a card over its limit",
    "buy": "Buy now",
    "left_title": "You left",
    "left_text": "The basket stays in the shop. If you ticked the box, a message will come.",
    "declined_title": "Payment declined",
    "declined_text": "Your bank declined this amount: it is over the card's limit.",
    "bought_title": "Thank you",
    "bought_text": "Your order is paid.",
    "order": "Order",
    "back": "Back to the shop",
    "again": "Back to the checkout",
    "wrong_email": "This is not an e-mail address.",
    "wrong_name": "Please type your name.",
    "wrong_country": "Please choose a country.",
    "wrong_basket": "Your basket is empty.",
    "wrong": "This entry is not valid.",
    "other_language": "Français",
    "deliveries": "What the shop has sent",
}
WORDS = {"fr": _FR, "en": _EN}


def complaint(language: str, error: Mistyped) -> str:
    words = WORDS[language]
    return words.get(f"wrong_{error.field}", words["wrong"])


def amount(minor: int, currency: str, language: str) -> str:
    """``1 234,50 €`` in French, ``€1,234.50`` in English; kroner by their code."""
    whole, _, cents = Money(minor, currency).decimal().partition(".")
    groups = f"{int(whole):,}"
    symbol = "€" if currency == "EUR" else currency
    if language == "fr":
        return f"{groups.replace(',', chr(0x202F))},{cents}\N{NO-BREAK SPACE}{symbol}"
    return f"{symbol}{'' if currency == 'EUR' else chr(0xA0)}{groups}.{cents}"
