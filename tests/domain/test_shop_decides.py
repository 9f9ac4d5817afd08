"""What the shop does by itself to the order of a running plan: nothing more is collected, and a person decides."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from plugin_backend.domain import plans
from plugin_backend.domain.cases import Case
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.plans import Collection, Plan
from plugin_backend.sdk import clock
from plugin_backend.sdk.money import Money
from tests import plan_story
from tests.house import TestHouse

ORDER = {"id": 1042, "currency": "EUR", "total": "100.00", "date_modified_gmt": "2026-11-22T12:00:00"}


@pytest.fixture
def shop(house: TestHouse) -> Shop:
    return plan_story.add_paying_shop(house)


@pytest.fixture
def plan_id(house: TestHouse, shop: Shop) -> str:
    """A plan of three payments, of which the first was paid."""
    with house.of(shop) as session:
        plan = plan_story.accepted_plan(session, shop, Money(10000, "EUR"))
        plan_story.charged(session, shop, plan.id, 1)
        return plan.id


def standing(house: TestHouse, shop: Shop, plan_id: str) -> tuple[str, list[str]]:
    with house.of(shop) as session:
        rows = plans.collections_of(session, shop.id, plan_id)
        return session.get_one(Plan, (shop.id, plan_id)).state, [row.state for row in rows]


def cases(house: TestHouse, shop: Shop) -> list[tuple[str, str]]:
    with house.of(shop) as session:
        found = session.scalars(select(Case).where(Case.state == "open").order_by(Case.kind))
        return [(case.kind, str(case.facts.get("reason", ""))) for case in found]


@pytest.mark.parametrize(
    ("topic", "change", "reason"),
    [
        ("order.updated", {"status": "cancelled"}, "cancelled in the shop"),
        ("order.updated", {"status": "refunded"}, "refunded in the shop"),
        ("order.updated", {"status": "trash"}, "trashed in the shop"),
        ("order.deleted", None, "trashed in the shop"),
    ],
)
def test_an_order_that_the_shop_stops_is_collected_no_further(
    house: TestHouse, shop: Shop, plan_id: str, topic: str, change: dict[str, Any] | None, reason: str
) -> None:
    body = {"id": 1042} if change is None else ORDER | change
    assert house.woo(shop, topic, body) == 200
    house.rest(shop)
    assert standing(house, shop, plan_id) == ("cancelled", ["paid", "void", "void"])
    assert cases(house, shop) == [("order_stopped", reason)]
    with house.of(shop) as session:
        due = select(Collection.id).where(Collection.due_at.is_not(None))
        assert list(session.scalars(due)) == []


def test_told_twice_and_in_another_way_it_is_one_case(house: TestHouse, shop: Shop, plan_id: str) -> None:
    for number, (topic, body) in enumerate(
        [("order.updated", ORDER | {"status": "cancelled"}), ("order.deleted", {"id": 1042})]
    ):
        house.woo(shop, topic, body, **{"X-WC-Webhook-Delivery-ID": f"d{number}"})
        house.rest(shop)
    assert cases(house, shop) == [("order_stopped", "cancelled in the shop")]


def test_another_order_in_the_trash_stops_nothing(house: TestHouse, shop: Shop, plan_id: str) -> None:
    house.woo(shop, "order.deleted", {"id": 1043})
    house.rest(shop)
    assert standing(house, shop, plan_id)[0] == "active"


def completed(hours: int) -> dict[str, Any]:
    """The order was sent so many hours after now."""
    at = clock.real_now() + timedelta(hours=hours)
    done = {"status": "completed", "date_paid_gmt": "2026-11-22T12:00:00"}
    return ORDER | done | {"date_completed_gmt": at.replace(tzinfo=None).isoformat(timespec="seconds")}


def test_an_order_that_is_sent_after_the_acceptance_changes_nothing(
    house: TestHouse, shop: Shop, plan_id: str
) -> None:
    house.woo(shop, "order.updated", completed(1))
    house.rest(shop)
    with house.of(shop) as session:
        supplied = session.get_one(Plan, (shop.id, plan_id)).supplied_at
    assert supplied is not None
    assert abs(supplied - clock.real_now() - timedelta(hours=1)) < timedelta(minutes=5)
    assert standing(house, shop, plan_id)[0] == "active"
    assert "supplied_early" not in [kind for kind, _ in cases(house, shop)]


def test_an_order_that_was_sent_before_may_be_paid_too_late_and_a_person_decides(
    house: TestHouse, shop: Shop, plan_id: str
) -> None:
    """Three payments on days 0, 25 and 50 of the acceptance: the last is on day 53 of a supply three days before."""
    for hours in (1, -72, -48):
        house.woo(shop, "order.updated", completed(hours), **{"X-WC-Webhook-Delivery-ID": f"d{hours}"})
        house.rest(shop)
    assert "supplied_early" in [kind for kind, _ in cases(house, shop)]
    with house.of(shop) as session:
        supplied = session.get_one(Plan, (shop.id, plan_id)).supplied_at
    assert supplied is not None
    assert clock.real_now() - supplied > timedelta(hours=71)
