"""What of a shop the public may know: the key by which its pages name it, and from where those may call."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import update
from sqlalchemy.orm import Session

from plugin_backend.core.house import house
from plugin_backend.domain import merchants
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import RepriseError

DOOR = "storefront"
MOST_ORIGINS = 20
LATELY = timedelta(days=30)


class NoOrigin(RepriseError):
    """What was given is not where a page may come from."""

    permanent = True


def open_for(session: Session, shop: Shop) -> None:
    """Let the shop's public key lead to it."""
    merchants.open_door(session, DOOR, key(shop.id), shop.id, shop.id)


def key(shop_id: str) -> str:
    """The shop's public key. It is no secret: it says whose page is asking, and opens nothing."""
    return house().keys.link(DOOR, shop_id)


def path(shop_id: str) -> str:
    """Where the shop's pages call."""
    return f"/storefront/{key(shop_id)}/"


def origins(shop: Shop) -> frozenset[str]:
    """Where the shop's pages may come from: its address, and what its owner added."""
    return frozenset({*shop.origins, *filter(None, [_origin(shop.address)])})


def allow(shop: Shop, given: Iterable[str]) -> None:
    """Pages of these origins may call as well, and of no others but the shop's own. ``NoOrigin`` names what is none."""
    found = []
    for address in dict.fromkeys(given):
        origin = _origin(address)
        if not origin or not _is_bare(address):
            raise NoOrigin(f"{address} is no origin: it looks like https://www.shop.example")
        found.append(origin)
    if len(found) > MOST_ORIGINS:
        raise NoOrigin(f"a shop has at most {MOST_ORIGINS} origins")
    shop.origins = found


def is_in_place(shop: Shop) -> bool:
    """Has a page of the shop called lately, so that it can be trusted to show what it is given?"""
    at = shop.storefront_seen_at
    return at is not None and clock.real_now() - at < LATELY


def seen(session: Session, shop_id: str, at: datetime) -> None:
    """A page of the shop has called: its part is in place."""
    session.execute(update(Shop).where(Shop.id == shop_id).values(storefront_seen_at=at))


def _origin(address: str) -> str:
    """As a browser writes it: the scheme, the host in small letters, and a port that is not the scheme's own."""
    try:
        parts = urlsplit(address.strip())
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("https", "http") or not parts.hostname or "@" in parts.netloc:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, usual) else "")


def _is_bare(address: str) -> bool:
    parts = urlsplit(address.strip())
    return parts.path in ("", "/") and not parts.query and not parts.fragment
