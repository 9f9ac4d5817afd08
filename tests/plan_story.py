"""A plan, told in the domain's own verbs: a basket that was left, its offer, the card, and what the gateway said. Nobody
outside is asked."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from plugin_backend.core.ids import new_id
from plugin_backend.domain import (
    billing,
    carts,
    erasing,
    letters,
    merchants,
    offers,
    plans,
    reconciliation,
    setups,
    vault,
)
from plugin_backend.domain.billing import Attempt
from plugin_backend.domain.credits import Wish
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.plans import Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as shop_sdk
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.money import Money
from tests.house import TestHouse

ACCOUNT = {"url": "http://127.0.0.1:9/gateway", "api_key": "k"}
TOKEN = "tok_never_shown"


def add_paying_shop(house: TestHouse) -> Shop:
    """A test shop with a gateway account."""
    return house.add_shop(sandbox=ACCOUNT)


def open_offer(session: Any, shop: Shop, total: Money, email: str = "ana@example.test") -> offers.Offer:
    """A basket of somebody who agreed to reminders was left, and its offer was made and written."""
    now = clock.now()
    event = shop_sdk.CartChanged(
        key=f"order:{email}",
        total=total,
        updated_at=now,
        lines=(shop_sdk.Line("Lamp <b>", total=total),),
        person=shop_sdk.Person(email=email, name="Ana", locale="fr", country="FR"),
        consent=shop_sdk.Consent(granted=True, source="checkout", at=now),
    )
    cart = carts.cart_changed(session, shop, event, now - timedelta(hours=2))
    offer = offers.make(session, shop, cart)
    assert offer is not None
    assert offer.state == "open", offer.reason
    letters.offer_made(session, shop, cart, offer)
    session.flush()
    return offer


def accepted_plan(
    session: Any, shop: Shop, total: Money, email: str = "ana@example.test", *, token: str = TOKEN
) -> Plan:
    """The offer was accepted as shown, a card is stored, and the shop holds the order."""
    offer = open_offer(session, shop, total, email)
    cart = session.get_one(carts.Cart, (shop.id, offer.cart_id))
    terms = offers.terms_of(shop, cart, offer, country="FR", locale="fr")
    offers.accept(session, shop, offer, shown=terms.digest, country="FR", locale="fr")
    account = merchants.active_account(session, shop.id)
    setup = setups.begin(session, shop.id, offer.id, account.id, locale="fr", ip="192.0.2.0/24")
    setups.opened(session, setup, "https://gateway.test/page", "gw_setup")
    card = sdk.CardStored(token, "Visa", "4242", 11, 2028)
    method = vault.keep(session, shop.id, str(offer.customer_id), account.id, card)
    setups.finish(session, setup, "completed")
    session.flush()
    plan = plans.make(session, shop, offer, setup, method)
    plans.reserved(session, plan, "order:1042")
    plan.rest(clock.now() + plans.FIRST_PAYMENT)
    session.flush()
    return plan


def charged(session: Any, shop: Shop, plan_id: str, number: int, outcome: sdk.Outcome | None = None) -> str:
    """A collection's next attempt was made, and the gateway said ``outcome`` (None: paid). The collection's id."""
    row = plans.collection(session, shop.id, plan_id, number)
    prepared = billing.prepare(session, shop, row.id, initiator="customer" if number == 1 else "merchant")
    assert prepared is not None
    session.flush()
    billing.record(session, shop, prepared.attempt_id, outcome or sdk.Succeeded("gw_1", row.money))
    session.flush()
    return row.id


def credited(session: Any, shop: Shop, plan_id: str, amount: Money, **wish: Any) -> billing.CreditNote:
    """The merchant was shown what a credit comes to, and had it done."""
    wanted = Wish(amount, **wish)
    _, shown = billing.standing(session, plans.locked(session, shop.id, plan_id)).shown(wanted)
    return billing.credit(session, shop, plan_id, wanted, shown)


def disputed(
    session: Any,
    shop: Shop,
    plan_id: str,
    state: Any = "open",
    *,
    amount: Money | None = None,
    dispute: str = "dp_1",
    signed: bool = True,
) -> None:
    """The gateway said something of a dispute of the plan's first captured payment."""
    paid = session.scalars(
        select(Attempt).where(Attempt.plan_id == plan_id, Attempt.state == "succeeded")
    ).first()
    event = sdk.DisputeChanged(dispute, paid.reference, paid.gateway_id, amount or paid.money, state)
    account = session.get_one(GatewayAccount, (shop.id, paid.account_id))
    billing.dispute_changed(session, shop, account, event, signed=signed)
    session.flush()


def forgotten(session: Any, shop: Shop) -> str:
    """A customer had a plan, which was cancelled, and was forgotten. His id."""
    plan = accepted_plan(session, shop, Money(10000, "EUR"), "ida@example.test")
    charged(session, shop, plan.id, 1)
    billing.stop(session, shop, plan.id, "cancelled", "by the customer")
    row = erasing.begin(session, shop, plan.customer_id, cause=erasing.BY_HAND, asked_by="a test")
    session.flush()
    erasing.record(session, shop, row.id, {})
    session.flush()
    return plan.customer_id


def compared(session: Any, shop: Shop) -> None:
    """The shop's account was compared with its gateway's list, which had a capture that nobody can explain."""
    account = merchants.active_account(session, shop.id)
    moved = sdk.Captured("rp-unknown", "gw_stray", Money(700, "EUR"), clock.now())
    stray_id = billing.keep_stray(session, shop.id, account.id, moved, "")
    row = reconciliation.Reconciliation(
        shop_id=shop.id,
        id=new_id(reconciliation.Reconciliation.prefix),
        account_id=account.id,
        state="differs",
        since=clock.now() - timedelta(days=3),
        until=clock.now(),
        counts={"both": 1, "theirs_only": 1},
        found={"theirs_only": [{"id": stray_id, "reference": moved.reference}]},
    )
    session.add(row)
    session.flush()
