"""What is done while a customer waits: a page for the card, the order held in the shop, the first payment."""

from contextlib import suppress
from dataclasses import dataclass

import structlog
from sqlalchemy.orm import Session

from plugin_backend.core import delays, due
from plugin_backend.core.db import assert_no_transaction, transaction
from plugin_backend.core.house import house
from plugin_backend.domain import (
    billing,
    carts,
    cases,
    customers,
    dunning,
    erasing,
    exchanges,
    merchants,
    messages,
    offers,
    paying,
    plans,
    recalls,
    setups,
    shopside,
    vault,
)
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.customers import Customer
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.plans import Plan
from plugin_backend.domain.setups import Setup
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as shop_sdk
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.errors import Refused, RepriseError
from plugin_backend.sdk.http import overheard
from plugin_backend.worker import asking, charging

log = structlog.get_logger(__name__)


def present(shop: Shop) -> int:
    """Serve the customers who are there."""
    with transaction(shop.id) as session:
        setup_ids = due.take(session, Setup, shop.id)
        plan_ids = due.take(session, Plan, shop.id)
    for setup_id in setup_ids:
        _serve_setup(shop, setup_id)
    for plan_id in plan_ids:
        _serve_plan(shop, plan_id)
    return len(setup_ids) + len(plan_ids)


recall = asking.OneByOne(recalls.take, recalls.prepare, recalls.ask, recalls.record)
"""Look for the cards by which customers paid earlier orders."""


# A card being taken.


@dataclass(frozen=True, slots=True)
class CardAsk:
    """A set-up and what asking about it needs. ``connector`` may be looked into; without a ``gateway`` the shopper is led to
    the shop's own checkout, for which ``basket`` is wanted. ``earlier`` names the order whose payment method is taken over,
    "" for none."""

    setup_id: str
    state: str
    gateway_id: str
    request: sdk.SetupRequest
    gateway: sdk.Gateway | None
    connector: shop_sdk.Connector | None
    basket: shop_sdk.Reservation
    earlier: str


def _serve_setup(shop: Shop, setup_id: str) -> None:
    with transaction(shop.id) as session:
        ask = _card_ask(session, shop, session.get_one(Setup, (shop.id, setup_id), with_for_update=True))
    if ask is None:
        return
    assert_no_transaction()
    if ask.state == "begun":
        _open_page(shop, ask)
    else:
        _look_for_card(shop, ask)


def _card_ask(session: Session, shop: Shop, setup: Setup) -> CardAsk | None:
    if setup.state not in ("begun", "waiting"):
        setup.rest(None)
        return None
    offer = session.get_one(Offer, (shop.id, setup.offer_id))
    cart = session.get_one(Cart, (shop.id, offer.cart_id))
    customer = offers.of_customer(session, shop.id, offer)
    if setup.state == "begun" and customers.frozen(session, shop.id, customer.id):
        setups.finish(session, setup, "failed", "being_forgotten")
        return None
    connection, use = merchants.connection_of(session, shop.id), vault.Use("shop_call", setup.id)
    connector = merchants.connector_of(session, shop, connection, use)
    page = "p" if setup.plan_id else "o"
    back = messages.secret_path(page, shop.id, setup.plan_id or offer.id)
    request = sdk.SetupRequest(
        reference=setup.id,
        return_url=house().url(f"{back}/back"),
        amount=offers.first_amount(shop, offer),
        customer=customer.id,
        email=customer.email,
        locale=setup.locale,
        description=shop.name,
        series="instalment" if offer.kind == offers.INSTALMENTS else "subscription",
        kind=setup.kind,
    )
    may_read = connector.can_write and setup.plan_id is None
    return CardAsk(
        setup.id,
        setup.state,
        setup.gateway_id,
        request,
        _gateway(session, shop, setup),
        connector if may_read else None,
        _basket(cart, offer, setup, customer),
        setup.earlier,
    )


def _gateway(session: Session, shop: Shop, setup: Setup) -> sdk.Gateway | None:
    if not setup.account_id:
        return None
    account = session.get_one(GatewayAccount, (shop.id, setup.account_id))
    return merchants.gateway_of(session, shop, account, vault.Use("gateway_call", setup.id))


def _basket(cart: Cart, offer: Offer, setup: Setup, customer: Customer) -> shop_sdk.Reservation:
    return shop_sdk.Reservation(
        key=setup.id,
        cart_key=cart.key,
        total=offer.total,
        lines=carts.lines_of(cart.lines),
        person=shop_sdk.Person(email=customer.email, name=customer.name, locale=setup.locale),
        plan_words="",
    )


def _open_page(shop: Shop, ask: CardAsk) -> None:
    """Look once more at the basket in the shop, then have the gateway open its page, or the shop its checkout, or take over
    the card of the earlier order that the customer chose."""
    stands: object = None
    try:
        if ask.connector is not None:
            stands = ask.connector.read("cart", ask.basket.cart_key)
        differs = _differs(shop, ask, stands)
        came = None if differs else _page_or_card(ask)
    except RepriseError as error:
        _no_page(shop, ask, "try_again", str(error))
        return
    if came is None:
        _no_page(shop, ask, differs, "")
        return
    with transaction(shop.id) as session:
        setup = session.get_one(Setup, (shop.id, ask.setup_id), with_for_update=True)
        if setup.state != "begun":
            return
        match came:
            case sdk.SetupPage():
                setups.opened(session, setup, came.url, came.gateway_id)
            case sdk.CardStored() if not _is_frozen(session, shop, setup):
                _card_stored(session, shop, setup, came)
            case _:
                _no_card(session, shop, setup, "failed", "gone")


