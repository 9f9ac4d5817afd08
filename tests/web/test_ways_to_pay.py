"""The customer chooses how to pay: the kinds of his country, and the card of an earlier order by one click."""

import re
from typing import Any

import pytest
from sqlalchemy import select, update

from plugin_backend.domain import erasing, merchants
from plugin_backend.domain.billing import Attempt
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.plans import Plan
from plugin_backend.domain.recalls import Recall
from plugin_backend.domain.vault import PaymentMethod
from plugin_backend.gateways.sandbox.gateway import EARLIER
from tests import story
from tests.connecting_story import KEYS, Woo, on_the_wire
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse
from tests.letterbox import Letterbox
from tests.unit.html_checks import text_of


@pytest.fixture
def account(gateway: SandboxProcess) -> SandboxProcess:
    gateway.another_account(sepa_debit=True)
    return gateway


@pytest.fixture
def shop(house: TestHouse, account: SandboxProcess, mails: Letterbox) -> Shop:
    """A shop whose account takes bank accounts beside cards."""
    return house.add_shop(sandbox=account.settings(), name="Boutique Luna", contact="luna@shop.test")


def page_of(house: TestHouse, shop: Shop, offer: Offer) -> str:
    return str(house.client().get(story.link(house, shop, "o", offer.id)).text)


def choices(page: str) -> list[str]:
    return re.findall(r'name="way" value="([a-z_]+)"', page)


def accept(house: TestHouse, shop: Shop, offer: Offer, way: str, *, country: str = "FR") -> Any:
    """Accept with this way of paying; the answer to the form."""
    path = story.link(house, shop, "o", offer.id)
    terms = story.terms_on(house.client().get(path).text)
    form = {"terms": terms, "country": country, "mandate": "yes", "way": way}
    answer = house.client().post(f"{path}/accept", data=form)
    house.rest(shop)
    return answer


def only(house: TestHouse, shop: Shop, model: type[Any]) -> Any:
    with house.of(shop) as session:
        return session.scalars(select(model).where(model.shop_id == shop.id)).one()


# Kinds


def test_the_kinds_of_the_customers_country_are_offered_cards_first(house: TestHouse, shop: Shop) -> None:
    offer = story.leave_basket(house, shop)
    page = page_of(house, shop, offer)
    assert choices(page) == ["card", "sepa_debit"]
    assert re.search(r'value="card" required checked', page)
    assert "<fieldset>" in page and "<legend>" in page


def test_where_there_is_one_way_only_nobody_is_asked(house: TestHouse, shop: Shop) -> None:
    offer = story.leave_basket(house, shop)
    with house.of(shop) as session:
        session.execute(update(Offer).where(Offer.id == offer.id).values(country="US"))
    assert choices(page_of(house, shop, offer)) == []


def test_a_kind_that_there_is_not_in_the_chosen_country_is_asked_for_again(
    house: TestHouse, shop: Shop
) -> None:
    offer = story.leave_basket(house, shop)
    answer = accept(house, shop, offer, "sepa_debit", country="CA")
    assert answer.status_code == 422
    assert "pays" in text_of(answer.text)
    with house.of(shop) as session:
        assert session.get_one(Offer, (shop.id, offer.id)).state == "open"


def test_a_bank_account_is_taken_its_payment_under_way_for_a_day_and_then_paid(
    house: TestHouse, shop: Shop, account: SandboxProcess
) -> None:
    offer = story.leave_basket(house, shop)
    assert accept(house, shop, offer, "sepa_debit").status_code == 303
    path = story.link(house, shop, "o", offer.id)
    story.give_card(house, shop, account, path, "debit")
    method = only(house, shop, PaymentMethod)
    assert (method.kind, method.expiry_year, method.last4) == ("sepa_debit", 0, "2606")
    waiting = house.client().get(path)
    assert "Refresh" not in waiting.headers
    assert "Votre paiement est en cours" in text_of(waiting.text)
    house.travel(shop, days=2)
    assert only(house, shop, Plan).state == "active"
    portal = text_of(house.client().get(story.link(house, shop, "p", only(house, shop, Plan).id)).text)
    assert "du compte bancaire se terminant par 2606" in portal


# One click


class Shoppe(Woo):
    """A WooCommerce in which an order was paid with a card that the account has."""

    def __init__(self, references: dict[str, str]) -> None:
        super().__init__()
        order = self._new("50.00", "completed")
        self.orders["1019"] = order | {"id": 1019}
        self.orders["1019"]["payment_method"] = "sandbox"
        self.orders["1019"]["date_paid_gmt"] = "2026-10-01T10:00:00"
        self.orders["1019"]["meta_data"] = [{"key": k, "value": v} for k, v in references.items()]
        self.orders["19"] = self._new("100.00", "checkout-draft") | {"id": 19}
        self.notes |= {"19": [], "1019": []}


