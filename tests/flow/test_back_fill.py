"""Deliveries are lost, and nothing is: the shop is asked, and nobody is written to about what he bought meanwhile."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from plugin_backend.core import delays
from plugin_backend.domain import exchanges, polls
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.cases import Case
from plugin_backend.domain.messages import Message
from plugin_backend.domain.outbox import Out
from plugin_backend.domain.polls import Poll
from plugin_backend.sdk import clock
from plugin_backend.worker import polling
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse
from tests.letterbox import Letterbox
from tests.offer_story import forward, judge, verdicts
from tests.shop_story import Woo, connected_woo


@pytest.fixture
def woo(house: TestHouse, gateway: SandboxProcess, mails: Letterbox, site: str) -> Iterator[Woo]:
    with connected_woo(house, sandbox=gateway.settings(), name="Boutique Luna") as story:
        yield story


def test_a_day_without_deliveries_loses_no_cart_and_no_order_and_mails_nobody_who_bought(
    woo: Woo, mails: Letterbox
) -> None:
    """24 virtual hours. Every hour somebody leaves a basket; of those of the hour before every second one comes back just
    before his mail is due and buys, by turns the same basket and another one."""
    before = woo.leave("known@example.test")
    woo.house.rest(woo.shop)
    assert woo.carts() == {f"order:{before}": "active"}

    woo.connect(webhooks=False)
    woo.change(before, status="processing")
    left, bought = [before], {f"order:{before}": "known@example.test"}
    for hour in range(24):
        if hour % 2:
            email = f"shopper{hour - 1}@example.test"
            number = left[-1] if hour % 4 == 1 else woo.visit("buy", email)
            woo.change(number, status="processing")
            bought[f"order:{number}"] = email
        left.append(woo.leave(f"shopper{hour}@example.test"))
        woo.house.travel(woo.shop, hours=1)
    woo.house.travel(woo.shop, hours=3)

    assert set(woo.carts()) >= {f"order:{number}" for number in left}
    assert woo.sales() == bought
    written_to = {str(mail["To"]) for mail in mails.messages}
    assert written_to == {f"shopper{hour}@example.test" for hour in range(1, 24, 2)}
    assert not written_to & set(bought.values())


def test_a_basket_that_was_bought_unheard_is_offered_nothing_at_its_moment(woo: Woo) -> None:
    """Nor is there an offer that would be withdrawn later: it would already stand in the shop's page and in the figures."""
    number = woo.leave("ana@example.test")
    woo.house.rest(woo.shop)
    woo.connect(webhooks=False)
    woo.change(number, status="processing")
    forward(woo.house, woo.shop, hours=1, minutes=1)
    judge(woo.house, woo.shop)
    assert verdicts(woo.house, woo.shop) == []
    assert woo.sales() == {f"order:{number}": "ana@example.test"}


def our_webhooks(woo: Woo) -> set[str]:
    """How those stand that we need; the shop has others."""
    topics = {told["topic"] for told in woo.poll().webhooks}
    return {hook["status"] for hook in woo.webhooks() if hook["topic"] in topics}


def test_a_webhook_that_is_switched_off_is_noticed_put_back_and_its_gap_filled(woo: Woo) -> None:
    with woo.house.of(woo.shop) as session:
        polls.want_webhooks(session, woo.shop.id)
    woo.leave("first@example.test")
    woo.house.rest(woo.shop)
    assert our_webhooks(woo) == {"active"}

    woo.set_webhooks(status="disabled")
    missed = woo.leave("second@example.test")
    woo.house.travel(woo.shop, minutes=20)
    assert f"order:{missed}" in woo.carts()
    assert woo.cases() == []

    woo.house.travel(woo.shop, hours=1, minutes=10)
    assert woo.cases() == ["webhooks_repaired", "webhooks_silent"]
    assert our_webhooks(woo) == {"active"}

    woo.leave("third@example.test")
    woo.house.travel(woo.shop, minutes=15)
    assert woo.cases() == ["webhooks_repaired"]
    assert woo.poll().silent_at is None


def test_webhooks_that_were_deleted_are_made_anew_within_a_day(woo: Woo) -> None:
    with woo.house.of(woo.shop) as session:
        polls.want_webhooks(session, woo.shop.id)
    woo.house.rest(woo.shop)
    topics = {hook["topic"] for hook in woo.webhooks()}

    woo.connect(webhooks=False)
    assert woo.webhooks() == []
    woo.house.travel(woo.shop, days=1, minutes=1)
    assert {hook["topic"] for hook in woo.webhooks()} >= {told["topic"] for told in woo.poll().webhooks}
    assert {hook["topic"] for hook in woo.webhooks()} <= topics
    assert woo.cases() == ["webhooks_repaired"]


def test_webhooks_that_nobody_asked_for_are_not_made(woo: Woo) -> None:
    woo.connect(webhooks=False)
    woo.house.travel(woo.shop, days=2)
    assert woo.webhooks() == []
    assert woo.poll().webhooks_at is None


