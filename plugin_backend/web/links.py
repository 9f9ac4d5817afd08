"""Links that open without a login: their secret end leads to one row of one shop, or nowhere."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import request
from sqlalchemy.orm import Session

from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.domain import merchants
from plugin_backend.domain.merchants import Shop
from plugin_backend.web import reader

_SECRET = re.compile(r"[a-z2-7]{32}")


@dataclass(frozen=True, slots=True)
class Way:
    """Where a link leads."""

    shop_id: str
    row_id: str


def follow(kind: str, secret: str) -> Way | None:
    """The row behind a link, or None."""
    if not _SECRET.fullmatch(secret):
        return None
    with transaction(None) as session:
        door = merchants.knock(session, kind, secret)
        return None if door is None else Way(door.shop_id, door.row_id)


def visit(
    kind: str,
    secret: str,
    work: Callable[[Session, Shop, str], Any],
    *,
    post: bool = False,
    bells: tuple[str, ...] = (),
) -> Any:
    """Do ``work`` with the row behind a link, in one transaction and the shop's time, and ring ``bells`` once it is
    committed. A link that leads nowhere, and a form that another site sent, get the same page."""
    way = follow(kind, secret)
    if way is None or (post and not same_site()):
        return reader.shown("offer/not_found.html", reader.locale(), code=404)
    with transaction(way.shop_id) as session:
        shop = merchants.get_shop(session, way.shop_id)
        with merchants.shop_time(shop):
            answer = work(session, shop, way.row_id)
    for bell in bells:
        house().bells.ring(bell, way.shop_id)
    return answer


def network() -> str:
    """The visitor's network, as much of his address as a mandate may keep; "" where there is none."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return ""
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


def same_site() -> bool:
    """False for a form that another site sent: nobody but our own pages posts to these."""
    site = request.headers.get("Sec-Fetch-Site", "")
    return site in ("", "same-origin", "none")
