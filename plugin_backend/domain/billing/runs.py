"""The next run: who is about to be charged, how much, when and why, and holding all or one account of it back."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from plugin_backend.domain import customers
from plugin_backend.domain.billing import guards
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money


@dataclass(frozen=True, slots=True)
class Coming:
    """A collection that falls due. ``why`` is its state and that state's reason, ``held`` what would keep it from being
    charged if it were tried now, "" where nothing would."""

    collection_id: str
    plan_id: str
    number: int
    email: str
    amount: Money
    at: datetime
    state: str
    reason: str
    held: str


def coming(session: Session, shop: Shop, until: datetime, *, limit: int = 1000) -> list[Coming]:
    """What falls due until then, the soonest first. Nothing is changed, and nobody is asked."""
    due = (
        select(Collection)
        .where(
            Collection.shop_id == shop.id,
            Collection.due_at <= until,
            Collection.state.in_(guards.CHARGEABLE),
        )
        .order_by(Collection.due_at, Collection.id)
        .limit(limit)
    )
    rows = list(session.scalars(due))
    of_rows = select(Plan).where(Plan.shop_id == shop.id, Plan.id.in_({row.plan_id for row in rows}))
    found = {plan.id: plan for plan in session.scalars(of_rows)}
    known = guards.facts(session, shop, list(found.values()), rows)
    return [_coming(session, found[row.plan_id], row, known) for row in rows]


def _coming(session: Session, plan: Plan, row: Collection, known: guards.Facts) -> Coming:
    hold = known.hold(plan, row, "merchant")
    return Coming(
        collection_id=row.id,
        plan_id=plan.id,
        number=row.number,
        email=customers.get(session, plan.shop_id, plan.customer_id).email,
        amount=row.money,
        at=row.due_at or known.now,
        state=row.state,
        reason=row.reason,
        held=hold.why if hold else "",
    )


def hold(session: Session, shop: Shop, until: datetime) -> None:
    """Until then nobody is charged without being there. What is under way comes to its end."""
    shop.charges_held_until = until


def let_go(session: Session, shop: Shop) -> None:
    """Let the run go on: what was held back is due at once."""
    shop.charges_held_until = None
    _wake(session, shop.id, "run_held")


def pause(session: Session, account: GatewayAccount) -> None:
    """Until it is resumed, the account charges nobody without being there."""
    account.paused = True


def resume(session: Session, account: GatewayAccount) -> None:
    """Let the account charge again: what was held back is due at once."""
    account.paused = False
    _wake(session, account.shop_id, "account_paused", account.id)


def _wake(session: Session, shop_id: str, why: guards.Why, account_id: str = "") -> None:
    held = [Collection.shop_id == shop_id, Collection.held == why, Collection.due_at.is_not(None)]
    if account_id:
        of_account = select(Plan.id).where(Plan.shop_id == shop_id, Plan.account_id == account_id)
        held.append(Collection.plan_id.in_(of_account))
    session.execute(update(Collection).where(*held).values(due_at=clock.now(), held=""))
