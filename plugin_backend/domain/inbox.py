"""Deliveries: webhooks as they came in, kept once before they were answered, read by a worker, replayable.

A shop's are kept as they are. What a gateway says may hold a token: it is dropped at the shop's intake, headers and all,
and forgotten when it was read, since it is evidence that made us look and nothing else.
"""

import hashlib
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from sqlalchemy import LargeBinary, UniqueConstraint, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import Base
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.ids import new_id
from plugin_backend.core.log import find_cards, mask_cards
from plugin_backend.core.seal import Place
from plugin_backend.domain import moves, vault
from plugin_backend.sdk.http import Delivery

LONGEST_IDENTITY = 500
KEEP_BODIES = timedelta(days=30)
# Headers that prove nothing any more once the signature was judged, or that name the sender's machine.
_DROPPED = frozenset({"authorization", "cookie", "x-forwarded-for", "x-real-ip"})
# For telling at a glance that a body holds no card number: every digit becomes "0", every other byte a letter, once
# blanks, dashes and whatever is not ASCII are gone. A regular expression takes thirty times as long, on every body there
# is.
_GLANCE = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x78 for byte in range(256))
_GAPS = b" -" + bytes(range(0x80, 0x100))
_SHORTEST = b"0" * 13
# A digit, a blank or a dash as JSON may write it, too; and how digits of other scripts begin.
_DISGUISES = (
    *(
        rb"\u003",
        rb"\u0020",
        rb"\u002d",
        rb"\u002D",
        rb"\u00a0",
        rb"\u00A0",
        rb"\u202f",
        rb"\u202F",
        rb"\u2009",
    ),
    *(rb"\u2010", rb"\u2011", rb"\u2012", rb"\u2013", rb"\uff1", rb"\uFF1", rb"\u066", rb"\u06f", rb"\u06F"),
)
_SCRIPTS = (b"\xef\xbc", b"\xd9", b"\xdb", b"\xe0", b"\xf0\x9d\x9f")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{}]|-?[0-9][0-9.eE+-]*', re.DOTALL)
_COLON = re.compile(rb"\s*:")
_EXEMPT = re.compile(rb"(^|_)(id|ids|token|tokens|key|gid|hash)$", re.IGNORECASE)


class DeliveryRow(vault.Dropped, moves.Stateful, Due, Row, Base):
    """A webhook that came in. ``source`` is the connection or gateway account it came for; ``identity`` what makes
    two deliveries the same. ``topic`` is what it says it is about, once it was read. ``body`` is None once its time is
    over. ``dropped`` is what a gateway said, for which ``headers``, ``query`` and ``body`` stay empty. ``sha256`` is that
    of what was kept: of a body in which a card number was masked, its own would tell the number to who tries them all."""

    __tablename__ = "deliveries"
    prefix = "dlv"
    noun = "delivery"
    dropped_columns = ("dropped",)
    bell = "read"

    source: Mapped[str]
    identity: Mapped[str]
    topic: Mapped[str] = mapped_column(default="")
    headers: Mapped[dict[str, Any]]
    query: Mapped[str] = mapped_column(default="")
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    dropped: Mapped[bytes | None] = mapped_column(LargeBinary)
    sha256: Mapped[str]
    received_at: Mapped[datetime]
    effect: Mapped[list[Any]] = mapped_column(default=list)

    __table_args__ = (due_index("deliveries"), UniqueConstraint("shop_id", "source", "identity"))


