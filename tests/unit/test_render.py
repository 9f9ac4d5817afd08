"""Mails, the mandate and the words of codes."""

import re
from dataclasses import replace

import pytest
from jinja2 import UndefinedError

from plugin_backend.core import i18n
from plugin_backend.core.render import MAILS, mail, mandate_words, page, static_url
from plugin_backend.core.render.codes import ICONS, REASONS, STATES, TONES
from plugin_backend.core.render.words import Words
from plugin_backend.core.views import Mail, Part, Rhythm
from plugin_backend.domain.states import MACHINES
from plugin_backend.sdk.gateway import Decline
from plugin_backend.sdk.money import Money
from tests.unit import sample_views as sample
from tests.unit.html_checks import text_of, well_formed

LANGUAGES = sorted(i18n.LANGUAGES)
IDS = [f"{kind} {number}" for number, (kind, _) in enumerate(sample.MAILS)]


def test_every_kind_of_mail_has_a_sample() -> None:
    assert {kind for kind, _ in sample.MAILS} == set(MAILS)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("kind", "context"), sample.MAILS, ids=IDS)
def test_a_mail_is_whole_in_both_parts(kind: str, context: Mail, language: str) -> None:
    rendered = mail(kind, language, context)
    html = well_formed(rendered.html)

    assert "\n" not in rendered.subject
    assert len(rendered.subject.replace(sample.SHOP.name, "")) <= 45
    assert html.root("html") == {"lang": language, "dir": "ltr"}
    assert html.count("h1") == 1
    assert not {"script", "img", "link", "style"} & html.tags
    assert all(caption or table.get("role") == "presentation" for table, caption in html.tables)
    assert "bdi" not in rendered.text
    assert "%(" not in rendered.text + rendered.subject + rendered.html


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("kind", "context"), sample.MAILS, ids=IDS)
def test_both_parts_carry_the_same_links_and_amounts(kind: str, context: Mail, language: str) -> None:
    rendered = mail(kind, language, context)
    amounts = re.compile(r"[\d.,]*\d\u00a0€|€[\d.,]*\d")
    linked = set(re.findall(r'href="(https:[^"]+)"', rendered.html))

    assert linked == set(re.findall(r"^https:\S+$", rendered.text, re.MULTILINE))
    assert set(amounts.findall(rendered.text)) == set(amounts.findall(text_of(rendered.html)))


@pytest.mark.parametrize(("kind", "context"), sample.MAILS, ids=IDS)
def test_a_mail_has_one_button(kind: str, context: Mail) -> None:
    assert mail(kind, "fr", context).html.count("background-color:#0b57a4") == 1


def test_the_offer_tells_every_amount_and_date_in_words() -> None:
    text = mail("offer", "fr", sample.MAILS[0][1]).text.replace("\u00a0", " ")

    assert "33,34 € aujourd’hui, 33,33 € le 17 décembre 2026 et 33,33 € le 11 janvier 2027." in text
    assert "Total TTC : 100,00 €" in text
    assert "https://r.example/o/x" in text
    assert "https://r.example/u/x" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_mail_after_a_decline_praises_nothing(language: str) -> None:
    rendered = mail("offer_after_decline", language, sample.MAILS[2][1])
    praise = r"gratuit|sans frais|sans intérêt|free|no fees|interest|offre|offer|crédit|credit|!"

    assert not re.search(praise, rendered.subject + rendered.text, re.IGNORECASE)


def test_a_receipt_carries_the_way_to_cancel() -> None:
    rendered = mail("receipt", "fr", dict(sample.MAILS[5:6])["receipt"])

    assert "Résilier votre contrat" in rendered.text
    assert "https://r.example/p/x/cancel" in rendered.text


def test_a_line_break_in_a_name_begins_no_header() -> None:
    context = sample.MAILS[0][1]
    assert isinstance(context, MAILS["offer"])
    hostile = replace(context, shop=replace(sample.SHOP, name="Luna\r\nBcc: all@example.test"))

    assert "\n" not in mail("offer", "en", hostile).subject


