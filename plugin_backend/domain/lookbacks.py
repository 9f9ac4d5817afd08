"""What a connected shop lost before it was connected: asked for once, by a worker, a page at a time."""

from copy import deepcopy
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import LargeBinary, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core import delays
from plugin_backend.core.db import Base
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.ids import new_id
from plugin_backend.core.storefronts import Look
from plugin_backend.domain import hindsight, merchants, offers, vault
from plugin_backend.domain.hindsight import Basket, Kind, Memory, Report, Rules
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as sdk
from plugin_backend.sdk.errors import RepriseError
from plugin_backend.sdk.money import Money

# So often is a page asked for again, where the shop did not answer, before the whole is given up.
_TRIES = 5
LAST = hindsight.KINDS[-1]


class Lookback(Due, Row, Base):
    """One look at a shop's last days, which begin at ``since`` (the shop's own clock). ``kind`` and ``cursor`` are where it
    goes on, ``seen`` what is remembered until its end, ``done`` how many orders were read of ``total`` (None: the platform
    does not say). ``found`` is what it came to, None before; ``problem`` why it came to nothing."""

    __tablename__ = "lookbacks"
    prefix = "lbk"
    bell = "watch"

    since: Mapped[datetime]
    kind: Mapped[str]
    cursor: Mapped[str] = mapped_column(default="")
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    seen: Mapped[dict[str, Any]]
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    tries: Mapped[int] = mapped_column(default=0)
    found: Mapped[dict[str, Any] | None]
    problem: Mapped[str] = mapped_column(default="")

    __table_args__ = (due_index("lookbacks"), UniqueConstraint("shop_id", name="uq_lookbacks_shop"))


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be asked next."""

    connector: sdk.Connector
    address: str
    since: datetime
    kind: Kind
    cursor: str


def of_shop(session: Session, shop_id: str, *, lock: bool = False) -> Lookback | None:
    found = select(Lookback).where(Lookback.shop_id == shop_id)
    return session.scalar(found.with_for_update() if lock else found)


def begin(session: Session, shop_id: str, secret: bytes) -> None:
    """Look at the last 90 days, soon; while a look is under way, that one goes on."""
    row = of_shop(session, shop_id, lock=True)
    if row is not None and row.due_at is not None:
        return
    row = row or Lookback(shop_id=shop_id, id=new_id(Lookback.prefix))
    row.since = clock.real_now() - timedelta(days=hindsight.DAYS)
    row.kind, row.cursor, row.secret, row.seen = hindsight.KINDS[0], "", secret, Memory(secret).state
    row.done, row.total, row.tries, row.found, row.problem = 0, None, 0, None, ""
    row.rest(clock.now())
    session.add(row)


def prepare(session: Session, shop: Shop) -> Asked | None:
    """What is to be asked; None, and the look is over, where the shop can be asked nothing."""
    row = _locked(session, shop.id)
    connection = merchants.connection_of(session, shop.id)
    connector = merchants.connector_of(session, shop, connection, vault.Use("shop_call", row.id))
    if not (connector.can_write and connector.capabilities.polling):
        _end(row, problem="cannot_be_asked")
        return None
    kind: Kind = "orders" if row.kind == "orders" else "carts"
    return Asked(connector, shop.address, row.since, kind, row.cursor)


def turn(session: Session, shop: Shop, kind: Kind, page: sdk.Page, look: Look) -> bool:
    """Remember what a page told; False where it was the last, and the look has come to its end."""
    row = _locked(session, shop.id)
    # A deep copy: what is changed in place is not seen to have changed, and would not be kept.
    memory = Memory(row.secret, deepcopy(row.seen))
    memory.see(page.events)
    row.seen = memory.state
    row.done, row.tries = row.done + page.listed, 0
    if page.total is not None and not row.cursor:
        row.total = (row.total or 0) + page.total
    row.kind, row.cursor = following(kind, page.cursor)
    row.due_at = clock.now() + delays.DELAYS.lease
    if page.cursor or kind != LAST:
        return True
    _end(row, found=_as_json(hindsight.report(memory.baskets(), rules(session, shop)), look))
    return False


def go_on(session: Session, shop_id: str) -> None:
    """The look is not at its end, and others want their turn."""
    _locked(session, shop_id).rest(clock.now())


def fail(session: Session, shop_id: str, error: RepriseError) -> None:
    row = _locked(session, shop_id)
    row.tries += 1
    if error.permanent or row.tries >= _TRIES:
        _end(row, problem="cannot_be_asked" if error.permanent else "shop_unreachable")
    else:
        row.rest(clock.now() + delays.DELAYS.poll_again * row.tries)


def rules(session: Session, shop: Shop) -> Rules:
    """As the shop would offer today."""
    template = offers.active_template(session, shop.id)
    instalments = template is not None and template.kind == offers.INSTALMENTS
    days = tuple(template.days) if template is not None and instalments else offers.DEFAULT_DAYS
    return Rules(days, shop.company, shop.country, shop.currency, shop.smallest_offer)


def last_basket(found: dict[str, Any]) -> Basket:
    """The last basket of what was found, where there is one."""
    told = found["last"]
    lines = [hindsight.line_of(line) for line in told["lines"]]
    return Basket(
        **{
            **told,
            "total": money(told["total"]),
            "at": datetime.fromisoformat(told["at"]),
            "lines": tuple(lines),
        }
    )


def money(told: dict[str, Any]) -> Money:
    return Money(told["amount"], told["currency"])


def following(kind: Kind, cursor: str) -> tuple[Kind, str]:
    """Where it goes on after a page; after the last one, nowhere else."""
    further = hindsight.KINDS[hindsight.KINDS.index(kind) + 1 :]
    return (further[0], "") if further and not cursor else (kind, cursor)


def _end(row: Lookback, *, found: dict[str, Any] | None = None, problem: str = "") -> None:
    """What was remembered of people is forgotten."""
    row.found, row.problem = found, problem
    row.seen, row.secret = {}, b""
    row.rest(None)


def _as_json(report: Report, look: Look) -> dict[str, Any]:
    last = report.last
    return {
        "unpaid": report.unpaid,
        "declined": report.declined,
        "amounts": [amount.as_json() for amount in report.amounts],
        "offerable": report.offerable,
        "by_mail": report.by_mail,
        "offerable_amounts": [amount.as_json() for amount in report.offerable_amounts],
        "last": None if last is None else _basket(last),
        "look": asdict(look),
    }


def _basket(basket: Basket) -> dict[str, Any]:
    lines = [[line.title, line.quantity, line.total and line.total.as_json()] for line in basket.lines]
    return {
        **{name: getattr(basket, name) for name in ("key", "country", "known", "declined", "granted")},
        "since": basket.since,
        "before": basket.before,
        "total": basket.total.as_json(),
        "at": basket.at.isoformat(),
        "lines": lines,
    }


def _locked(session: Session, shop_id: str) -> Lookback:
    found = select(Lookback).where(Lookback.shop_id == shop_id)
    return session.scalars(found.with_for_update().execution_options(populate_existing=True)).one()
