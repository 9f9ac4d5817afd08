"""Who gets an offer, who does not and why, and what can still stop its mail."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select, update

from plugin_backend.core.house import House
from plugin_backend.domain import carts, consent, customers, messages, offers
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.consent import Suppression
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.offers import Offer, Template
from plugin_backend.domain.outbox import Out
from plugin_backend.launcher.ports import free_port
from plugin_backend.sdk import clock
from plugin_backend.sdk import connector as sdk
from plugin_backend.sdk.money import Money
from plugin_backend.worker import jobs
from tests import plan_story, story
from tests.house import TestHouse
from tests.letterbox import Letterbox

EMAIL = "ana@example.test"
AN_HOUR = {"hours": 1, "minutes": 1}
A_HUNDRED = Money(10000, "EUR")


@pytest.fixture
def shop(house: TestHouse, mails: Letterbox) -> Shop:
    """A test shop that could keep what it offers."""
    return plan_story.add_paying_shop(house)


def leave(
    house: TestHouse,
    shop: Shop,
    *,
    key: str = "order:19",
    email: str = EMAIL,
    total: Money | None = A_HUNDRED,
    granted: bool | None = True,
    country: str = "FR",
    declined: bool = False,
) -> None:
    """A basket is left, or refused, now."""
    with house.of(shop) as session:
        now = clock.now()
        said = None if granted is None else sdk.Consent(granted, "checkout", at=now)
        person = sdk.Person(email=email, country=country, locale="fr")
        event = sdk.CartChanged(key, total, now, (sdk.Line("Lamp"),), person, said)
        if declined:
            carts.payment_failed(session, shop, sdk.PaymentFailed(key, now, "limit", event), now)
        else:
            carts.cart_changed(session, shop, event, now)


def sell(
    house: TestHouse, shop: Shop, *cart_keys: str, email: str = EMAIL, order_key: str = "order:7"
) -> None:
    """Somebody buys now, out of the baskets of those names."""
    with house.of(shop) as session:
        event = sdk.OrderPlaced(order_key, clock.now(), cart_keys, person=sdk.Person(email=email))
        carts.order_placed(session, shop, event, clock.now())


def verdicts(house: TestHouse, shop: Shop) -> list[tuple[str, str]]:
    with house.of(shop) as session:
        return [
            (o.state, o.reason) for o in session.scalars(select(Offer).order_by(Offer.created_at, Offer.id))
        ]


def letters(house: TestHouse, shop: Shop) -> list[tuple[str, str]]:
    with house.of(shop) as session:
        rows = session.scalars(select(Message).order_by(Message.created_at, Message.id))
        return [(row.state, row.reason) for row in rows]


def judge(house: TestHouse, shop: Shop) -> None:
    """The cart's moment comes, and its mail is written but has not left yet."""
    with house.worker.app_context(), house.in_time(shop):
        jobs.read(shop)
        jobs.make_offers(shop)


def forward(house: TestHouse, shop: Shop, **span: float) -> None:
    """Let time pass at one leap, nothing being worked off."""
    with house.of(shop) as session:
        session.execute(
            update(Shop).where(Shop.id == shop.id).values(clock_offset=Shop.clock_offset + timedelta(**span))
        )


@pytest.mark.parametrize("granted", [True, False, None])
@pytest.mark.parametrize("earlier", [True, False])
@pytest.mark.parametrize("stopped", [True, False])
@pytest.mark.parametrize("declined", [True, False])
def test_who_may_be_written_to(
    house: TestHouse,
    shop: Shop,
    mails: Letterbox,
    *,
    granted: bool | None,
    earlier: bool,
    stopped: bool,
    declined: bool,
) -> None:
    if earlier:
        sell(house, shop)
        house.travel(shop, minutes=1)
    if stopped:
        with house.of(shop) as session:
            consent.suppress(session, shop.id, EMAIL, "unsubscribed")
    leave(house, shop, granted=granted, declined=declined)
    house.rest(shop)
    if not declined:
        house.travel(shop, **AN_HOUR)

    why = "unsubscribed" if stopped else ""
    if not declined and not stopped:
        why = (
            "" if granted or (granted is None and earlier) else "consent_refused" if earlier else "no_consent"
        )
    assert verdicts(house, shop) == [("not_sent", why) if why else ("open", "")]
    assert len(mails.to(EMAIL)) == (0 if why else 1)


def test_the_last_word_about_reminders_counts_and_of_two_at_one_moment_the_refusal(
    house: TestHouse, shop: Shop
) -> None:
    with house.of(shop) as session:
        now = clock.now()
        ana = customers.meet(session, shop.id, sdk.Person(email=EMAIL))
        assert ana is not None

        def say(hours: int, *, granted: bool) -> str:
            consent.record(
                session, shop.id, ana.id, sdk.Consent(granted, "s", at=now + timedelta(hours=hours)), now
            )
            return consent.why_not(session, shop.id, ana.id, EMAIL, bought_before=True)

        assert say(0, granted=True) == ""
        assert say(0, granted=False) == "consent_refused"
        assert say(-5, granted=True) == "consent_refused"
        assert say(1, granted=True) == ""
        assert say(1, granted=True) == ""


@pytest.mark.parametrize(
    ("total", "facts", "offered"),
    [
        (Money(2000, "EUR"), {}, True),
        (Money(1999, "EUR"), {}, False),
        (Money(500, "EUR"), {"smallest_offer": 500}, True),
        (Money(2, "EUR"), {"smallest_offer": 0}, True),
        (Money(3, "CHF"), {}, True),
        (Money(2, "CHF"), {}, False),
        (Money(0, "CHF"), {}, False),
    ],
)
def test_a_basket_below_the_shops_minimum_is_not_offered(
    house: TestHouse, mails: Letterbox, total: Money, facts: dict[str, Any], *, offered: bool
) -> None:
    shop = house.add_shop(sandbox=plan_story.ACCOUNT, **facts)
    leave(house, shop, total=total)
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == [("open", "") if offered else ("not_sent", "below_minimum")]


