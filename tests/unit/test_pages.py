"""Pages: well-formed, labelled, light, in the reader's language, and readable in both colour schemes."""

import re
from typing import Any

import pytest

from plugin_backend.core import i18n
from plugin_backend.core.render import page
from plugin_backend.core.render.environment import STATIC, TEMPLATES, environment
from plugin_backend.core.render.words import ERRORS, LISTS
from plugin_backend.core.views import ListView
from tests.unit import sample_views as sample
from tests.unit.html_checks import Page, text_of, well_formed

LANGUAGES = sorted(i18n.LANGUAGES)
CSS = (STATIC / "reprise.css").read_text("utf-8")
IDS = [name for name, _, _ in sample.PAGES]
every_page = pytest.mark.parametrize(
    ("template", "context"), [(template, context) for _, template, context in sample.PAGES], ids=IDS
)
every_language = pytest.mark.parametrize("language", LANGUAGES)
# Text needs 4.5:1, edges of controls and the focus ring 3:1 (WCAG 2.2, 1.4.3 and 1.4.11).
PAIRS = [
    *((ink, paper, 4.5) for ink in ("ink", "quiet", "link") for paper in ("paper", "panel")),
    ("on-act", "act", 4.5),
    ("on-danger", "danger", 4.5),
    ("on-ribbon", "ribbon", 4.5),
    *((tone, f"{tone}-back", 4.5) for tone in ("good", "wait", "bad")),
    *(("link", f"{tone}-back", 4.5) for tone in ("good", "bad")),
    *((edge, paper, 3.0) for edge in ("edge", "focus", "act", "danger") for paper in ("paper", "panel")),
]


def test_every_template_has_a_sample() -> None:
    shown = {template for _, template, _ in sample.PAGES}
    whole = {
        str(path.relative_to(TEMPLATES))
        for path in TEMPLATES.rglob("*.html")
        if path.parent.name != "mail"
        and path.name not in ("base.html", "customer.html", "frame.html", "parts.html", "legal.html")
    }

    assert shown == whole


@every_language
@every_page
def test_a_page_is_well_formed_light_and_without_scripts(
    template: str, context: dict[str, Any], language: str
) -> None:
    source = page(template, language, **context)
    html = well_formed(source)

    assert source.lstrip().startswith("<!doctype html>")
    assert html.root("html") == {"lang": language, "dir": "ltr"}
    assert html.count("h1") == html.count("main") == html.count("title") == 1
    assert not {"script", "style", "iframe"} & html.tags
    assert not any(name == "style" or name.startswith("on") for _, found in html.elements for name in found)
    assert len(source.encode()) < 20_000
    assert "%(" not in source


@every_page
def test_a_page_can_be_used_by_keyboard_and_ear(template: str, context: dict[str, Any]) -> None:
    html = well_formed(page(template, "fr", **context))
    ids = [found["id"] for _, found in html.elements if "id" in found]
    labels = {found["for"] for found in html.all("label")}
    named = {name for _, found in html.elements for name in _referred(found)}

    assert len(ids) == len(set(ids))
    assert html.all("a")[0] == {"class": "skip", "href": "#main"}
    assert all(field["id"] in labels for field in _fields(html))
    assert labels | named <= set(ids)
    assert all(caption for _, caption in html.tables)
    assert all("scope" in found for found in html.all("th"))
    assert all("alt" in found for found in html.all("img"))
    assert all(
        found["href"].removeprefix("#") in ids for found in html.all("a") if found["href"].startswith("#")
    )


def _fields(html: Page) -> list[dict[str, str]]:
    return [field for field in html.all("input", "select", "textarea") if field.get("type") != "hidden"]


def _referred(attributes: dict[str, str]) -> list[str]:
    return [
        name for key in ("aria-describedby", "aria-labelledby") for name in attributes.get(key, "").split()
    ]


@every_page
def test_nothing_of_a_third_party_is_loaded(template: str, context: dict[str, Any]) -> None:
    html = well_formed(page(template, "fr", **context))
    loaded = [
        found.get("src", found.get("href", "")) for found in html.all("link", "img", "script", "source")
    ]

    assert all(url.startswith("/static/") or url == "https://luna.example/logo.png" for url in loaded)


@every_page
def test_a_page_leaves_no_english_to_a_french_reader(template: str, context: dict[str, Any]) -> None:
    french = text_of(page(template, "fr", **context))

    assert not re.search(r"\b(the|your|payment|please|is|of)\b", french)


@every_language
def test_a_reader_can_change_the_language_by_its_own_name(language: str) -> None:
    source = page("offer/open.html", language, **sample.OFFER_PAGE)

    assert '<a href="?lang=fr" lang="fr" hreflang="fr"' in source
    assert "Français</a>" in source
    assert source.count('aria-current="true"') == 1