@pytest.fixture
def keyed(house: TestHouse, account: SandboxProcess, mails: Letterbox) -> Shop:
    """The same shop, with keys by which its orders can be read."""
    settings = {"url": "https://shop.example", **KEYS}
    return house.add_shop(settings=settings, sandbox=account.settings(), contact="luna@shop.test")


def test_the_card_of_an_earlier_order_pays_by_one_click_and_the_banks_question(
    house: TestHouse, keyed: Shop, account: SandboxProcess
) -> None:
    paid = account.earlier_order()
    with on_the_wire(house.worker, Shoppe(dict(paid.references))):
        offer = story.leave_basket(house, keyed)
        page = page_of(house, keyed, offer)
        assert choices(page) == ["earlier", "card", "sepa_debit"]
        assert "4242" in page and paid.references[EARLIER] not in page
        with house.of(keyed) as session:
            assert session.scalars(select(PaymentMethod)).all() == []

        assert accept(house, keyed, offer, "earlier").status_code == 303
        assert account.captured(only(house, keyed, Attempt).reference) == []
        asked = house.client().get(story.link(house, keyed, "o", offer.id)).text
        (bank,) = re.findall(r'href="(http[^"]*/challenge/[^"]*)"', asked)
        account.decide(bank, "approve")
        house.client().get(f"{story.link(house, keyed, 'o', offer.id)}/back")
        house.rest(keyed)
        assert only(house, keyed, Plan).state == "active"
        method = only(house, keyed, PaymentMethod)
        assert (method.shared, method.last4) == (True, "4242")

        house.travel(keyed, days=32)
    _, second = story.attempts(house, keyed)
    assert (second.initiator, second.state) == ("merchant", "succeeded")


def test_a_card_that_another_account_has_is_not_offered(
    house: TestHouse, keyed: Shop, account: SandboxProcess
) -> None:
    with on_the_wire(house.worker, Shoppe({EARLIER: "tok_somebody_elses"})):
        offer = story.leave_basket(house, keyed)
    assert only(house, keyed, Recall).state == "none"
    assert choices(page_of(house, keyed, offer)) == ["card", "sepa_debit"]


def test_a_card_that_is_gone_when_it_is_chosen_is_typed_instead(
    house: TestHouse, keyed: Shop, account: SandboxProcess
) -> None:
    paid = account.earlier_order()
    with on_the_wire(house.worker, Shoppe(dict(paid.references))):
        offer = story.leave_basket(house, keyed)
        account.api("POST", "/v1/tokens/detach", {"token": paid.references[EARLIER]})
        assert accept(house, keyed, offer, "earlier").status_code == 303
    page = page_of(house, keyed, offer)
    assert "La carte de votre commande précédente ne peut plus être utilisée" in text_of(page)
    with house.of(keyed) as session:
        assert session.scalars(select(Plan)).all() == []


def test_a_shop_that_moved_to_another_account_offers_no_card_of_the_old_one(
    house: TestHouse, keyed: Shop, account: SandboxProcess
) -> None:
    with on_the_wire(house.worker, Shoppe(dict(account.earlier_order().references))):
        offer = story.leave_basket(house, keyed)
        with house.of(keyed) as session:
            account.another_account()
            shop = merchants.get_shop(session, keyed.id)
            merchants.add_account(session, shop, "sandbox", account.settings()).rest(None)
        assert choices(page_of(house, keyed, offer)) == []
        assert accept(house, keyed, offer, "earlier").status_code == 422


def test_a_card_that_was_only_declined_is_typed_again(
    house: TestHouse, keyed: Shop, account: SandboxProcess
) -> None:
    """The declined order's own record is never looked at: it paid nothing."""
    shoppe = Shoppe(dict(account.earlier_order().references))
    shoppe.orders["1019"] |= {"status": "failed", "date_paid_gmt": None}
    with on_the_wire(house.worker, shoppe):
        offer = story.leave_basket(house, keyed)
        assert only(house, keyed, Recall).state == "none"
    assert choices(page_of(house, keyed, offer)) == ["card", "sepa_debit"]


def test_a_card_that_the_shop_took_itself_is_forgotten_here_and_stays_at_the_gateway(
    house: TestHouse, keyed: Shop, account: SandboxProcess
) -> None:
    paid = account.earlier_order()
    with on_the_wire(house.worker, Shoppe(dict(paid.references))):
        offer = story.leave_basket(house, keyed)
        accept(house, keyed, offer, "earlier")
        house.travel(keyed, days=2)
        with house.of(keyed) as session:
            shop = merchants.get_shop(session, keyed.id)
            customer = session.scalars(select(PaymentMethod.customer_id)).one()
            erasing.begin(session, shop, customer, cause="by_hand", asked_by="test")
        house.rest(keyed)
    assert only(house, keyed, PaymentMethod).sealed is None
    status, _ = account.api("POST", "/v1/tokens/show", {"token": paid.references[EARLIER]})
    assert status == 200
