"""What can still stop an offer's mail, how it is refused for good, and how it leaves exactly once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from plugin_backend.core.house import House
from plugin_backend.domain import consent, messages, offers
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.consent import Suppression
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.outbox import Out
from plugin_backend.launcher.ports import free_port
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as sdk
from tests import plan_story, story
from tests.house import TestHouse
from tests.letterbox import Letterbox
from tests.offer_story import (
    AN_HOUR,
    EMAIL,
    an_open_offer,
    forward,
    judge,
    leave,
    letters,
    sell,
    verdicts,
)


@pytest.fixture
def shop(house: TestHouse, mails: Letterbox) -> Shop:
    """A test shop that could keep what it offers."""
    return plan_story.add_paying_shop(house)


def buy_it(house: TestHouse, shop: Shop) -> None:
    sell(house, shop, "order:19")


def buy_something_else(house: TestHouse, shop: Shop) -> None:
    sell(house, shop, "order:7")


def unsubscribe(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        consent.suppress(session, shop.id, EMAIL, "unsubscribed")


def refuse(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        row = session.scalars(select(Offer)).one()
        consent.record(
            session,
            shop.id,
            row.customer_id,
            sdk.Consent(granted=False, source="s", at=clock.now()),
            clock.now(),
        )


def withdraw(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        offers.withdraw(session, session.scalars(select(Offer)).one(), "replaced")


def wait_a_week(house: TestHouse, shop: Shop) -> None:
    forward(house, shop, days=8)


@pytest.mark.parametrize(
    ("meanwhile", "reason"),
    [
        (buy_it, "bought meanwhile"),
        (buy_something_else, "bought meanwhile"),
        (unsubscribe, "unsubscribed"),
        (refuse, "no_consent"),
        (withdraw, "the offer is withdrawn"),
        (wait_a_week, "too late"),
    ],
)
def test_a_mail_that_is_no_longer_wanted_when_its_turn_comes_is_not_sent(
    house: TestHouse, shop: Shop, mails: Letterbox, meanwhile: Any, reason: str
) -> None:
    leave(house, shop)
    forward(house, shop, **AN_HOUR)
    judge(house, shop)
    assert letters(house, shop) == [("queued", "")]
    forward(house, shop, seconds=1)
    meanwhile(house, shop)
    house.rest(shop)

    assert letters(house, shop) == [("suppressed", reason)]
    assert mails.to(EMAIL) == []
    with house.of(shop) as session:
        assert session.scalars(select(Out.state)).all() == ["dropped"]


def test_one_click_ends_the_mails_and_looking_at_the_link_does_not(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    an_open_offer(house, shop)
    (mail,) = mails.to(EMAIL)
    path = urlsplit(mail["List-Unsubscribe"].strip("<>")).path
    assert path.startswith("/u/")

    def stopped() -> list[str]:
        with house.of(shop) as session:
            return list(session.scalars(select(Suppression.email)))

    for _ in range(3):
        assert house.client().get(path).status_code == 200
        assert house.client().head(path).status_code == 200
    assert stopped() == []
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://mail.test"}
    for _ in range(2):
        answer = house.client().post(path, data={"List-Unsubscribe": "One-Click"}, headers=foreign)
        assert answer.status_code == 200
    assert stopped() == [EMAIL]

    house.travel(shop, days=10)
    leave(house, shop, key="order:20")
    house.travel(shop, **AN_HOUR)
    leave(house, shop, key="order:21", declined=True)
    house.rest(shop)
    assert [verdict for verdict in verdicts(house, shop) if verdict[0] != "expired"] == [
        ("not_sent", "unsubscribed")
    ] * 2
    assert len(mails.to(EMAIL)) == 1


def test_the_button_against_an_offer_ends_it_and_writes_no_more_about_this_basket(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    offer = an_open_offer(house, shop)
    path = story.link(house, shop, "o", offer.id)
    assert house.client().get(f"{path}/stop").status_code == 405
    assert house.client().post(f"{path}/stop", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 404
    assert verdicts(house, shop) == [("open", "")]
    for _ in range(2):
        assert house.client().post(f"{path}/stop").status_code == 200
    assert verdicts(house, shop) == [("withdrawn", "not interested")]
    assert house.client().get(path).status_code == 410
    with house.of(shop) as session:
        cart = session.scalars(select(Cart)).one()
        assert (cart.state, cart.due_at) == ("lost", None)
    house.travel(shop, days=10)
    assert len(mails.to(EMAIL)) == 1


@contextmanager
def mail_server_away(house: TestHouse) -> Iterator[None]:
    """Where the mail server was, nobody answers."""
    worker: House = house.worker.extensions["reprise"]
    before = worker.config
    worker.config = replace(before, mail_url=f"smtp://127.0.0.1:{free_port()}")
    try:
        yield
    finally:
        worker.config = before


def test_with_the_mail_server_down_a_mail_waits_and_leaves_once_under_its_one_name(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    with mail_server_away(house):
        an_open_offer(house, shop)
        assert letters(house, shop) == [("queued", "")]
    with house.of(shop) as session:
        (out,) = session.scalars(select(Out))
        message = session.scalars(select(Message)).one()
        assert (out.state, out.tries >= 1, out.reason.startswith("NotSent")) == ("queued", True, True)
    house.travel(shop, days=1)

    (mail,) = mails.to(EMAIL)
    assert mail["Message-ID"] == f"<{message.id}@reprise.test>"
    assert letters(house, shop) == [("sent", "")]
    house.travel(shop, days=2)
    assert len(mails.to(EMAIL)) == 1


@pytest.mark.parametrize("answer", ["451 later", "421 busy", "452 full"])
def test_a_server_that_says_later_is_asked_later(
    house: TestHouse, shop: Shop, mails: Letterbox, answer: str
) -> None:
    mails.refuse = answer
    an_open_offer(house, shop)
    house.travel(shop, hours=1)
    assert len(mails.to(EMAIL)) == 1
    assert letters(house, shop) == [("sent", "")]


@pytest.mark.parametrize("answer", ["550 no such mailbox", "554 spam"])
def test_a_mail_that_is_refused_for_good_has_bounced_and_is_not_sent_again(
    house: TestHouse, shop: Shop, mails: Letterbox, answer: str
) -> None:
    mails.refuse = answer
    an_open_offer(house, shop)
    house.travel(shop, days=3)
    assert mails.to(EMAIL) == []
    ((state, reason),) = letters(house, shop)
    assert (state, answer[:3] in reason) == ("bounced", True)
    with house.of(shop) as session:
        assert session.scalars(select(Out.state)).all() == ["parked"]


def test_a_stored_mail_holds_no_link_that_leads_anywhere(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    offer = an_open_offer(house, shop)
    secrets = [story.link(house, shop, "o", offer.id), story.link(house, shop, "u", str(offer.customer_id))]
    with house.of(shop) as session:
        row = session.scalars(select(Message)).one()
    for path in secrets:
        assert path in mails.to(EMAIL)[0].as_string().replace("=\n", "")
        assert path.rpartition("/")[2] not in row.text + row.html
    assert messages.with_links(shop.id, "no link") == "no link"
