"""What both storefronts sell: a dozen things with a price in euros and one in kroner."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """One thing on the shelf. Prices are minor units of EUR and NOK; ``number`` makes the platforms' product ids."""

    number: int
    sku: str
    fr: str
    en: str
    eur: int
    nok: int

    def title(self, language: str) -> str:
        return self.fr if language == "fr" else self.en

    def price(self, currency: str) -> int:
        return self.eur if currency == "EUR" else self.nok


# One name has an ampersand and quotes, one a slash, and most have accents: what escapes differently on the wire.
PRODUCTS = (
    Product(11, "LAMP-1", "Lampe de chevet « Pleine lune »", "Bedside lamp “Full moon”", 10000, 119900),
    Product(12, "BLANKET-1", "Plaid en laine d'agneau", "Lambswool blanket", 8900, 100000),
    Product(13, "MUG-2", "Deux tasses en grès", "Two stoneware mugs", 2450, 28900),
    Product(14, "CARAFE-1", "Carafe & verres soufflés", "Carafe & blown glasses", 4200, 49900),
    Product(15, "MIRROR-1", "Miroir d'entrée Ø 60 cm", "Hall mirror, Ø 60 cm", 14900, 179900),
    Product(16, "RUG-1", "Tapis berbère 140/200", "Berber rug 140/200", 24900, 299900),
    Product(17, "CANDLE-3", "Trois bougies à la cire d'abeille", "Three beeswax candles", 1890, 22900),
    Product(18, "CHAIR-1", "Fauteuil en rotin", "Rattan armchair", 31900, 379900),
    Product(19, "CLOCK-1", "Horloge murale silencieuse", "Silent wall clock", 5990, 69900),
    Product(20, "VASE-1", "Vase en céramique émaillée", "Glazed ceramic vase", 3650, 42900),
    Product(21, "BOARD-1", "Planche à découper en noyer", "Walnut cutting board", 4500, 52900),
    Product(22, "LINEN-1", "Parure de lit en lin lavé", "Washed linen bed set", 17900, 209900),
)

BY_SKU = {product.sku: product for product in PRODUCTS}
BY_NUMBER = {product.number: product for product in PRODUCTS}
DEFAULT_SKU = PRODUCTS[0].sku