def test_a_worker_that_ends_between_two_pages_is_gone_on_from_there(
    woo: Woo, monkeypatch: pytest.MonkeyPatch
) -> None:
    woo.connect(webhooks=False)
    number = woo.leave("first@example.test")
    monkeypatch.setattr(polling, "TURN_SECONDS", 0.0)
    with woo.house.worker.app_context(), woo.house.in_time(woo.shop):
        polling.hurry(woo.shop, woo.poll().id)
        half = woo.poll()
        assert (half.kind, half.asked_at) == ("carts", None)
        assert woo.carts() == {}
        polling.hurry(woo.shop, half.id)
    whole = woo.poll()
    assert (whole.kind, whole.asked_at) == ("", half.begun_at)
    assert woo.carts() == {f"order:{number}": "active"}


def test_nobody_is_written_to_while_the_shop_cannot_be_asked(woo: Woo, mails: Letterbox) -> None:
    woo.leave("waits@example.test")
    woo.house.rest(woo.shop)
    woo.process.control("switches", {"html_instead_of_json": True})
    for _ in range(9):
        woo.house.travel(woo.shop, minutes=10)
    assert mails.messages == []
    assert woo.cases() == ["shop_not_asked"]
    with woo.house.of(woo.shop) as session:
        told = exchanges.about(session, woo.shop.id, session.scalars(select(Case.subject)).one())
    assert "Checking your browser" in told
    assert "oauth_signature=..." in told

    woo.process.control("switches", {"html_instead_of_json": False})
    woo.house.travel(woo.shop, minutes=20)
    assert [mail["To"] for mail in mails.messages] == ["waits@example.test"]
    assert woo.cases() == []


def test_a_mail_that_could_not_leave_is_asked_about_again(woo: Woo, mails: Letterbox) -> None:
    """The mail server was away while the basket was bought, and the webhook of that was lost."""
    number = woo.leave("ana@example.test")
    woo.house.rest(woo.shop)
    forward(woo.house, woo.shop, hours=1, minutes=1)
    judge(woo.house, woo.shop)
    woo.connect(webhooks=False)
    woo.change(number, status="processing")
    with woo.house.of(woo.shop) as session:
        session.execute(update(Out).values(tries=1, due_at=clock.now() + timedelta(hours=2)))
    woo.house.travel(woo.shop, hours=3)
    assert mails.messages == []
    with woo.house.of(woo.shop) as session:
        (message,) = session.scalars(select(Message))
        assert (message.state, message.reason) == ("suppressed", "the offer is withdrawn")


def test_a_shop_that_talks_nonsense_stops_no_other_shop(
    house: TestHouse, woo: Woo, gateway: SandboxProcess, mails: Letterbox
) -> None:
    with connected_woo(house, sandbox=gateway.settings(), name="Another") as other:
        woo.process.control("switches", {"html_instead_of_json": True})
        woo.leave("waits@example.test")
        other.leave("served@example.test")
        for story in (woo, other):
            house.travel(story.shop, hours=1, minutes=30)
        assert [mail["To"] for mail in mails.messages] == ["served@example.test"]


def test_a_shop_that_refuses_our_key_is_taken_at_its_word(woo: Woo, mails: Letterbox) -> None:
    """Its deliveries are all there is; a person is told at once."""
    woo.leave("ana@example.test")
    woo.house.rest(woo.shop)
    woo.process.control(
        "connect",
        {"dialect": "woo", "webhook_url": "http://127.0.0.1:9/", "secret": "x", "consumer_key": "ck_other"},
    )
    woo.house.travel(woo.shop, hours=1, minutes=20)
    assert woo.cases() == ["shop_not_asked"]
    assert woo.poll().able is False
    assert [mail["To"] for mail in mails.messages] == ["ana@example.test"]


def test_what_was_asked_for_once_is_not_asked_for_again(woo: Woo) -> None:
    begun = woo.poll().since
    with woo.house.of(woo.shop) as session:
        session.execute(update(Poll).values(since=begun - timedelta(days=1)))
    woo.house.travel(woo.shop, minutes=11)
    overlap = delays.DELAYS.poll_overlap + timedelta(seconds=1)
    assert begun - overlap <= woo.poll().since <= clock.real_now() - delays.DELAYS.poll_overlap


@pytest.mark.parametrize(
    ("note", "decline", "offered"),
    [
        ("Cardgate charge failed: Your card was reported stolen. (pi_1)", "fraud", False),
        ("Cardgate charge failed: Your card has insufficient funds.", "funds", True),
        ("", "unknown", True),
    ],
)
def test_why_a_payment_was_refused_is_read_in_the_order_s_notes_before_anything_is_offered(
    woo: Woo, mails: Letterbox, note: str, decline: str, offered: bool
) -> None:
    """The webhook of the failed order does not carry the gateway's note."""
    number = woo.visit("declined", "ana@example.test")
    if note:
        answer = woo.api.ask("POST", f"orders/{number}/notes", {"note": note, "customer_note": False})
        assert answer.status_code == 201
    woo.house.rest(woo.shop)
    woo.house.travel(woo.shop, minutes=11)
    with woo.house.of(woo.shop) as session:
        cart = session.scalars(select(Cart)).one()
        assert (cart.decline, cart.barred) == (decline, not offered)
    assert [mail["To"] for mail in mails.messages] == ["ana@example.test"] * offered
    assert woo.poll().missed == 0
