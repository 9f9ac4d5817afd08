"""Shredding: the end of a token, in every copy of its record. Its key is destroyed, and the record with it."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from plugin_backend.domain import moves
from plugin_backend.domain.vault import audit, keys
from plugin_backend.domain.vault.keys import VaultKey
from plugin_backend.domain.vault.methods import PaymentMethod, place_of


def sealed_of(session: Session, shop_id: str, customer_id: str) -> list[PaymentMethod]:
    """The customer's methods whose tokens are kept, as they are now."""
    found = select(PaymentMethod).where(
        PaymentMethod.shop_id == shop_id,
        PaymentMethod.customer_id == customer_id,
        PaymentMethod.sealed.is_not(None),
    )
    return list(session.scalars(found.order_by(PaymentMethod.id).execution_options(populate_existing=True)))


def shred(session: Session, shop_id: str, customer_id: str, methods: Sequence[str]) -> list[str]:
    """Forget the tokens of these methods of the customer, and destroy his keys unless another token of his stands on
    them. Ids of the keys that were destroyed; whoever has them in a ring drops them.

    His keys are locked first: who seals under one holds it, so that what he seals is seen here, or sealed under another.
    """
    owned = _held(session, shop_id, VaultKey.kind == keys.CUSTOMER, VaultKey.owner_id == customer_id)
    kept = sealed_of(session, shop_id, customer_id)
    for row in kept:
        if row.id in methods:
            audit.note(session, "shred", place_of(row), keys.named_by(row.sealed) or "")
            row.sealed, row.token_mark = None, row.id
            row.rest(None)
    session.flush()
    if any(row.sealed is not None for row in kept):
        return []
    _destroy(session, owned)
    return [key.id for key in owned]


def destroy(session: Session, shop_id: str, ids: Sequence[str]) -> None:
    """Destroy these keys, whatever stands on them."""
    _destroy(session, _held(session, shop_id, VaultKey.id.in_(ids)))


def _held(session: Session, shop_id: str, *which: ColumnElement[bool]) -> list[VaultKey]:
    """The keys that are not destroyed yet, locked."""
    found = select(VaultKey).where(VaultKey.shop_id == shop_id, VaultKey.state != "destroyed", *which)
    return list(session.scalars(found.order_by(VaultKey.id).with_for_update()))


def _destroy(session: Session, held: Sequence[VaultKey]) -> None:
    for key in held:
        audit.note(session, "shred", key.place, key.id)
        moves.move(session, key, "destroyed", "forgotten")
        key.wrapped = None
