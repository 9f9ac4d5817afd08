"""Shops: their time, their rules, and whether they may send offers."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from dateutil.relativedelta import relativedelta
from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.core.db import transaction
from plugin_backend.domain import dunning, schedules
from plugin_backend.domain.merchants.accounts import accounts_of
from plugin_backend.domain.merchants.connections import connection_of
from plugin_backend.domain.merchants.errors import NotAble, NotATestShop, Unknown
from plugin_backend.domain.merchants.rows import Shop
from plugin_backend.sdk import clock


@contextmanager
def shop_time(shop: Shop) -> Iterator[None]:
    """Inside, ``clock.now()`` is the shop's own time."""
    with clock.shifted(shop.clock_offset):
        yield


def get_shop(session: Session, shop_id: str) -> Shop:
    """The shop; ``Unknown`` where there is none of that id."""
    shop = session.get(Shop, shop_id)
    if shop is None:
        raise Unknown(f"no shop {shop_id}")
    return shop


def load_shop(shop_id: str) -> Shop:
    """The shop as it stands now, read in a transaction of its own."""
    with transaction(shop_id) as session:
        return get_shop(session, shop_id)


def all_shops(session: Session) -> list[Shop]:
    return list(session.scalars(select(Shop).order_by(Shop.created_at, Shop.id)))


def activate(session: Session, shop: Shop) -> None:
    """Let a shop that only watches send offers. ``NotAble`` where it could not keep what an offer promises."""
    why = why_not_able(session, shop) if shop.state != "connecting" else "not_connected"
    if why:
        raise NotAble(f"{shop.id} cannot be activated: {why}")
    shop.state = "active"


def why_not_able(session: Session, shop: Shop) -> str:
    """Why this shop could not keep what an offer promises, "" where it can: there must be an account that charges, and a
    live shop must be told of orders. One that takes payments at its own checkout only must tell the way there."""
    connection = connection_of(session, shop.id)
    if connection.own_checkout:
        return "" if connection.can_write else "shop_not_writable"
    if not accounts_of(session, shop.id):
        return "no_gateway"
    if not shop.test and not connection.can_write:
        return "shop_not_writable"
    return ""


def set_retries(shop: Shop, retry_days: tuple[int, ...], visa_retries: int) -> None:
    """How refused payments are tried again from now on; what waits for its next try keeps its day. ``ValueError`` beyond
    the bounds of either."""
    dunning.check_ladder(retry_days)
    dunning.check_visa_retries(visa_retries)
    shop.retry_days, shop.visa_retries = list(retry_days), visa_retries


def travel(session: Session, shop: Shop, span: timedelta | relativedelta) -> datetime:
    """Send a test shop's clock ahead; the clock process moves it from due moment to due moment. One that is on its way
    goes that much further than it was going: a month is counted from there. A span of the calendar ends after that day's
    payments. ``NotATestShop`` for a live one, whose time is everybody's."""
    if not shop.test:
        raise NotATestShop(f"{shop.id} is a live shop")
    now = clock.real_now() + shop.clock_offset
    start = max(now, shop.travel_to or now)
    goal = start + span if isinstance(span, timedelta) else schedules.by_calendar(start, span, shop.zone)
    shop.travel_to = goal
    session.flush()
    return goal