@pytest.mark.parametrize(
    ("country", "facts", "verdict"),
    [
        ("FR", {}, ("open", "")),
        ("", {}, ("open", "")),
        ("", {"country": "BR"}, ("not_sent", "not_lawful: no_rule_for_country")),
        ("BR", {}, ("not_sent", "not_lawful: no_rule_for_country")),
        ("FR", {"country": "BR"}, ("open", "")),
        ("FR", {"company": "large"}, ("not_sent", "not_lawful: longer_than_14_days")),
        ("GB", {"company": "large"}, ("open", "")),
    ],
)
def test_the_customers_country_decides_and_the_shops_where_it_is_not_known(
    house: TestHouse, mails: Letterbox, country: str, facts: dict[str, Any], verdict: tuple[str, str]
) -> None:
    shop = house.add_shop(sandbox=plan_story.ACCOUNT, **facts)
    leave(house, shop, country=country)
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == [verdict]
    with house.of(shop) as session:
        offer = session.scalars(select(Offer)).one()
    assert offer.country == (country or shop.country)
    assert offer.verdict["allowed"] is (verdict[0] == "open")


def test_nobody_is_offered_anything_twice_within_the_shops_pause(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    with house.of(shop) as session:
        session.execute(update(Template).values(open_days=1))
    leave(house, shop, key="order:1")
    house.travel(shop, hours=26)
    leave(house, shop, key="order:2")
    house.travel(shop, **AN_HOUR)
    leave(house, shop, key="order:3", declined=True)
    house.rest(shop)
    house.travel(shop, hours=72)
    leave(house, shop, key="order:4")
    house.travel(shop, **AN_HOUR)

    assert verdicts(house, shop) == [
        ("expired", ""),
        ("not_sent", "mailed_lately"),
        ("expired", ""),
        ("open", ""),
    ]
    assert len(mails.to(EMAIL)) == 3


def test_a_shop_that_only_watches_writes_to_nobody(house: TestHouse, mails: Letterbox) -> None:
    shop = house.add_shop(sandbox=plan_story.ACCOUNT)
    with house.of(shop) as session:
        session.execute(update(Shop).where(Shop.id == shop.id).values(state="watch_only"))
    leave(house, shop)
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == [("not_sent", "watch_only")]
    assert mails.to(EMAIL) == []


@pytest.mark.parametrize("email", ["", "no address", "a@b", "ana@example.test\nBcc: x@y.test"])
def test_a_basket_without_an_address_is_kept_back(house: TestHouse, shop: Shop, email: str) -> None:
    leave(house, shop, email=email)
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == [("not_sent", "no_email")]


def test_a_basket_without_a_total_is_not_offered(house: TestHouse, shop: Shop) -> None:
    leave(house, shop, total=None)
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == []


def test_a_basket_that_is_free_by_now_takes_its_offer_back(house: TestHouse, shop: Shop) -> None:
    offer = an_open_offer(house, shop)
    path = story.link(house, shop, "o", offer.id)
    leave(house, shop, total=Money(0, "EUR"))
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == [("withdrawn", "nothing left to pay")]
    assert house.client().get(path).status_code == 410


def test_a_basket_that_changed_keeps_its_offer_at_the_new_amount_and_no_second_mail_goes_out(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    an_open_offer(house, shop)
    leave(house, shop, total=Money(7000, "EUR"))
    house.travel(shop, **AN_HOUR)
    with house.of(shop) as session:
        assert session.scalars(select(Offer)).one().total == Money(7000, "EUR")
        assert session.scalars(select(Cart)).one().state == "offered"
    assert len(mails.to(EMAIL)) == 1


def test_who_bought_something_else_meanwhile_is_left_in_peace(house: TestHouse, shop: Shop) -> None:
    leave(house, shop)
    house.travel(shop, minutes=10)
    sell(house, shop, "order:7")
    house.travel(shop, **AN_HOUR)
    assert verdicts(house, shop) == [("not_sent", "bought_meanwhile")]


def test_an_offer_ends_on_its_day_and_cannot_be_accepted_afterwards(house: TestHouse, shop: Shop) -> None:
    leave(house, shop)
    house.travel(shop, **AN_HOUR)
    with house.of(shop) as session:
        offer = session.scalars(select(Offer)).one()
    path = story.link(house, shop, "o", offer.id)
    terms = story.terms_on(house.client().get(path).text)
    forward(house, shop, days=7)

    form = {"terms": terms, "country": "FR", "mandate": "yes"}
    assert house.client().get(path).status_code == 410
    assert house.client().post(f"{path}/accept", data=form).status_code == 410
    house.rest(shop)
    assert verdicts(house, shop) == [("expired", "")]
    with house.of(shop) as session:
        assert session.scalars(select(Cart)).one().state == "abandoned"
    house.travel(shop, days=30)
    assert verdicts(house, shop) == [("expired", "")]
    assert house.client().get(path).status_code == 410


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


def an_open_offer(house: TestHouse, shop: Shop) -> Offer:
    leave(house, shop)
    house.travel(shop, **AN_HOUR)
    with house.of(shop) as session:
        offer = session.scalars(select(Offer)).one()
    assert offer.state == "open"
    return offer


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
