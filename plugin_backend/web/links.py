"""Links that open without a login: their secret end leads to one row of one shop, or nowhere."""

import ipaddress
import re
from dataclasses import dataclass

from flask import request

from plugin_backend.core.db import transaction
from plugin_backend.domain import merchants

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