def _page_or_card(ask: CardAsk) -> sdk.SetupPage | sdk.CardStored | sdk.SetupFailed:
    if ask.gateway is not None and ask.earlier and ask.connector is not None:
        return recalls.recall(ask.connector, ask.gateway, ask.earlier) or sdk.SetupFailed("unknown")
    if ask.gateway is not None:
        return ask.gateway.begin_setup(ask.request)
    if ask.connector is None:
        raise Refused("no_api_key")
    return sdk.SetupPage(ask.connector.checkout(ask.basket), "")


def _differs(shop: Shop, ask: CardAsk, stands: object) -> str:
    """Take in how the basket stands in the shop; why it is not what was accepted, "" where it is."""
    if not isinstance(stands, shop_sdk.CartChanged | shop_sdk.OrderPlaced):
        return ""
    with transaction(shop.id) as session:
        setup = session.get_one(Setup, (shop.id, ask.setup_id))
        offer = session.get_one(Offer, (shop.id, setup.offer_id), with_for_update=True)
        if isinstance(stands, shop_sdk.OrderPlaced):
            carts.order_placed(session, shop, stands, clock.now())
            return "basket_changed"
        carts.cart_changed(session, shop, stands, clock.now())
        session.get_one(Cart, (shop.id, offer.cart_id)).sold_out = list(stands.sold_out)
        if stands.total is not None and stands.total != offer.total:
            offer.amount, offer.currency = stands.total.minor, stands.total.currency
            return "basket_changed"
        return "sold_out" if stands.sold_out else ""


def _no_page(shop: Shop, ask: CardAsk, reason: str, detail: str) -> None:
    with transaction(shop.id) as session:
        setup = session.get_one(Setup, (shop.id, ask.setup_id), with_for_update=True)
        if setup.state != "begun":
            return
        setups.finish(session, setup, "failed", reason)
        offer = session.get_one(Offer, (shop.id, setup.offer_id), with_for_update=True)
        offers.reopen(session, offer, reason)
        cart = session.get_one(Cart, (shop.id, offer.cart_id), with_for_update=True)
        if carts.bought(session, cart):
            offers.withdraw(session, offer, "bought")
            carts.settle(session, shop, cart)
        if detail:
            cases.open_case(session, shop.id, "no_card_page", offer.id, reason=detail[:300])


def _look_for_card(shop: Shop, ask: CardAsk) -> None:
    """Ask the gateway what became of the card. What becomes of a basket at the shop's own checkout the shop tells."""
    found: sdk.CardStored | sdk.SetupFailed | sdk.SetupPending = sdk.SetupPending()
    if ask.gateway is not None:
        with suppress(RepriseError):
            found = ask.gateway.complete_setup(ask.setup_id, ask.gateway_id)
    unwanted = False
    with transaction(shop.id) as session:
        setup = session.get_one(Setup, (shop.id, ask.setup_id), with_for_update=True)
        if setup.state != "waiting":
            return
        match found:
            case sdk.CardStored() if _is_frozen(session, shop, setup):
                # What is not kept here must not stay at the gateway either.
                setups.finish(session, setup, "failed", "being_forgotten")
                unwanted = True
            case sdk.CardStored():
                kept = _card_stored(session, shop, setup, found)
                unwanted = not (kept or vault.by_token(session, shop.id, setup.account_id, found.token))
            case sdk.SetupFailed(reason=reason):
                _no_card(session, shop, setup, "failed", reason)
            case sdk.SetupPending():
                if not setups.wait(session, setup):
                    _no_card(session, shop, setup, "expired", "left")
    if unwanted and ask.gateway is not None and isinstance(found, sdk.CardStored):
        _detach(ask.setup_id, ask.gateway, found.token)


def _is_frozen(session: Session, shop: Shop, setup: Setup) -> bool:
    """Is the customer being forgotten? Asked under the offer's lock, as where he is frozen."""
    offer = session.get_one(Offer, (shop.id, setup.offer_id), with_for_update=True)
    return offer.customer_id is not None and customers.frozen(session, shop.id, offer.customer_id)


def _detach(setup_id: str, gateway: sdk.Gateway, token: str) -> None:
    assert_no_transaction()
    try:
        erasing.detach(gateway, token)
    except RepriseError as error:
        log.warning("not_detached", setup=setup_id, error=str(error))


