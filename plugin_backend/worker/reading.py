"""Deliveries are read: a connector or gateway says what happened, in our words, and the domain takes it in."""

from datetime import datetime
from typing import Any, assert_never

from sqlalchemy.orm import Session

from plugin_backend.domain import (
    billing,
    carts,
    inbox,
    leaving,
    merchants,
    moves,
    notices,
    setups,
    shopside,
    vault,
)
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import Connection, GatewayAccount, Shop
from plugin_backend.domain.setups import Setup
from plugin_backend.sdk import connector as shop_sdk
from plugin_backend.sdk import gateway as gateway_sdk
from plugin_backend.sdk.errors import NotOurs, Unreadable


def read_one(session: Session, shop: Shop, row: DeliveryRow) -> None:
    """Take in one delivery. Doing it again changes nothing."""
    source = merchants.source(session, shop.id, row.source)
    if source is None:
        _finish(session, row, "ignored", "its connection is gone")
        return
    # Reading asks nobody, so it is done with the same small part of the settings that judging had.
    adapter, delivery = merchants.door_of(source), inbox.as_delivery(session, row)
    topic = adapter.topic(delivery).replace("\0", "")[:200]
    try:
        events: list[Any] = list(adapter.parse(delivery))
    except NotOurs as error:
        row.topic = topic
        if isinstance(source, GatewayAccount):
            merchants.misdirected(session, shop.id, source.id, str(error))
        _finish(session, row, "ignored", "not_ours")
        return
    except Unreadable as error:
        row.topic = topic
        _finish(session, row, "unreadable", str(error)[:500])
        return
    for event in events:
        if isinstance(source, Connection):
            take_in(session, shop, event, row.received_at + shop.clock_offset, told_by=row.id)
        else:
            _from_gateway(session, shop, source, event, row)
    # Set now and not before: what was changed is written before whatever is asked of the database next.
    row.topic = topic
    row.effect = [type(event).__name__ for event in events]
    _finish(session, row, "read" if events else "ignored", "" if events else "of no interest")


def _finish(session: Session, row: DeliveryRow, state: str, reason: str) -> None:
    moves.move(session, row, state, reason)
    row.rest(None)
    if state != "unreadable":
        # What a gateway said has served. What could not be read waits for a reader that can.
        row.dropped = None


def take_in(session: Session, shop: Shop, event: shop_sdk.ShopEvent, at: datetime, *, told_by: str) -> None:
    """What a shop says becomes facts, however it was told: ``at`` is when it reached us, in the shop's time, and
    ``told_by`` the row of the delivery or the poll that brought it. Doing it again changes nothing."""
    match event:
        case shop_sdk.CartChanged():
            carts.cart_changed(session, shop, event, at)
        case shop_sdk.PaymentFailed():
            shopside.withdraw_if_barred(session, carts.payment_failed(session, shop, event, at))
        case shop_sdk.CartRemoved():
            shopside.withdraw_if_lost(session, carts.cart_removed(session, shop, event, at))
            shopside.order_stopped(session, shop.id, event.key, "trashed in the shop")
        case shop_sdk.CartRestored():
            carts.cart_restored(session, shop, event, at)
        case shop_sdk.OrderPlaced():
            _order_placed(session, shop, event, at)
        case shop_sdk.OrderCancelled():
            carts.order_cancelled(session, shop, event, at)
            shopside.order_stopped(session, shop.id, event.order_key, "cancelled in the shop")
        case shop_sdk.OrderRefunded():
            carts.order_refunded(session, shop, event, at)
            if event.full:
                shopside.order_stopped(session, shop.id, event.order_key, "refunded in the shop")
            billing.refunded_in_shop(session, shop.id, event)
        case shop_sdk.OrderFulfilled():
            shopside.order_supplied(session, shop, event.order_key, event.at + shop.clock_offset)
        case shop_sdk.CustomerRedacted():
            leaving.redacted(session, shop, event, told_by)
        case shop_sdk.CustomerDataRequested():
            leaving.data_requested(session, shop, event, told_by)
        case shop_sdk.ShopDisconnected():
            leaving.disconnect(session, shop.id, redact=event.redact)
        case _:
            assert_never(event)


def _order_placed(session: Session, shop: Shop, event: shop_sdk.OrderPlaced, at: datetime) -> None:
    found = carts.order_placed(session, shop, event, at)
    for cart in found:
        if carts.bought(session, cart):
            shopside.bought_natively(session, cart)
            carts.settle(session, shop, cart)


def _from_gateway(
    session: Session, shop: Shop, account: GatewayAccount, event: gateway_sdk.GatewayEvent, row: DeliveryRow
) -> None:
    """What a gateway says is evidence: it makes us look, and is never believed by itself."""
    match event:
        case gateway_sdk.ChargeChanged():
            billing.charge_changed(session, shop, account, event)
        case gateway_sdk.SetupChanged(reference=reference):
            setup = session.get(Setup, (shop.id, reference))
            if setup is not None:
                setups.evidence(session, setup)
        case gateway_sdk.DisputeChanged():
            gateway = merchants.gateway_of(session, shop, account, vault.Use("gateway_call", row.id))
            signed = gateway.capabilities.signed_events
            billing.dispute_changed(session, shop, account, event, signed=signed)
        case gateway_sdk.RefundChanged():
            billing.refund_evidence(session, shop, account, event)
        case gateway_sdk.CardUpdated():
            # Who names the token has it from the gateway; of a card that is not ours there is nothing to say.
            notices.card_updated(session, shop, account.id, event)
        case gateway_sdk.CheckoutDeclined():
            shopside.declined_at_gateway(session, shop, event, account.gateway)
        case _:
            assert_never(event)
