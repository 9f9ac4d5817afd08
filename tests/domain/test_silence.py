"""A shop that cannot be asked falls silent: its rhythm tells, and nobody is written to on what may be outdated."""

from typing import Any

import pytest
from sqlalchemy import select

from plugin_backend.domain import polls, staff
from plugin_backend.domain.cases import Case
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.vault.audit import VaultEntry
from tests import plan_story
from tests.house import STANDARD_SECRET, TestHouse
from tests.letterbox import Letterbox, text_of
from tests.offer_story import leave

DAY_AND_NIGHT = {str(hour): "1" * 8 for hour in range(7 * 24)}
PING = {"type": "ping", "data": {}}


@pytest.fixture
def shop(house: TestHouse, mails: Letterbox) -> Shop:
    """A shop of its owner's making that calls every hour, and that cannot be called."""
    facts: dict[str, Any] = {"settings": {"secret": STANDARD_SECRET}, "sandbox": plan_story.ACCOUNT}
    made = house.add_shop("custom", locale="en", **facts)
    house.standard(made, PING, delivery="msg_first")
    house.rest(made)
    house.travel(made, minutes=15)
    with house.of(made) as session:
        polls.of_shop(session, made.id).rhythm = dict(DAY_AND_NIGHT)
    return made


def silent(house: TestHouse, shop: Shop) -> list[str]:
    with house.of(shop) as session:
        return list(session.scalars(select(Case.state).where(Case.kind == "webhooks_silent")))


def test_hours_out_of_its_rhythm_raise_an_alert_once(house: TestHouse, shop: Shop) -> None:
    house.travel(shop, hours=3)
    assert silent(house, shop) == []
    house.travel(shop, hours=4)
    assert silent(house, shop) == ["open"]
    house.travel(shop, hours=4)
    assert silent(house, shop) == ["open"]


def test_whoever_sees_to_the_shop_is_written_to_once(house: TestHouse, shop: Shop, mails: Letterbox) -> None:
    with house.of(shop) as session:
        for name in ("ida", "ole"):
            staff.add_user(session, shop.merchant_id, f"{name}@shop.example", "a long password")
    house.travel(shop, hours=12)
    assert [mail["To"] for mail in mails.messages] == ["ida@shop.example", "ole@shop.example"]
    assert "its webhooks do not reach us" in text_of(mails.messages[0])
    assert f"/shops/{shop.id}/connection" in text_of(mails.messages[0])


def test_while_it_is_silent_nobody_is_written_to_and_afterwards_he_is(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    house.travel(shop, hours=7)
    leave(house, shop)
    house.travel(shop, hours=2)
    assert mails.messages == []
    with house.of(shop) as session:
        assert list(session.scalars(select(Offer))) == []

    house.standard(shop, PING, delivery="msg_again")
    house.travel(shop, minutes=30)
    assert silent(house, shop) == ["resolved"]
    assert [mail["To"] for mail in mails.messages] == ["ana@example.test"]


def test_what_was_heard_is_learned_hour_by_hour(house: TestHouse, shop: Shop) -> None:
    for hour in range(3):
        if hour != 1:
            house.standard(shop, PING, delivery=f"msg_{hour}")
        house.travel(shop, hours=1)
    with house.of(shop) as session:
        learned = polls.of_shop(session, shop.id).rhythm
    latest = sorted(weeks for weeks in learned.values() if weeks != "1" * 8)
    assert latest == ["11111110"]


def test_a_shop_that_never_spoke_is_not_missed(house: TestHouse) -> None:
    shop = house.add_shop("custom", settings={"secret": STANDARD_SECRET})
    with house.of(shop) as session:
        polls.of_shop(session, shop.id).rhythm = dict(DAY_AND_NIGHT)
    house.travel(shop, days=3)
    assert silent(house, shop) == []


def test_a_shop_without_keys_has_them_looked_for_once_a_day_and_its_webhooks_never(
    house: TestHouse,
) -> None:
    shop = house.add_shop()
    with house.of(shop) as session:
        polls.want_webhooks(session, shop.id)
    house.rest(shop)
    for _ in range(3):
        house.travel(shop, hours=1)
    with house.of(shop) as session:
        poll = polls.of_shop(session, shop.id)
        opened = select(VaultEntry).where(VaultEntry.use_id == poll.id)
        assert len(list(session.scalars(opened))) == 1
        assert (poll.able, poll.webhooks_at) == (False, None)
