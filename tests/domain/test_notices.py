"""What a customer is told before a payment is taken: once for each, in time, and of a card that will have expired by then."""

from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import select, text

from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.outbox import Out
from plugin_backend.domain.plans import Collection
from tests import story
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse
from tests.letterbox import Letterbox, text_of


def notices(house: TestHouse, shop: Shop, kind: str = "payment_notice") -> list[datetime]:
    """When mails of a kind left."""
    with house.of(shop) as session:
        found = select(Message.sent_at).where(Message.kind == kind, Message.state == "sent")
        return [at for at in session.scalars(found.order_by(Message.sent_at)) if at]


def announced(mails: Letterbox, words: str) -> list[EmailMessage]:
    return [mail for mail in mails.to(story.EMAIL) if words in str(mail["Subject"])]


def days_before(moments: list[datetime], rows: list[Collection]) -> list[float]:
    return [
        round((row.scheduled_at - at) / timedelta(days=1), 1) for at, row in zip(moments, rows, strict=True)
    ]


def expire(house: TestHouse, shop: Shop, year: int, month: int) -> None:
    with house.of(shop) as session:
        values = {"year": year, "month": month, "shop": shop.id}
        session.execute(
            text(
                "UPDATE payment_methods SET expiry_year = :year, expiry_month = :month WHERE shop_id = :shop"
            ),
            values,
        )


def test_each_payment_without_the_customer_is_announced_three_days_before_it_is_taken_and_once(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, mails: Letterbox
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    house.travel(paying_shop, days=60)

    rows = story.collections(house, paying_shop)[1:]
    assert days_before(notices(house, paying_shop), rows) == [3.0, 3.0]
    first, _ = announced(mails, "paiement le")
    said = text_of(first)
    assert "33,33 €" in said and "4242" in said and "Résilier votre contrat" in said
    assert f"{story.link(house, paying_shop, 'p', rows[0].plan_id)}/cancel" in said
    html = first.get_body(("html",))
    assert html is not None and "33,33" in html.get_content() and "4242" in html.get_content()


def test_an_english_reader_reads_english(house: TestHouse, gateway: SandboxProcess, mails: Letterbox) -> None:
    shop = house.add_shop(sandbox=gateway.settings(), locale="en", country="NO", timezone="Europe/Oslo")
    story.begin_plan(house, shop, gateway)
    house.travel(shop, days=24)
    (mail,) = announced(mails, "payment on")
    assert "You need not do anything." in text_of(mail)
    assert "To pay with another card or to see all payments, open your page." in text_of(mail)


def test_a_retry_is_not_announced(house: TestHouse, paying_shop: Shop, gateway: SandboxProcess) -> None:
    story.begin_plan(house, paying_shop, gateway, "limit_once")
    house.travel(paying_shop, days=30)

    assert [a.state for a in story.attempts(house, paying_shop)] == ["succeeded", "declined", "succeeded"]
    assert len(notices(house, paying_shop)) == 1


@pytest.mark.parametrize(("days", "count"), [("{0,2,6}", 1), ("{0,1,2}", 0), ("{0,4,5}", 2)])
def test_what_is_due_within_three_days_of_acceptance_was_told_then(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, days: str, count: int
) -> None:
    with house.of(paying_shop) as session:
        session.execute(
            text("UPDATE templates SET days = CAST(:days AS integer[]) WHERE shop_id = :shop"),
            {"days": days, "shop": paying_shop.id},
        )
    story.begin_plan(house, paying_shop, gateway)
    house.travel(paying_shop, days=8)

    assert story.states(house, paying_shop) == ["paid", "paid", "paid"]
    assert len(notices(house, paying_shop)) == count


def test_a_subscription_is_announced_month_after_month(
    house: TestHouse, gateway: SandboxProcess, mails: Letterbox
) -> None:
    shop = house.add_shop(
        sandbox=gateway.settings(), kind="subscription", country="NO", locale="en", timezone="Europe/Oslo"
    )
    story.begin_plan(house, shop, gateway)
    house.travel(shop, days=62)
    rows = story.collections(house, shop)
    assert days_before(notices(house, shop), rows[1:3]) == [3.0, 3.0]


def test_a_plan_that_was_cancelled_or_paused_is_not_announced(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    house.client().post(f"{story.link(house, paying_shop, 'p', plan.id)}/cancel", data={})
    house.travel(paying_shop, days=60)
    assert notices(house, paying_shop) == []


def test_a_mail_server_that_is_down_delays_no_payment(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, mails: Letterbox
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    house.travel(paying_shop, days=21)
    mails.refuse = "451 later"
    house.travel(paying_shop, days=5)
    assert story.states(house, paying_shop)[:2] == ["paid", "paid"]
    assert len(notices(house, paying_shop)) == 1


def test_a_card_that_expires_before_a_payment_is_told_of_thirty_and_seven_days_before_it(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, mails: Letterbox
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    last = story.collections(house, paying_shop)[2].scheduled_at
    before = last.replace(day=1) - timedelta(days=1)
    expire(house, paying_shop, before.year, before.month)
    second = story.collections(house, paying_shop)[1].scheduled_at
    alive = (second.year, second.month) <= (before.year, before.month)
    house.travel(paying_shop, days=48)

    told = [round((last - at) / timedelta(days=1)) for at in notices(house, paying_shop, "card_needed")]
    assert told == ([30, 7] if alive else [32, 30, 7])
    said = text_of(announced(mails, "autre carte")[-1])
    assert f"{story.link(house, paying_shop, 'p', plan.id)}/pay" in said
    assert "expire avant cette date" in said
    assert "Cette carte expire" in text_of(announced(mails, "paiement le")[-1])


def test_a_card_that_lives_long_enough_is_told_of_to_nobody(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    last = story.collections(house, paying_shop)[2].scheduled_at
    expire(house, paying_shop, last.year, last.month)
    house.travel(paying_shop, days=60)
    assert notices(house, paying_shop, "card_needed") == []
    assert story.states(house, paying_shop) == ["paid", "paid", "paid"]


def test_an_expired_card_is_changed_by_the_mails_link_and_the_new_one_pays(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, mails: Letterbox
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    expire(house, paying_shop, 2026, 1)
    house.travel(paying_shop, days=19)
    path = story.link(house, paying_shop, "p", plan.id)
    page = house.client().get(f"{path}/pay", follow_redirects=True).get_data(as_text=True)
    assert f'action="{path}/card"' in page

    assert house.client().post(f"{path}/card").status_code == 303
    house.rest(paying_shop)
    gateway.type_card(house.client().get(f"{path}/card").headers["Location"], "ok_mastercard")
    house.client().get(f"{path}/back")
    house.rest(paying_shop)
    house.travel(paying_shop, days=7)

    assert story.states(house, paying_shop)[:2] == ["paid", "paid"]
    methods = [a.method_id for a in story.attempts(house, paying_shop)]
    assert methods[0] != methods[1]
    assert "4444" in text_of(announced(mails, "paiement le")[-1])


def test_the_row_of_an_announcement_is_one_for_each_payment_and_comes_to_an_end(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)

    def rows() -> list[Any]:
        with house.of(paying_shop) as session:
            return list(session.execute(select(Out.what, Out.state).where(Out.kind == "notice")))

    later = {row.id for row in story.collections(house, paying_shop)[1:]}
    assert {(row.what, row.state) for row in rows()} == {(id, "queued") for id in later}
    house.travel(paying_shop, days=60)
    assert sorted((row.what, row.state) for row in rows()) == sorted((id, "sent") for id in later)
