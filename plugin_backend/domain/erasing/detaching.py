"""The middle of an erasure: the gateways are asked to forget the tokens too, since what we destroy does not reach them.

A token that a gateway no longer knows is as good as detached, so that asking twice does no harm. Silence and errors are in
doubt and asked again; after a day the tokens are destroyed here all the same, and a person sees to the gateway.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from plugin_backend.core import delays
from plugin_backend.core.db import assert_no_transaction
from plugin_backend.core.house import house
from plugin_backend.core.ids import raw
from plugin_backend.core.seal import SealError
from plugin_backend.domain import cases, merchants, moves, vault
from plugin_backend.domain.erasing import clearing
from plugin_backend.domain.erasing.rows import Erasure
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.vault import PaymentMethod, Use
from plugin_backend.sdk import clock
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.errors import Refused, RepriseError

# How long the gateways are waited for.
PATIENCE = timedelta(hours=24)
# What a gateway answers where there is nothing to detach any more.
_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class Detachment:
    """One token, and the gateway that is to forget it."""

    method_id: str
    token: str = field(repr=False)
    gateway: sdk.Gateway


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be asked for an erasure. ``failed`` has the methods that could not even be opened, with the reason."""

    erasure_id: str
    detachments: tuple[Detachment, ...]
    failed: dict[str, str]


def prepare(session: Session, shop: Shop, erasure_id: str) -> Asked | None:
    """Write down that the gateways are asked once more; None where all is done."""
    row = _locked(session, shop, erasure_id)
    if row.state == "shredded":
        row.rest(None)
        return None
    row.tries += 1
    detachments, failed = [], dict[str, str]()
    for method in vault.sealed_of(session, shop.id, row.customer_id):
        # What the shop took itself stays the shop's: only we forget it.
        if row.method_id in ("", method.id) and not method.shared:
            try:
                detachments.append(_detachment(session, shop, row, method))
            except SealError as error:
                failed[method.id] = str(error)
    return Asked(row.id, tuple(detachments), failed)


def _detachment(session: Session, shop: Shop, row: Erasure, method: PaymentMethod) -> Detachment:
    account = session.get_one(GatewayAccount, (shop.id, method.account_id))
    opened = vault.open_method(session, method, vault.to_detach(row))
    return Detachment(
        method.id, opened.token, merchants.gateway_of(session, shop, account, Use("gateway_call", row.id))
    )


def ask(asked: Asked) -> dict[str, str]:
    """Ask the gateways, with no transaction open. The methods that may still be usable there, each with the reason."""
    assert_no_transaction()
    failed = dict(asked.failed)
    for one in asked.detachments:
        try:
            detach(one.gateway, one.token)
        except RepriseError as error:
            failed[one.method_id] = f"{type(error).__name__}: {error}"[:300]
    return failed


def detach(gateway: sdk.Gateway, token: str) -> None:
    """Have the gateway let go of a token, as far as it can. Where it knows none, there is nothing to be done."""
    try:
        gateway.detach(token)
    except Refused as error:
        if error.status not in _GONE:
            raise


def record(session: Session, shop: Shop, erasure_id: str, failed: dict[str, str]) -> None:
    """Enter what the gateways answered: forget, where each has forgotten or a day has gone by; else ask again later."""
    row = _locked(session, shop, erasure_id)
    if row.state == "shredded":
        return
    patience_ends = row.created_at + PATIENCE
    if failed and clock.now() < patience_ends:
        _ask_again(session, row, min(clock.now() + _pause(row.tries), patience_ends))
        return
    destroyed = clearing.shred(session, row, "no answer for a day" if failed else "detached")
    for key_id in destroyed:
        house().ring.drop(raw(key_id))
    if failed:
        cases.open_case(session, shop.id, "not_detached", row.id, methods=failed)


def _ask_again(session: Session, row: Erasure, at: datetime) -> None:
    if row.state != "in_doubt":
        moves.move(session, row, "in_doubt", "gateway_unreachable")
    row.rest(at)


def _pause(tries: int) -> timedelta:
    ladder = delays.DELAYS.ask_again
    return ladder[min(tries, len(ladder)) - 1]


def _locked(session: Session, shop: Shop, erasure_id: str) -> Erasure:
    return session.get_one(Erasure, (shop.id, erasure_id), with_for_update=True, populate_existing=True)
