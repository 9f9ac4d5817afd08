"""Lists: the search syntax of the API as far as a connector uses it, and pages by cursor."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from plugin_backend.demo.shop.shopify import views
from plugin_backend.demo.shop.shopify.state import Checkout, DraftOrder, Order

_TERM = re.compile(r"""(-?\w+):(<=|>=|<|>)?(?:'([^']*)'|"([^"]*)"|([^\s()]+))""")
Found = TypeVar("Found", Order, Checkout)


def _terms(query: str) -> list[tuple[str, str, str]]:
    """``field:value`` terms as (field, comparison, value); all must hold. Fields that are not known are passed over,
    as the platform does."""
    return [(found[0], found[1], found[2] or found[3] or found[4]) for found in _TERM.findall(query)]


def orders(query: str) -> Callable[[Order], bool]:
    def matches(one: Order) -> bool:
        exact = {
            "source_identifier": [one.source_identifier],
            "source_name": [one.source_name],
            "id": [str(one.id)],
            "name": [f"#{one.number}", str(one.number)],
            "email": [one.email],
            "tag": one.tags,
            "financial_status": [one.financial_status],
            "checkout_token": [one.checkout_token],
            "cart_token": [one.cart_token],
        }
        return _holds(query, exact, one.created, one.updated)

    return matches


def checkouts(query: str) -> Callable[[Checkout], bool]:
    """Those whose shopper typed an e-mail, the recovered ones among them."""

    def matches(one: Checkout) -> bool:
        recovered = "recovered" if one.completed else "not_recovered"
        exact = {"id": [str(one.id)], "recovery_state": [recovered], "status": ["open"]}
        return bool(one.email) and _holds(query, exact, one.created, one.updated)

    return matches


def drafts(query: str) -> Callable[[DraftOrder], bool]:
    def matches(one: DraftOrder) -> bool:
        return _holds(query, {"id": [str(one.id)], "tag": one.tags}, one.created, one.created)

    return matches


def _holds(query: str, exact: dict[str, list[str]], created: int, updated: int) -> bool:
    times = {"created_at": created, "updated_at": updated, "processed_at": created}
    for name, comparison, value in _terms(query):
        if name in times and not _compare(times[name], comparison, value):
            return False
        if name in exact and value not in exact[name]:
            return False
    return True


def _compare(moment: int, comparison: str, text: str) -> bool:
    read = datetime.fromisoformat(text.replace("Z", "+00:00"))
    at = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    return {
        ">": moment > at,
        ">=": moment >= at,
        "<": moment < at,
        "<=": moment <= at,
    }.get(comparison, moment == at)


def page(found: Sequence[Any], view: Callable[[Any], Any], asked: dict[str, Any]) -> dict[str, Any]:
    """``first`` (at most 250) of the list after the node that ``after`` names."""
    rows = list(reversed(found)) if asked.get("reverse") else list(found)
    after = asked.get("after")
    if after:
        numbers = [str(row.id) for row in rows]
        rows = rows[numbers.index(after) + 1 :] if after in numbers else []
    size = min(asked.get("first") or 50, 250)
    return views.connection([view(row) for row in rows[:size]], more=len(rows) > size)