def _card_stored(session: Session, shop: Shop, setup: Setup, card: sdk.CardStored) -> bool:
    """Seal the token, and make the plan: once, on the first evidence, in one transaction. False where the card is not
    kept."""
    offer = session.get_one(Offer, (shop.id, setup.offer_id), with_for_update=True)
    if setup.plan_id is None and offer.state != "accepting":
        # Bought meanwhile: a card that nobody needs is not kept.
        setups.finish(session, setup, "failed", f"the offer is {offer.state}")
        return False
    refused = _no_card_for_plans(session, shop, setup, card)
    if refused:
        _no_card(session, shop, setup, "failed", refused)
        return False
    customer = offers.of_customer(session, shop.id, offer)
    method = vault.keep(session, shop.id, customer.id, setup.account_id, card, shared=bool(setup.earlier))
    setups.finish(session, setup, "completed", method_id=method.id)
    if setup.plan_id is not None:
        billing.change_card(session, plans.locked(session, shop.id, setup.plan_id), method)
    else:
        plans.make(session, shop, offer, setup, method)
    return True


def _no_card_for_plans(session: Session, shop: Shop, setup: Setup, card: sdk.CardStored) -> str:
    """Why this card cannot pay a plan, "" where it can: it was refused for good before, or is good for one payment."""
    if vault.stopped_before(session, shop.id, setup.account_id, card):
        return "stopped"
    return "once" if dunning.good_for_one_payment(card.advice) else ""


def _no_card(session: Session, shop: Shop, setup: Setup, state: str, reason: str) -> None:
    setups.finish(
        session, setup, state, f"card_{reason}" if reason in ("stopped", "once", "gone") else reason
    )
    if setup.plan_id is None:
        offer = session.get_one(Offer, (shop.id, setup.offer_id), with_for_update=True)
        offers.reopen(session, offer, f"card_{reason}")


# A plan that waits for its first payment.


@dataclass(frozen=True, slots=True)
class Hold:
    """A plan whose order is to be held in the shop."""

    connector: shop_sdk.Connector
    reservation: shop_sdk.Reservation


def _serve_plan(shop: Shop, plan_id: str) -> None:
    with transaction(shop.id) as session:
        plan = plans.locked(session, shop.id, plan_id)
        wanted = paying.begin(session, plan)
        hold = _hold(session, shop, plan)
        first = plans.collection(session, shop.id, plan_id, 1)
        chargeable = plan.state == "pending" and first.state in ("scheduled", "due")
    if wanted:
        charging.charge_one(shop, wanted, initiator="customer", back=f"p/{plan_id}")
    elif (hold is None or _held(shop, plan_id, hold)) and chargeable:
        charging.charge_one(shop, first.id, initiator="customer", back=f"o/{plan.offer_id}")
    with transaction(shop.id) as session:
        plan = plans.locked(session, shop.id, plan_id)
        # Let go last: where we die before the payment is written down, the plan must come again while we are awaited.
        if plan.taken:
            plan.rest(max(plan.created_at, clock.now()) + plans.FIRST_PAYMENT)


def _hold(session: Session, shop: Shop, plan: Plan) -> Hold | None:
    """What is to be held, or None where nothing is (any more). The plan's time may be over, too; where it is not, the
    plan stays taken."""
    if plan.state != "pending":
        plan.rest(None)
        return None
    if clock.now() >= plan.created_at + plans.FIRST_PAYMENT and not plans.under_way(session, plan):
        plans.give_up(session, plan, "never paid")
        return None
    if plan.order_key:
        return None
    connection, use = merchants.connection_of(session, shop.id), vault.Use("shop_call", plan.id)
    connector = merchants.connector_of(session, shop, connection, use)
    if not connector.can_write and shop.test:
        cases.open_case(session, shop.id, "order_by_hand", plan.id, platform=shop.platform)
        return None
    return Hold(connector, _reservation(session, shop, plan))


def _reservation(session: Session, shop: Shop, plan: Plan) -> shop_sdk.Reservation:
    cart = session.get_one(Cart, (shop.id, plan.cart_id))
    return shop_sdk.Reservation(
        key=plan.id,
        cart_key=cart.key,
        total=plan.agreed,
        lines=carts.lines_of(cart.lines),
        person=plans.person(session, plan),
        plan_words=plans.mandate_of(session, shop.id, plan.id).text,
    )


def _held(shop: Shop, plan_id: str, hold: Hold) -> bool:
    """True where the shop holds the order at the total that was agreed; otherwise nothing is charged."""
    assert_no_transaction()
    try:
        with overheard() as heard:
            reserved = hold.connector.reserve(hold.reservation)
    except RepriseError as error:
        with transaction(shop.id) as session:
            exchanges.keep(session, shop.id, plan_id, heard)
            shopside.order_not_held(session, plans.locked(session, shop.id, plan_id), error)
        return False
    with transaction(shop.id) as session:
        plan = plans.locked(session, shop.id, plan_id)
        if reserved.total != plan.agreed:
            plan.order_key = reserved.order_key
            plans.give_up(session, plan, "total_changed")
            cart = session.get_one(Cart, (shop.id, plan.cart_id), with_for_update=True)
            cart.amount, cart.currency = reserved.total.minor, reserved.total.currency
            return False
        plans.reserved(session, plan, reserved.order_key)
        plan.due_at, plan.taken = clock.now() + delays.DELAYS.lease, True
    return True
