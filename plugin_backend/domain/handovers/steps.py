"""What the owner does, and what his shop sends: each a step of one row. Nobody outside is asked from here."""

import base64
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from plugin_backend.core import registry
from plugin_backend.core.house import house
from plugin_backend.domain import merchants, moves, onboarding
from plugin_backend.domain.handovers.rows import Handover, drop
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk import clock, egress
from plugin_backend.sdk.connector import Install, settings_of
from plugin_backend.sdk.errors import NotSent, RepriseError
from plugin_backend.sdk.http import Delivery

DOOR = "handover"
# How long an approval is waited for: the owner signs in to his shop, and reads.
PATIENCE = timedelta(hours=1)


class MistypedAddress(RepriseError):
    """It is no address at which a shop can be asked. ``why`` is a code of ours."""

    permanent = True

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def address_of(typed: str, *, test: bool) -> str:
    """The shop's address as it will be asked; ``https`` where nothing is said, and always for a live shop.
    ``MistypedAddress`` for one that carries credentials, or that a shop of this kind may not have."""
    text = typed.strip()
    scheme, said, rest = text.partition("://")
    text = f"{scheme if test and said else 'https'}://{rest if said else text}"
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise MistypedAddress("address_malformed") from None
    if said and scheme.lower() not in ("http", "https"):
        raise MistypedAddress("address_malformed")
    if "@" in parts.netloc:
        raise MistypedAddress("address_with_credentials")
    if not host or any(char.isspace() or char in "\\\0" for char in text):
        raise MistypedAddress("address_malformed")
    try:
        egress.check(parts.scheme, host, port, allow_private=test)
    except NotSent:
        raise MistypedAddress("address_not_public") from None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def begin(
    session: Session, shop_id: str, address: str, *, mode: Literal["test", "live"], locale: str
) -> Handover:
    """A new shop, of which its address is known, and its hand-over. The transaction must be one for ``shop_id``."""
    shop = onboarding.begin_shop(session, shop_id, address=address, mode=mode, locale=locale)
    row = Handover(shop_id=shop.id)
    moves.begin(session, row, "recognising")
    row.rest(clock.now())
    _open_door(session, shop)
    return row


def again(session: Session, shop: Shop) -> Handover:
    """A connected shop is to get other keys."""
    row = Handover(shop_id=shop.id, platform=shop.platform, home=shop.address)
    moves.begin(session, row, "recognised", "other_keys")
    _open_door(session, shop)
    return row


def _open_door(session: Session, shop: Shop) -> None:
    merchants.open_door(session, DOOR, door_path(shop.id).rpartition("/")[2], shop.id, shop.id)


def door_path(shop_id: str) -> str:
    """The unguessable path to which a shop's keys come. It stays, since the owner may have to enter it in his shop."""
    return f"/handover/{house().keys.link(DOOR, shop_id)}"


def retype(session: Session, shop: Shop, row: Handover, address: str) -> None:
    """Another address was typed for a shop that is not connected yet."""
    if row.state not in ("recognised", "waiting") or shop.state != "connecting":
        return
    shop.address, shop.name = address, address.split("://")[-1].strip("/")
    row.platform = row.home = row.leads_to = ""
    _empty(row)
    moves.move(session, row, "recognising")
    row.rest(clock.now())


def choose(session: Session, shop: Shop, row: Handover, platform: str) -> None:
    """The owner knows better which platform it is, or it is one that cannot be recognised."""
    if row.state == "recognised" and shop.state == "connecting" and platform in registry.connectors():
        row.platform, row.home, row.reason = platform, row.home or shop.address, ""


def approve(session: Session, shop: Shop, row: Handover, typed: Mapping[str, str], *, begun_by: str) -> None:
    """The owner goes to his shop to hand the keys over; ``typed`` is what that needs. An approval that was begun before
    counts no more."""
    secret = _secret_names(row.platform)
    row.typed = {name: value for name, value in typed.items() if name not in secret}
    row.home = row.typed.get("url", row.home)
    row.kept = drop(session, row, "kept", {name: typed[name] for name in typed if name in secret})
    row.number += 1
    row.begun_by = begun_by
    if row.state != "waiting":
        moves.move(session, row, "waiting")
    row.rest(clock.now() + PATIENCE)


def approval_url(shop: Shop, row: Handover) -> str:
    """Where the owner approves. ``Refused`` where the platform has no such place for this address."""
    settings = {**row.typed, "url": row.home}
    connector = registry.connectors()[row.platform](settings, house().http(private=shop.test))
    return connector.install_url(install_of(shop, row))


def install_of(shop: Shop, row: Handover) -> Install:
    """What this approval is known by."""
    return Install(
        address=row.home or shop.address,
        nonce=house().keys.link("nonce", shop.id, row.id, str(row.number)),
        callback_url=house().url(door_path(shop.id)),
        return_url=house().url(f"/shops/{shop.id}/connection"),
    )


def paste(session: Session, shop: Shop, row: Handover, typed: Mapping[str, str]) -> None:
    """Keys were typed; a worker tries them."""
    _bring(session, row, {"settings": {"url": row.home or shop.address, **typed}})


def bring(session: Session, row: Handover, delivery: Delivery) -> bool:
    """Keys came from the shop, or by the owner's browser. Who approves twice brings a second pair, which is good in the
    shop too: it is answered like the first, and not kept. False where none are waited for."""
    if row.state in ("brought", "connected") and row.number:
        row.spare += 1
        return True
    if row.state != "waiting":
        return False
    body = base64.b64encode(delivery.body).decode()
    at = delivery.received_at.isoformat()
    _bring(session, row, {"delivery": {"query": delivery.query, "body": body, "at": at}})
    return True


def _bring(session: Session, row: Handover, what: Mapping[str, object]) -> None:
    row.brought = drop(session, row, "brought", what)
    moves.move(session, row, "brought")
    row.rest(clock.now())


def made_secret(kind: str) -> str:
    """A new secret of ``letters`` and digits, which WordPress changes nothing of, or a ``standard`` one."""
    if kind == "standard":
        return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    return secrets.token_hex(24)


def _secret_names(platform: str) -> set[str]:
    return {name for name, secret in settings_of(registry.connectors()[platform].settings) if secret}


def _empty(row: Handover) -> None:
    """Nothing that was typed or came is kept longer than it is needed."""
    row.kept = row.brought = None
    row.typed = {}