def test_the_button_says_what_it_does() -> None:
    source = page("offer/open.html", "fr", **sample.OFFER_PAGE)

    assert "Commander et payer 33,34\u00a0€ maintenant" in text_of(source)
    assert '<input type="hidden" name="terms" value="' + "0f" * 32 in source
    assert '<option value="FR" selected>France</option>' in source
    assert source.count(" selected>") == 1


def test_the_consent_to_later_payments_is_not_ticked_beforehand() -> None:
    (box,) = [
        field
        for field in well_formed(page("offer/open.html", "fr", **sample.OFFER_PAGE)).all("input")
        if field.get("type") == "checkbox"
    ]

    assert "checked" not in box
    assert "required" in box


def test_everything_of_the_offer_is_told_in_words() -> None:
    text = text_of(page("offer/open.html", "fr", **sample.OFFER_PAGE)).replace("\u00a0", " ")

    assert "33,34 € aujourd’hui, 33,33 € le 17 décembre 2026 et 33,33 € le 11 janvier 2027." in text
    assert "Total : 100,00 €. Payer en plusieurs fois ne vous coûte rien : ni intérêts, ni frais." in text
    assert "Cette offre est ouverte jusqu’au 29 novembre 2026 à 10:04." in text
    assert "un délai de 14 jours après la réception de votre commande" in text


def test_what_a_shop_calls_itself_is_never_markup() -> None:
    for _, template, context in sample.PAGES:
        assert "<Luna>" not in page(template, "en", **context)


def test_amounts_and_names_keep_their_own_direction() -> None:
    source = page("portal/plan.html", "en", **dict(sample.PAGES[IDS.index("plan")][2]))

    assert "<bdi>€33.33</bdi>" in source
    assert "<bdi>4242</bdi>" in source


def test_a_language_from_right_to_left_turns_pages_and_mails_round() -> None:
    arabic = environment("ar", html=True)
    values = {"tz": "UTC", "problems": (), **sample.OFFER_PAGE}
    context = {"tz": "UTC", "subject": "x", "link": "/o/x", "unsubscribe_link": "/u/x", "name": ""}

    for source in (
        arabic.get_template("offer/open.html").render(values),
        arabic.get_template("mail/offer.jinja").render({**values, **context}),
    ):
        assert well_formed(source).root("html") == {"lang": "ar", "dir": "rtl"}
        assert "<bdi>\u200f33.34\u00a0€</bdi>" in source


def test_the_checking_page_asks_again_by_itself_unless_told_not_to() -> None:
    refresh = '<meta http-equiv="refresh" content="2">'

    assert refresh in page("offer/checking.html", "en", shop=sample.SHOP, check_url="/o/x")
    assert "refresh" not in page("offer/checking.html", "en", shop=sample.SHOP, check_url="/o/x", refresh=0)


def test_the_labels_that_the_law_asks_for_are_there() -> None:
    by_name = {name: page(template, "fr", **context) for name, template, context in sample.PAGES}

    assert "Résilier votre contrat" in by_name["plan"]
    assert "Notifier la résiliation" in by_name["cancel"]
    assert "Me rétracter du contrat ici" in by_name["plan"]
    assert "Confirmer la rétractation" in by_name["withdraw"]
    assert "22 novembre 2026 à 10:04 (UTC+01:00)" in by_name["ended"]


@every_language
@pytest.mark.parametrize("noun", sorted(LISTS))
def test_every_list_has_words_when_it_is_empty(noun: str, language: str) -> None:
    view = ListView(noun, ("id",), ())
    text = text_of(page("dashboard/list.html", language, dashboard=sample.DASHBOARD, view=view))

    assert i18n.translator(language).gettext(LISTS[noun].empty) in text


@every_language
@pytest.mark.parametrize("status", [*sorted(ERRORS), 418, 599])
def test_every_error_has_a_plain_page(status: int, language: str) -> None:
    text = text_of(page("error.html", language, status=status, reference=""))

    assert str(status) in text


def test_currencies_stand_side_by_side_and_are_never_summed() -> None:
    (context,) = [context for name, _, context in sample.PAGES if name == "home"]
    text = text_of(page("dashboard/home.html", "en", **context))

    assert "€100.00" in text
    assert "¥5,000" in text


def test_the_style_sheet_is_small_logical_and_our_own() -> None:
    assert len(CSS.encode()) <= 12_000
    assert "url(" not in CSS
    assert "@import" not in CSS
    assert not re.search(r"[^-\w](?:margin|padding|border|inset)?-?(?:left|right)\s*:", CSS)
    assert "prefers-color-scheme: dark" in CSS
    assert "@media print" in CSS


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_colours_can_be_told_apart(front: str, back: str, least: float, scheme: str) -> None:
    palette = _palettes()[scheme]

    assert _contrast(palette[front], palette[back]) >= least


def _palettes() -> dict[str, dict[str, str]]:
    light, dark = re.findall(r":root \{([^}]*--act:[^}]*)\}", CSS)
    named = re.compile(r"--([\w-]+): (#[0-9a-f]{6})")
    return {"light": dict(named.findall(light)), "dark": dict(named.findall(dark))}


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
