"""Baskets that are left, refused or bought, told in the domain's own verbs, and what was offered and written for them."""

from datetime import timedelta

from sqlalchemy import select, update

from plugin_backend.domain import carts
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.offers import Offer
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as sdk
from plugin_backend.sdk.money import Money
from plugin_backend.worker import jobs
from tests.house import TestHouse

EMAIL = "ana@example.test"
AN_HOUR = {"hours": 1, "minutes": 1}
A_HUNDRED = Money(10000, "EUR")


def leave(
    house: TestHouse,
    shop: Shop,
    *,
    key: str = "order:19",
    email: str = EMAIL,
    total: Money | None = A_HUNDRED,
    granted: bool | None = True,
    country: str = "FR",
    declined: bool = False,
) -> None:
    """A basket is left, or refused, now."""
    with house.of(shop) as session:
        now = clock.now()
        said = None if granted is None else sdk.Consent(granted, "checkout", at=now)
        person = sdk.Person(email=email, country=country, locale="fr")
        event = sdk.CartChanged(key, total, now, (sdk.Line("Lamp"),), person, said)
        if declined:
            carts.payment_failed(session, shop, sdk.PaymentFailed(key, now, "limit", event), now)
        else:
            carts.cart_changed(session, shop, event, now)


def sell(
    house: TestHouse, shop: Shop, *cart_keys: str, email: str = EMAIL, order_key: str = "order:7"
) -> None:
    """Somebody buys now, out of the baskets of those names."""
    with house.of(shop) as session:
        event = sdk.OrderPlaced(order_key, clock.now(), cart_keys, person=sdk.Person(email=email))
        carts.order_placed(session, shop, event, clock.now())


def verdicts(house: TestHouse, shop: Shop) -> list[tuple[str, str]]:
    with house.of(shop) as session:
        return [
            (o.state, o.reason) for o in session.scalars(select(Offer).order_by(Offer.created_at, Offer.id))
        ]


def letters(house: TestHouse, shop: Shop) -> list[tuple[str, str]]:
    with house.of(shop) as session:
        rows = session.scalars(select(Message).order_by(Message.created_at, Message.id))
        return [(row.state, row.reason) for row in rows]


def judge(house: TestHouse, shop: Shop) -> None:
    """The cart's moment comes, and its mail is written but has not left yet."""
    with house.worker.app_context(), house.in_time(shop):
        jobs.read(shop)
        jobs.make_offers(shop)


def forward(house: TestHouse, shop: Shop, **span: float) -> None:
    """Let time pass at one leap, nothing being worked off."""
    with house.of(shop) as session:
        session.execute(
            update(Shop).where(Shop.id == shop.id).values(clock_offset=Shop.clock_offset + timedelta(**span))
        )


def an_open_offer(house: TestHouse, shop: Shop) -> Offer:
    leave(house, shop)
    house.travel(shop, **AN_HOUR)
    with house.of(shop) as session:
        offer = session.scalars(select(Offer)).one()
    assert offer.state == "open"
    return offer
