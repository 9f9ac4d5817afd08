"""Moving what stands on older keys to the active ones, a batch a transaction, while others seal and open.

A batch passes over rows that somebody holds, and a row is changed only where it is still what was opened: two may do
it at once, and one who is killed leaves nothing that the next does not find. A batch is written by one statement.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import Session

from plugin_backend.core import ids
from plugin_backend.core.db import transaction
from plugin_backend.core.seal import SealError, records
from plugin_backend.domain.vault import keys, methods, sealed, standing
from plugin_backend.domain.vault.keys import INDEX, SHOP, VaultKey, VaultRoot
from plugin_backend.domain.vault.methods import PaymentMethod

BATCH = 1_000
_PAUSE = 0.05


class Change(NamedTuple):
    """What is written into a row of this id where it still holds ``old``."""

    row_id: str
    old: bytes | str
    new: bytes | str


@dataclass(frozen=True, slots=True)
class Step:
    """Rows of one table that stand on older keys. ``old`` says which those are, None where there is no older key;
    ``mover`` gives what makes the change of one row in ``column``, and what else is written, the same in each row."""

    model: type[Any]
    column: str
    old: Callable[[Session], list[ColumnElement[bool]] | None]
    mover: Callable[[Session], tuple[Callable[[Any], Change], dict[str, str]]]


@dataclass
class Rewrapping:
    """The work for one key of one shop. ``damaged`` are the ids of rows that do not open: they stay as they are."""

    shop_id: str
    steps: list[Step]
    damaged: list[str] = field(default_factory=list)

    def left(self) -> int:
        """How many rows stand on older keys."""
        with transaction(self.shop_id) as session:
            return sum(self._left(session, step) for step in self.steps)

    def run(self) -> Iterator[int]:
        """Move them until none is left; after each batch, how many rows it was."""
        for step in self.steps:
            while True:
                yield from self._pass(step)
                with transaction(self.shop_id) as session:
                    if not self._left(session, step):
                        break
                # Somebody holds what is left: one who seals, or who moves it as we do.
                time.sleep(_PAUSE)

    def _pass(self, step: Step) -> Iterator[int]:
        """From the first row to the last, by id: what was done is not looked at again."""
        after = ""
        while True:
            with transaction(self.shop_id) as session:
                rows = self._batch(session, step, after)
            if not rows:
                return
            after = rows[-1].id
            yield len(rows)

    def _batch(self, session: Session, step: Step, after: str) -> Sequence[Any]:
        """The keys are locked before the rows, as by everybody, and of the rows none is waited for."""
        old = self._old(session, step)
        if old is None:
            return []
        move, also = step.mover(session)
        found = select(step.model).where(*old, step.model.id > after).order_by(step.model.id).limit(BATCH)
        rows = session.scalars(found.with_for_update(skip_locked=True)).all()
        changes = []
        for row in rows:
            try:
                changes.append(move(row))
            except SealError:
                self.damaged.append(row.id)
        _swap(session, self.shop_id, step, changes, also)
        return rows

    def _left(self, session: Session, step: Step) -> int:
        old = self._old(session, step)
        return 0 if old is None else session.scalars(select(func.count()).where(*old)).one()

    def _old(self, session: Session, step: Step) -> list[ColumnElement[bool]] | None:
        old = step.old(session)
        if old is None:
            return None
        return [step.model.shop_id == self.shop_id, *old, step.model.id.not_in(self.damaged)]


def of_root(shop_id: str) -> Rewrapping:
    """A shop's own keys, from older root keys to the active one."""

    def old(session: Session) -> list[ColumnElement[bool]] | None:
        roots = session.scalars(select(VaultRoot.id).where(VaultRoot.state == "decrypt_only")).all()
        return [VaultKey.parent.in_(roots), VaultKey.wrapped.is_not(None)] if roots else None

    def mover(session: Session) -> tuple[Callable[[VaultKey], Change], dict[str, str]]:
        root = keys.active_root(session)
        return lambda row: _wrapped_again(session, row, root), {"parent": root}

    return Rewrapping(shop_id, [Step(VaultKey, "wrapped", old, mover)])