# The one statement between a webhook's first byte and its answer: it names the shop for row-level security and keeps
# the delivery, once. An ORM flush or a second round trip here would halve what a shop can send us.
KEEP = b"""
    INSERT INTO deliveries (shop_id, id, created_at, state, reason, due_at, taken, source, identity, topic, headers,
                            query, body, dropped, sha256, received_at, effect)
    SELECT $1::text, $2::text, $3::timestamptz, 'received', '', $3::timestamptz, false, $4::text, $5::text, '',
           $6::jsonb, $7::text, $8::bytea, $9::bytea, $10::text, $3::timestamptz, '[]'::jsonb
    WHERE set_config('app.shop', $1::text, true) IS NOT NULL
    ON CONFLICT (shop_id, source, identity) DO NOTHING
"""
# All are sent as text but for the two that go as the bytes they are.
KEEP_FORMATS = [0, 0, 0, 0, 0, 0, 0, 1, 1, 0]


class Kept(NamedTuple):
    """A delivery as it is kept, in the order of ``KEEP``."""

    headers: str
    query: str
    body: bytes | None
    dropped: bytes | None
    sha256: str


def keep(session: Session, shop_id: str, source: str, identity: str, delivery: Delivery) -> str:
    """Keep a shop's delivery, once, by whatever way it came; the id of its row, which is due."""
    kept = kept_form(to_keep(delivery))
    identity = identity.replace("\0", "")[:LONGEST_IDENTITY]
    row = {
        "shop_id": shop_id,
        "id": new_id(DeliveryRow.prefix),
        "created_at": delivery.received_at,
        "state": "received",
        "due_at": delivery.received_at,
        "source": source,
        "identity": identity,
        "headers": json.loads(kept.headers),
        "query": kept.query,
        "body": kept.body,
        "sha256": kept.sha256,
        "received_at": delivery.received_at,
    }
    new = insert(DeliveryRow).values(row).on_conflict_do_nothing().returning(DeliveryRow.id)
    if (row_id := session.scalar(new)) is not None:
        return row_id
    known = select(DeliveryRow.id).where(
        DeliveryRow.shop_id == shop_id, DeliveryRow.source == source, DeliveryRow.identity == identity
    )
    return session.scalars(known).one()


def to_keep(delivery: Delivery) -> Delivery:
    """The delivery without what is never kept: card numbers, and headers that prove nothing any more."""
    headers = {
        mask_cards(name): mask_cards(value.replace("\0", ""))
        for name, value in delivery.headers.items()
        if name not in _DROPPED
    }
    body, query = _without_cards(delivery.body), _masked_text(delivery.query)
    return replace(delivery, headers=headers, body=body, query=query)


def kept_form(delivery: Delivery) -> Kept:
    """A shop's delivery."""
    digest = hashlib.sha256(delivery.body).hexdigest()
    return Kept(json.dumps(delivery.headers), delivery.query, delivery.body, None, digest)


def dropped_form(delivery: Delivery, slot: vault.Slot, place: Place) -> Kept:
    """A gateway's delivery, which the process that keeps it cannot read again."""
    head = json.dumps([dict(delivery.headers), delivery.query]).encode()
    dropped = slot.drop(place, head + b"\n" + delivery.body)
    return Kept("{}", "", None, dropped, hashlib.sha256(dropped).hexdigest())


def place_of(shop_id: str, source: str, row_id: str) -> Place:
    """Where what a gateway account said belongs."""
    return Place(shop_id, "", row_id, "delivery", source)


def as_delivery(session: Session, row: DeliveryRow) -> Delivery:
    """The delivery as it came in, for reading it (again). ``SealError`` for a gateway's in a process that must not open
    tokens."""
    headers, query, body = row.headers, row.query, row.body or b""
    if row.dropped is not None:
        place = place_of(row.shop_id, row.source, row.id)
        said = vault.take(session, place, row.dropped, vault.to_read(row))
        head, _, body = said.partition(b"\n")
        headers, query = json.loads(head)
    return Delivery(headers=headers, body=body, received_at=row.received_at, query=query)


def replay(session: Session, row: DeliveryRow, now: datetime) -> None:
    """Have a delivery read again. ``ValueError`` where its body was purged."""
    if row.body is None and row.dropped is None:
        raise ValueError("its body was purged")
    if row.state != "received":
        moves.move(session, row, "received", "replayed")
    row.rest(now)


