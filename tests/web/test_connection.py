"""The page of a connection: the six checks, the test mail, the switch, other keys and another secret."""

import io
import re
import zipfile

import pytest
from sqlalchemy import select, update

from plugin_backend.domain import merchants, vault
from plugin_backend.domain.checkups import Checkup
from plugin_backend.domain.hook_secrets import HookSecret
from plugin_backend.domain.merchants import Connection, Shop
from tests import plan_story, story
from tests.connecting_story import KEYS, Woo, on_the_wire, settings_of
from tests.house import STANDARD_SECRET, TestHouse
from tests.letterbox import Letterbox
from tests.letterbox import text_of as text_of_mail
from tests.unit.html_checks import text_of
from tests.web.test_dashboard import Operator, signed_in


@pytest.fixture
def shop(house: TestHouse) -> Shop:
    """A shop that was connected by command."""
    return house.add_shop(settings={"url": "https://shop.example", **KEYS})


@pytest.fixture
def operator(house: TestHouse, shop: Shop) -> Operator:
    return signed_in(house, shop.merchant_id)


def page(operator: Operator, shop: Shop) -> str:
    return text_of(operator.get(f"/shops/{shop.id}/connection").text)


def state(house: TestHouse, shop: Shop) -> str:
    with house.worker.app_context():
        return merchants.load_shop(shop.id).state