def of_key(shop_id: str, kind: str, owner_id: str = "") -> Rewrapping:
    """What stands on older versions of a key, to the active one."""
    if kind == INDEX:
        return Rewrapping(shop_id, [_marks(shop_id)])
    own = VaultKey(shop_id=shop_id, kind=kind, owner_id=owner_id)
    steps = [_records(own, model) for model in sealed.tables(kind)]
    return Rewrapping(shop_id, [_children(shop_id), *steps] if kind == SHOP else steps)


def _children(shop_id: str) -> Step:
    def old(session: Session) -> list[ColumnElement[bool]] | None:
        parents = _older(session, shop_id, SHOP)
        return [VaultKey.parent.in_(parents), VaultKey.wrapped.is_not(None)] if parents else None

    def mover(session: Session) -> tuple[Callable[[VaultKey], Change], dict[str, str]]:
        parent = keys.active(session, shop_id, SHOP)
        also = {"parent": ids.named(VaultKey.prefix, parent.id)}
        return lambda row: _wrapped_again(session, row, parent), also

    return Step(VaultKey, "wrapped", old, mover)


def _wrapped_again(session: Session, row: VaultKey, parent: keys.Parent) -> Change:
    secret = keys.unwrapped(session, row).secret
    return Change(row.id, row.wrapped or b"", keys.wrap(parent, row.place, secret))


def _records(own: VaultKey, model: type[Any]) -> Step:
    def old(session: Session) -> list[ColumnElement[bool]] | None:
        older = [ids.raw(key_id) for key_id in _older(session, own.shop_id, own.kind, own.owner_id)]
        return (
            [*standing.of_key(model, own), sealed.needs(sealed.column(model)).in_(older)] if older else None
        )

    def mover(session: Session) -> tuple[Callable[[Any], Change], dict[str, str]]:
        key = keys.active(session, own.shop_id, own.kind, own.owner_id)

        def move(row: Any) -> Change:
            record = sealed.record_of(row) or b""
            return Change(row.id, record, records.seal(key, row.place, bytes(_opened(session, row))))

        return move, {}

    return Step(model, model.sealed_column, old, mover)


def _marks(shop_id: str) -> Step:
    """A forgotten token has no mark, and needs none."""

    def old(session: Session) -> list[ColumnElement[bool]] | None:
        older = _older(session, shop_id, INDEX)
        return [PaymentMethod.marked_by.in_(older), PaymentMethod.sealed.is_not(None)] if older else None

    def mover(session: Session) -> tuple[Callable[[PaymentMethod], Change], dict[str, str]]:
        index = keys.active(session, shop_id, INDEX)
        marked_by = ids.named(VaultKey.prefix, index.id)

        def move(row: PaymentMethod) -> Change:
            token = json.loads(_opened(session, row))["t"]
            return Change(row.id, row.token_mark, methods.token_mark(index, row.account_id, token))

        return move, {"marked_by": marked_by}

    return Step(PaymentMethod, "token_mark", old, mover)


def _opened(session: Session, row: Any) -> bytearray:
    record = sealed.record_of(row) or b""
    key = keys.by_id(session, row.shop_id, records.head_of(record).key_id)
    return records.open_with(key, row.place, record)


def _older(session: Session, shop_id: str, kind: str, owner_id: str = "") -> list[str]:
    found = select(VaultKey.id).where(
        VaultKey.shop_id == shop_id,
        VaultKey.kind == kind,
        VaultKey.owner_id == owner_id,
        VaultKey.state == "decrypt_only",
    )
    return list(session.scalars(found))


def _swap(session: Session, shop_id: str, step: Step, changes: list[Change], also: dict[str, str]) -> None:
    """Compare and set, all rows by one statement. Table and columns are our own models'."""
    if not changes:
        return
    kind = "bytea" if isinstance(changes[0].old, bytes) else "text"
    others = "".join(f", {name} = :{name}" for name in also)
    statement = f"""
        UPDATE {step.model.__tablename__} t SET {step.column} = c.new{others}
        FROM unnest(CAST(:ids AS text[]), CAST(:old AS {kind}[]), CAST(:new AS {kind}[])) c (id, old, new)
        WHERE t.shop_id = :shop AND t.id = c.id AND t.{step.column} = c.old"""  # noqa: S608
    columns = {
        "ids": [change.row_id for change in changes],
        "old": [change.old for change in changes],
        "new": [change.new for change in changes],
    }
    session.execute(text(statement), {**columns, **also, "shop": shop_id})