def forget(session: Session, shop_id: str, words: tuple[str, ...]) -> None:
    """Forget the bytes of every delivery that was read and in which one of the words stands, such as an address, however
    it is capitalised: what it did stays, what it said is gone. In what a gateway said nothing can be looked for: all that
    could not be read, and so is still there, goes."""
    session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.shop_id == shop_id, DeliveryRow.dropped.is_not(None), DeliveryRow.due_at.is_(None))
        .values(dropped=None)
    )
    said = func.lower(func.encode(DeliveryRow.body, "escape"))
    for word in words:
        session.execute(
            update(DeliveryRow)
            .where(
                DeliveryRow.shop_id == shop_id,
                DeliveryRow.body.is_not(None),
                DeliveryRow.due_at.is_(None),
                func.strpos(said, func.lower(func.encode(word.encode(), "escape"))) > 0,
            )
            .values(body=None, headers=text("'{}'::jsonb"), query="")
            .execution_options(synchronize_session=False)
        )


def purge_bodies(session: Session, shop_id: str, now: datetime) -> None:
    """Forget the bytes of deliveries that are older than 30 days; what they did stays."""
    session.execute(
        update(DeliveryRow)
        .where(
            DeliveryRow.shop_id == shop_id,
            DeliveryRow.received_at < now - KEEP_BODIES,
            or_(DeliveryRow.body.is_not(None), DeliveryRow.dropped.is_not(None)),
            DeliveryRow.due_at.is_(None),
        )
        .values(body=None, dropped=None, headers=text("'{}'::jsonb"), query="")
    )


def _without_cards(body: bytes) -> bytes:
    """The body with the digits of card numbers masked; what JSON calls an id or a token is left alone. In a body that is
    no JSON they are masked wherever they stand.

    A body without a run of digits that could be one, which is nearly every body, is given back as it came.
    """
    if not body.lstrip().startswith((b"{", b"[", b'"')):
        return _masked_bytes(body)
    if _SHORTEST not in body.translate(_GLANCE, _GAPS) and not _disguised(body):
        return body
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return _masked_bytes(body)
    return _masked_json(body)


def _disguised(body: bytes) -> bool:
    return (b"\\u" in body and any(sign in body for sign in _DISGUISES)) or (
        not body.isascii() and any(sign in body for sign in _SCRIPTS)
    )


def _masked_bytes(body: bytes) -> bytes:
    try:
        return _masked_text(body.decode()).encode()
    except UnicodeDecodeError:
        return _masked_text(body.decode("latin-1")).encode("latin-1", "replace")


def _masked_text(text: str) -> str:
    """What a form or a query says, masked; where a number is written as they write it, so is all of it read first."""
    masked = mask_cards(text)
    plain = unquote_plus(masked)
    return mask_cards(plain) if find_cards(plain) else masked


def _masked_json(body: bytes) -> bytes:
    masked, at = [], 0
    # The name under which a value stands, for each object or list that we are inside of; a list lends its own to what
    # it holds.
    names = [b""]
    for token in _TOKEN.finditer(body):
        match token.group():
            case b"{":
                names.append(b"")
            case b"[":
                names.append(names[-1])
            case b"}" | b"]":
                names.pop()
            case literal:
                is_name = _COLON.match(body, token.end())
                names[-1] = literal[1:-1] if is_name else names[-1]
                if not is_name and _EXEMPT.search(names[-1]):
                    continue
                masked += [body[at : token.start()], _masked_literal(literal)]
                at = token.end()
    return b"".join([*masked, body[at:]])


def _masked_literal(literal: bytes) -> bytes:
    """A JSON string or number, written as a string anew where the text it stands for holds a card number."""
    value = json.loads(literal) if literal.startswith(b'"') else literal.decode()
    return json.dumps(mask_cards(value)).encode() if find_cards(value) else literal