def watching(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        session.execute(update(Shop).where(Shop.id == shop.id).values(state="watch_only"))


def test_the_checks_are_made_when_they_are_asked_for_and_name_the_menu_to_open(
    house: TestHouse, shop: Shop, operator: Operator
) -> None:
    woo = Woo()
    woo.keys = []
    with on_the_wire(house.worker, woo):
        before = operator.get(f"/shops/{shop.id}/connection")
        assert "Refresh" not in before.headers and text_of(before.text).count("… Not known yet") == 5
        operator.post(f"/shops/{shop.id}/connection/check")
        waiting = operator.get(f"/shops/{shop.id}/connection")
        assert waiting.headers["Refresh"].startswith("2; url=")
        house.rest(shop)

    told = page(operator, shop)
    assert "The shop answers: ✓ Good" in told
    assert "WooCommerce > Settings > Advanced > REST API: add a key with Read/Write" in told
    assert "Connect an account" in told
    assert re.search(r"> GET https://shop\.example/wp-json/wc/v3/orders\S* < 401", told)
    assert KEYS["consumer_secret"] not in told
    french = text_of(operator.get(f"/shops/{shop.id}/connection?lang=fr").text)
    assert "WooCommerce > Réglages > Avancé > API REST" in french


def test_a_test_mail_is_confirmed_by_its_link_and_by_no_other(
    house: TestHouse, shop: Shop, operator: Operator, mails: Letterbox
) -> None:
    with on_the_wire(house.worker, Woo()):
        operator.post(f"/shops/{shop.id}/connection/mail")
        house.rest(shop)
        operator.post(f"/shops/{shop.id}/connection/mail")
        house.rest(shop)
    first, second = (
        re.search(r"/shops/\S+/connection/mail/[a-z2-7]{32}", text_of_mail(m)) for m in mails.messages
    )
    assert first and second and mails.messages[0]["To"] == operator.email
    assert "Open it and confirm by its link" in page(operator, shop)
    # Opening a link confirms nothing: mail scanners open every one.
    assert operator.get(second[0]).status_code == 200
    assert operator.post(first[0]).status_code == 404
    with house.of(shop) as session:
        assert session.scalars(select(Checkup)).one().mail_seen_at is None
    operator.post(second[0])
    assert "Mails arrive: ✓ Good" in page(operator, shop)


def test_a_watching_shop_is_switched_on_where_it_could_keep_what_it_offers_and_off_at_any_time(
    house: TestHouse,
) -> None:
    shop = plan_story.add_paying_shop(house)
    operator = signed_in(house, shop.merchant_id)
    watching(house, shop)
    story.leave_basket(house, shop)
    told = page(operator, shop)
    assert "If it had been on, 1 offer would have been sent: €100.00" in told

    operator.post(f"/shops/{shop.id}/connection/switch", to="on")
    assert state(house, shop) == "active"
    operator.post(f"/shops/{shop.id}/connection/switch", to="off")
    assert state(house, shop) == "watch_only"
    assert operator.post(f"/shops/{shop.id}/connection/switch", to="x").status_code == 400


def test_a_shop_without_a_gateway_cannot_be_switched_on(
    house: TestHouse, shop: Shop, operator: Operator
) -> None:
    watching(house, shop)
    assert "The shop has no account at a payment provider" in page(operator, shop)
    assert operator.post(f"/shops/{shop.id}/connection/switch", to="on").status_code == 409
    assert state(house, shop) == "watch_only"


def test_another_secret_is_made_by_us_where_the_shop_is_told_by_us(
    house: TestHouse, shop: Shop, operator: Operator
) -> None:
    with on_the_wire(house.worker, Woo()) as woo:
        before = settings_of(house, shop)["secret"]
        operator.post(f"/shops/{shop.id}/connection/secret", secret="what somebody typed")
        house.rest(shop)
        assert "Accepted here, not told to the shop yet" in page(operator, shop)
        house.travel(shop, minutes=2)
    kept = settings_of(house, shop)
    assert re.fullmatch("[0-9a-f]{48}", kept["secret"]) and kept["old_secret"] == before
    assert {hook["secret"] for hook in woo.webhooks} == {kept["secret"]}
    assert "the old one is accepted for a day more" in page(operator, shop)


def test_another_secret_is_typed_where_the_owner_tells_his_shop(house: TestHouse) -> None:
    settings = {"url": "https://kiosk.example", "secret": STANDARD_SECRET}
    shop = house.add_shop("custom", settings=settings)
    operator = signed_in(house, shop.merchant_id)
    shown = operator.get(f"/shops/{shop.id}/connection").text
    made = re.search(r'name="secret" value="(whsec_[^"]+)"', shown)
    assert made
    refused = operator.post(f"/shops/{shop.id}/connection/secret", secret="no base64!")
    assert "problem=settings_wrong" in refused.headers["Location"]
    with house.of(shop) as session:
        assert session.scalars(select(HookSecret)).all() == []

    operator.post(f"/shops/{shop.id}/connection/secret", secret=made[1])
    house.rest(shop)
    kept = settings_of(house, shop)
    assert (kept["secret"], kept["old_secret"]) == (made[1], STANDARD_SECRET)


def test_a_shop_that_was_connected_by_command_gets_other_keys_on_the_page(
    house: TestHouse, shop: Shop, operator: Operator
) -> None:
    others = {"consumer_key": "ck_" + "e5" * 20, "consumer_secret": "cs_" + "f6" * 20}
    with on_the_wire(house.worker, Woo()) as woo:
        woo.keys = [others]
        assert operator.get(f"/shops/{shop.id}/connection/keys").status_code == 303
        operator.post(f"/shops/{shop.id}/connection/again")
        form = operator.get(f"/shops/{shop.id}/connection/keys").text
        assert "It is another platform" not in text_of(form)
        missing = operator.post(f"/shops/{shop.id}/connection/paste", url="https://shop.example")
        assert "problem=settings_missing" in missing.headers["Location"]
        wrong = operator.post(f"/shops/{shop.id}/connection/paste", url="x", **others)
        assert "problem=settings_wrong" in wrong.headers["Location"]

        operator.post(f"/shops/{shop.id}/connection/paste", url="https://shop.example", **others)
        house.rest(shop)
    assert settings_of(house, shop)["consumer_key"] == others["consumer_key"]
    assert state(house, shop) == "active"
    assert operator.post(f"/shops/{shop.id}/connection/nonsense").status_code == 404


def test_our_part_of_the_shop_comes_with_its_address_key_and_secret_filled_in(
    house: TestHouse, operator: Operator, shop: Shop
) -> None:
    with house.of(shop) as session:
        row = session.scalars(select(Connection).with_for_update()).one()
        change = {"plugin_secret": STANDARD_SECRET}
        merchants.change_settings(session, row, change, vault.Use("shop_call", row.id))
    answer = operator.post(f"/shops/{shop.id}/connection/part")

    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert answer.headers["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as pack:
        texts = {name: pack.read(name).decode() for name in pack.namelist()}
    (filled,) = [text for name, text in texts.items() if name == "reprise/connection.php"]
    assert STANDARD_SECRET in filled and house.hook(shop) in filled and "@@" not in filled
    # A link does not do: another site could have the secret fetched.
    assert operator.get(f"/shops/{shop.id}/connection/part").status_code in (404, 405)


def test_a_shop_of_ones_own_has_nothing_to_install(house: TestHouse) -> None:
    settings = {"url": "https://kiosk.example", "secret": STANDARD_SECRET}
    shop = house.add_shop("custom", settings=settings)
    operator = signed_in(house, shop.merchant_id)
    assert operator.post(f"/shops/{shop.id}/connection/part").status_code == 404
    assert "Download the file" not in page(operator, shop)
