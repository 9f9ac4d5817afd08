"""The steps of the main job as tests take them: through the web application's front doors and the gateway's page."""

import json
import re
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.core.seal import records
from plugin_backend.domain import messages, vault
from plugin_backend.domain.billing import Attempt
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.domain.vault import PaymentMethod, keys, methods
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse

EMAIL = "ana@example.test"


def draft(number: int = 19, *, email: str = EMAIL, total: str = "100.00", **changes: Any) -> dict[str, Any]:
    """An order of WooCommerce as its block checkout leaves it."""
    return {
        "id": number,
        "status": "checkout-draft",
        "currency": "EUR",
        "total": total,
        "date_created_gmt": "2026-11-22T10:00:00",
        "date_modified_gmt": "2026-11-22T10:00:00",
        "billing": {"email": email, "first_name": "Ana", "last_name": "Ruiz", "country": "FR"},
        "line_items": [{"id": 1, "name": "Lamp", "quantity": 1, "total": total, "total_tax": "0.00"}],
        "meta_data": [],
        **changes,
    }


def leave_basket(
    house: TestHouse, shop: Shop, number: int = 19, *, email: str = EMAIL, total: str = "100.00"
) -> Offer:
    """A customer who bought before leaves a basket, and time passes until it is offered."""
    sale = draft(number + 1000, email=email, status="completed", date_modified_gmt="2026-10-01T10:00:00")
    sale["date_created_gmt"] = "2026-10-01T10:00:00"
    assert house.woo(shop, "order.created", sale) == 200
    house.rest(shop)
    house.travel(shop, minutes=1)
    assert house.woo(shop, "order.updated", draft(number, email=email, total=total)) == 200
    house.rest(shop)
    house.travel(shop, hours=1, minutes=1)
    with house.of(shop) as session:
        return session.scalars(select(Offer).order_by(Offer.id.desc())).first()


def link(house: TestHouse, shop: Shop, page: str, row_id: str) -> str:
    with house.worker.app_context():
        return messages.secret_path(page, shop.id, row_id)


def terms_on(page: str) -> str:
    found = re.search(r'name="terms" value="([a-z2-7]{32})"', page)
    assert found, page
    return found[1]


def accept(house: TestHouse, shop: Shop, offer: Offer, *, country: str = "FR", again: bool = False) -> str:
    """Accept the offer on its page, having looked at it ``again`` or for the first time; the path of the page."""
    path = link(house, shop, "o", offer.id)
    page = house.client().get(path, query_string={"again": "1"} if again else {}).get_data(as_text=True)
    form = {"terms": terms_on(page), "country": country, "mandate": "yes"}
    answer = house.client().post(f"{path}/accept", data=form)
    assert answer.status_code == 303, answer.get_data(as_text=True)
    house.rest(shop)
    return path


class CardPages(Protocol):
    """The pages of a gateway, as a customer uses them."""

    url: str

    def type_card(self, page_url: str, card: str) -> Any: ...

    def decide(self, page_url: str, decision: str) -> Any: ...


def give_card(house: TestHouse, shop: Shop, gateway: CardPages, path: str, card: str = "ok") -> None:
    """Follow the page to the gateway's, give a card there, and come back."""
    answer = house.client().get(path)
    assert answer.status_code == 303, answer.get_data(as_text=True)
    typed = gateway.type_card(answer.headers["Location"], card)
    if "challenge" in typed.headers.get("location", ""):
        challenge = typed.headers["location"]
        gateway.decide(challenge if challenge.startswith("http") else gateway.url + challenge, "approve")
    house.client().get(f"{path}/back")
    house.rest(shop)


def begin_plan(house: TestHouse, shop: Shop, gateway: CardPages, card: str = "ok", **basket: Any) -> Plan:
    """From a left basket to a plan whose first payment was asked for."""
    offer = leave_basket(house, shop, **basket)
    give_card(house, shop, gateway, accept(house, shop, offer), card)
    with house.of(shop) as session:
        return session.scalars(select(Plan).where(Plan.offer_id == offer.id)).one()


def plan_of(house: TestHouse, shop: Shop) -> Plan:
    with house.of(shop) as session:
        return session.scalars(select(Plan)).one()


def collections(house: TestHouse, shop: Shop) -> list[Collection]:
    with house.of(shop) as session:
        return list(session.scalars(select(Collection).order_by(Collection.plan_id, Collection.number)))


def states(house: TestHouse, shop: Shop) -> list[str]:
    return [row.state for row in collections(house, shop)]


def attempts(house: TestHouse, shop: Shop) -> list[Attempt]:
    with house.of(shop) as session:
        return list(session.scalars(select(Attempt).order_by(Attempt.created_at, Attempt.id)))


def captured(house: TestHouse, shop: Shop, gateway: SandboxProcess) -> list[int]:
    """What the gateway's own ledger says was captured for each attempt of the shop that has any."""
    found = [gateway.captured(attempt.reference) for attempt in attempts(house, shop)]
    assert all(len(amounts) <= 1 for amounts in found), "charged twice under one reference"
    return [amounts[0].minor for amounts in found if amounts]


def opened(session: Session, method: PaymentMethod) -> vault.Opened:
    """What a payment method holds, opened by whoever has its key: a test is no purpose that the vault knows."""
    assert method.sealed is not None
    key = keys.by_id(session, method.shop_id, records.head_of(method.sealed).key_id)
    secret = json.loads(records.open_with(key, methods.place_of(method), method.sealed))
    return vault.Opened(secret["t"], secret["c"], secret["n"])
