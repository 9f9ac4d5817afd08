"""Shops as their pages reach us: known by a public key, remembered for a while, and called no more often than is decent."""

import ipaddress
import re
import threading
import time
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from plugin_backend.core.db import transaction
from plugin_backend.domain import merchants, offers, storefronts
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.offers import Template
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import Connector

_KEY = re.compile(r"[a-z2-7]{32}")
_REMEMBER = 30.0
_MOST_REMEMBERED = 10_000
_SEEN_AGAIN = 3600.0


@dataclass(frozen=True, slots=True)
class Front:
    """A shop as its pages may know it, as it stood when it was looked up. ``source`` is its connection, by whose signature
    ``adapter`` judges what a page brings. ``template`` None: there are no plans."""

    shop: Shop
    template: Template | None
    source: str
    adapter: Connector
    origins: frozenset[str]
    until: float


class Fronts:
    """The fronts of one process."""

    def __init__(self) -> None:
        self._known: dict[str, Front] = {}

    def find(self, key: str) -> Front | None:
        """The shop of this public key; what is remembered may be half a minute old."""
        if not _KEY.fullmatch(key):
            return None
        known = self._known.get(key)
        if known is not None and known.until > time.monotonic():
            return known
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        found = _look_up(key)
        if found is not None:
            self._known[key] = found
        return found


def _look_up(key: str) -> Front | None:
    with transaction(None) as session:
        door = merchants.knock(session, storefronts.DOOR, key)
    if door is None:
        return None
    with transaction(door.shop_id) as session:
        shop = merchants.get_shop(session, door.shop_id)
        _note(session, shop)
        connection = merchants.connection_of(session, shop.id)
        begins_plans = _can_charge(session, shop) and not connection.own_checkout
        return Front(
            shop=shop,
            template=offers.active_template(session, shop.id) if begins_plans else None,
            source=connection.id,
            adapter=merchants.door_of(connection),  # type: ignore[arg-type]
            origins=storefronts.origins(shop),
            until=time.monotonic() + _REMEMBER,
        )


def _note(session: Session, shop: Shop) -> None:
    """Now and then it is written down that the shop's pages call: the connect page and the mails go by it."""
    at, now = shop.storefront_seen_at, clock.real_now()
    if at is None or (now - at).total_seconds() > _SEEN_AGAIN:
        storefronts.seen(session, shop.id, now)


def _can_charge(session: Session, shop: Shop) -> bool:
    found = select(GatewayAccount.id).where(GatewayAccount.shop_id == shop.id).limit(1)
    return session.scalar(found) is not None


def address(remote: str) -> str:
    """What counts as one visitor: an IPv4 address, or the /64 that an IPv6 one lies in; "" where there is none."""
    try:
        given = ipaddress.ip_address(remote)
    except ValueError:
        return ""
    if isinstance(given, ipaddress.IPv6Address) and given.ipv4_mapped is not None:
        given = given.ipv4_mapped
    if given.version == 4:
        return str(given)
    return str(ipaddress.ip_network((int(given), 64), strict=False))


class Limiter:
    """Counts calls in this process, by the minute. It guards our own time; what costs money, a mail or a place in the
    books is counted in the database as well."""

    def __init__(self) -> None:
        self._minute = 0
        self._counts: dict[tuple[str, ...], int] = {}
        self._lock = threading.Lock()

    def allow(self, most: int, *who: str) -> bool:
        """One more by ``who`` in this minute, if it is one of the first ``most``."""
        minute = int(time.monotonic() // 60)
        with self._lock:
            if minute != self._minute or len(self._counts) > _MOST_REMEMBERED * 10:
                self._minute, self._counts = minute, {}
            self._counts[who] = self._counts.get(who, 0) + 1
            return self._counts[who] <= most