def test_a_mail_is_drawn_from_its_own_view_only() -> None:
    with pytest.raises(ValueError, match="receipt"):
        mail("receipt", "fr", sample.MAILS[0][1])
    with pytest.raises(ValueError, match="no_such_mail"):
        mail("no_such_mail", "fr", sample.MAILS[0][1])


def test_the_mandate_names_merchant_amounts_dates_and_how_to_stop() -> None:
    text = mandate_words(sample.OFFER, sample.SHOP, "fr").replace("\u00a0", " ")

    assert text == (
        "J’autorise Atelier & Fils <Luna> à débiter la carte ou le compte que j’indique des montants suivants : "
        "33,34 € aujourd’hui, 33,33 € le 17 décembre 2026 et 33,33 € le 11 janvier 2027, soit 100,00 € au total. "
        "Je peux arrêter ces paiements à tout moment avec le lien qui figure dans chaque reçu, "
        "ou en écrivant à bonjour@luna.example."
    )


def test_the_mandate_of_a_subscription_says_how_it_goes_on() -> None:
    offer = replace(sample.SUBSCRIPTION, rhythm=Rhythm("month", 3))
    text = mandate_words(offer, replace(sample.SHOP, contact_email=""), "en")

    assert "€100.00 today, then €100.00 every 3 months until I stop." in text
    assert text.endswith("with the link in each receipt.")


def test_the_page_shows_the_mandate_letter_by_letter() -> None:
    html = page("offer/open.html", "fr", **sample.OFFER_PAGE)

    assert mandate_words(sample.OFFER, sample.SHOP, "fr") in text_of(html)


@pytest.mark.parametrize("total", [Money(1000, "JPY"), Money(100001, "TND"), Money(10000, "RSD")])
def test_pages_keep_the_digits_of_a_currency(total: Money) -> None:
    offer = replace(sample.OFFER, total=total, parts=sample.parts_of(total), lines=())
    text = text_of(page("offer/open.html", "fr", **{**sample.OFFER_PAGE, "offer": offer}))

    for amount in (total, *(part.amount for part in offer.parts)):
        assert i18n.money(amount, "fr") in text


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        page("offer/expired.html", "fr", shop=sample.SHOP)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_has_a_word_in_every_language(language: str) -> None:
    words = Words(i18n.translator(language))

    for noun, edges in MACHINES.items():
        for state in {after for _, after in edges}:
            assert words.state(noun, state)


def test_tones_and_icons_are_of_states_that_exist() -> None:
    known = {state for states in STATES.values() for state in states}

    assert set(TONES) <= known
    assert set(TONES.values()) <= set(ICONS)


def test_every_refusal_of_the_port_has_words() -> None:
    words = Words(i18n.translator("fr"))

    assert all(decline.value in REASONS for decline in Decline)
    assert all(words.decline(decline.value) for decline in Decline)


def test_a_customer_is_not_told_of_a_suspicion() -> None:
    assert "fraud" not in Words(i18n.translator("en")).decline("fraud").lower()


def test_a_reason_within_a_reason_is_said_in_words() -> None:
    said = Words(i18n.translator("en")).reason("not_lawful: no_rule_for_country")

    assert said == "This plan may not be offered: no rule is known for the country of the customer"


def test_an_unknown_reason_is_shown_as_it_is() -> None:
    assert Words(i18n.translator("fr")).reason("51_insufficient") == "51_insufficient"


def test_the_address_of_a_file_changes_with_its_content() -> None:
    assert re.fullmatch(r"/static/reprise\.css\?v=[0-9a-f]{12}", static_url("reprise.css"))


def test_a_color_that_is_none_reaches_no_style() -> None:
    assert replace(sample.SHOP, color="red;} body{display:none").band == ""
    assert sample.SHOP.band == "#7a1f5c"


def test_the_first_part_is_the_one_of_today() -> None:
    assert sample.OFFER.first == Part(1, Money(3334, "EUR"), sample.AT, today=True)
