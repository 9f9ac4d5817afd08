"""The main job: a left basket becomes a plan, and every payment of it is collected."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from plugin_backend.domain.carts import Cart
from plugin_backend.domain.cases import Case
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.plans import Plan
from tests import story
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse
from tests.letterbox import Letterbox, text_of


def test_a_left_basket_is_offered_in_three_payments_and_all_of_them_are_collected(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, mails: Letterbox
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    assert [row.amount for row in story.collections(house, paying_shop)] == [3334, 3333, 3333]
    assert story.states(house, paying_shop) == ["paid", "scheduled", "scheduled"]

    house.travel(paying_shop, days=26)
    assert story.states(house, paying_shop) == ["paid", "paid", "scheduled"]
    house.travel(paying_shop, days=30)

    assert story.states(house, paying_shop) == ["paid", "paid", "paid"]
    assert story.captured(house, paying_shop, gateway) == [3334, 3333, 3333]
    assert story.plan_of(house, paying_shop).state == "completed"
    kinds = [message["Subject"] for message in mails.to(story.EMAIL)]
    assert len(kinds) == 8, kinds
    assert plan.agreed.minor == 10000


def test_the_offer_is_mailed_in_the_customers_language_with_every_amount(
    house: TestHouse, paying_shop: Shop, mails: Letterbox
) -> None:
    offer = story.leave_basket(house, paying_shop)

    [message] = mails.to(story.EMAIL)
    text = text_of(message)
    assert "33,34 €" in text and "33,33 €" in text and "100,00 €" in text
    assert story.link(house, paying_shop, "o", offer.id) in text
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Content-Language"] == "fr"


def test_a_declined_collection_is_tried_again_on_the_ladder_and_paid(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway, "limit_once")
    house.travel(paying_shop, days=25, hours=12)
    assert story.states(house, paying_shop) == ["paid", "retry_wait", "scheduled"]

    house.travel(paying_shop, days=3)

    assert story.states(house, paying_shop) == ["paid", "paid", "scheduled"]
    assert [attempt.state for attempt in story.attempts(house, paying_shop)] == [
        "succeeded",
        "declined",
        "succeeded",
    ]
    assert story.captured(house, paying_shop, gateway) == [3334, 3333]


def test_without_consent_the_offer_is_made_and_kept_back(
    house: TestHouse, shop: Shop, mails: Letterbox
) -> None:
    house.woo(shop, "order.updated", story.draft())
    house.rest(shop)
    house.travel(shop, hours=2)

    with house.of(shop) as session:
        offer = session.scalars(select(Offer)).one()
    assert (offer.state, offer.reason) == ("not_sent", "no_consent")
    assert mails.to(story.EMAIL) == []


def test_a_declined_card_gets_its_offer_at_once_and_one_neutral_mail(
    house: TestHouse, paying_shop: Shop, mails: Letterbox
) -> None:
    failed = story.draft(status="failed")
    for topic in ("order.created", "order.updated"):
        assert house.woo(paying_shop, topic, failed) == 200
        house.rest(paying_shop)

    with house.of(paying_shop) as session:
        offer = session.scalars(select(Offer)).one()
    assert (offer.state, offer.cause) == ("open", "declined")
    assert len(mails.to(story.EMAIL)) == 1


def test_an_offer_is_accepted_once_however_many_times_it_is_clicked(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    offer = story.leave_basket(house, paying_shop)
    path = story.link(house, paying_shop, "o", offer.id)
    page = house.client().get(path).get_data(as_text=True)
    form = {"terms": story.terms_on(page), "country": "FR", "mandate": "yes"}

    with ThreadPoolExecutor(8) as clicks:
        answers = list(
            clicks.map(lambda _: house.client().post(f"{path}/accept", data=form).status_code, range(16))
        )
    house.rest(paying_shop)
    story.give_card(house, paying_shop, gateway, path)
    again = house.client().post(f"{path}/accept", data=form).status_code
    house.rest(paying_shop)

    assert {*answers, again} == {303}
    with house.of(paying_shop) as session:
        assert len(session.scalars(select(Plan)).all()) == 1
    assert story.captured(house, paying_shop, gateway) == [3334]


def test_looking_at_an_offer_accepts_nothing(house: TestHouse, paying_shop: Shop) -> None:
    offer = story.leave_basket(house, paying_shop)
    path = story.link(house, paying_shop, "o", offer.id)
    for suffix in ("", "/back", "?again=1", "?checking=1"):
        house.client().get(path + suffix)
    house.rest(paying_shop)

    with house.of(paying_shop) as session:
        assert session.get_one(Offer, (paying_shop.id, offer.id)).state == "open"


def test_terms_that_changed_since_they_were_shown_are_shown_again(
    house: TestHouse, paying_shop: Shop
) -> None:
    offer = story.leave_basket(house, paying_shop)
    path = story.link(house, paying_shop, "o", offer.id)
    shown = story.terms_on(house.client().get(path).get_data(as_text=True))
    house.travel(paying_shop, days=1)

    answer = house.client().post(f"{path}/accept", data={"terms": shown, "country": "FR", "mandate": "yes"})

    assert answer.status_code == 409
    assert story.terms_on(answer.get_data(as_text=True)) != shown


def test_a_country_whose_law_has_no_rule_cannot_accept(house: TestHouse, paying_shop: Shop) -> None:
    offer = story.leave_basket(house, paying_shop)
    path = story.link(house, paying_shop, "o", offer.id)
    shown = story.terms_on(house.client().get(path).get_data(as_text=True))

    answer = house.client().post(f"{path}/accept", data={"terms": shown, "country": "BR", "mandate": "yes"})

    assert answer.status_code == 409
    with house.of(paying_shop) as session:
        assert session.get_one(Offer, (paying_shop.id, offer.id)).state == "open"


def test_one_shopper_has_one_open_basket_and_one_open_offer_for_the_last_he_touched(
    house: TestHouse, paying_shop: Shop
) -> None:
    sale = story.draft(1000, status="completed", date_modified_gmt="2026-10-01T10:00:00")
    house.woo(paying_shop, "order.created", sale | {"date_created_gmt": "2026-10-01T10:00:00"})
    house.rest(paying_shop)
    house.travel(paying_shop, minutes=1)
    for number in (19, 20, 21):
        house.woo(paying_shop, "order.updated", story.draft(number))
    house.rest(paying_shop)
    house.travel(paying_shop, hours=2)

    with house.of(paying_shop) as session:
        states = sorted((offer.state, offer.reason) for offer in session.scalars(select(Offer)))
        baskets = [(cart.key, cart.state) for cart in session.scalars(select(Cart).order_by(Cart.key))]
    assert states == [("open", "")]
    assert baskets == [("order:19", "lost"), ("order:20", "lost"), ("order:21", "offered")]


def test_a_basket_that_was_bought_is_not_offered(
    house: TestHouse, paying_shop: Shop, mails: Letterbox
) -> None:
    house.woo(paying_shop, "order.updated", story.draft())
    house.woo(
        paying_shop,
        "order.updated",
        story.draft(status="processing", date_modified_gmt="2026-11-22T10:05:00"),
    )
    house.rest(paying_shop)
    house.travel(paying_shop, hours=2)

    with house.of(paying_shop) as session:
        assert session.scalars(select(Offer)).all() == []
    assert mails.to(story.EMAIL) == []


def test_a_lost_answer_is_found_and_never_charged_again(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    gateway.switch(lost_answer=1)
    house.travel(paying_shop, days=26)

    second = story.attempts(house, paying_shop)[1:]
    assert [attempt.state for attempt in second] == ["succeeded"]
    assert story.captured(house, paying_shop, gateway) == [3334, 3333]
    with house.of(paying_shop) as session:
        assert session.scalars(select(Case.kind).where(Case.state == "open")).all() == ["order_by_hand"]


def test_a_timeout_is_in_doubt_and_no_decline(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    gateway.switch(error_after=1)
    house.travel(paying_shop, days=26)

    assert "declined" not in [attempt.state for attempt in story.attempts(house, paying_shop)]
    assert story.captured(house, paying_shop, gateway) == [3334, 3333]


def test_after_cancelling_nothing_more_is_charged(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, mails: Letterbox
) -> None:
    plan = story.begin_plan(house, paying_shop, gateway)
    portal = story.link(house, paying_shop, "p", plan.id)
    page = house.client().get(f"{portal}/cancel")
    assert page.status_code == 200
    assert house.client().post(f"{portal}/cancel", data={"reason": ""}).status_code == 200
    house.travel(paying_shop, days=60)

    assert story.states(house, paying_shop) == ["paid", "void", "void"]
    assert story.captured(house, paying_shop, gateway) == [3334]
    assert story.plan_of(house, paying_shop).state == "cancelled"


def test_a_first_payment_that_is_declined_asks_for_another_card(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    offer = story.leave_basket(house, paying_shop)
    path = story.accept(house, paying_shop, offer)
    story.give_card(house, paying_shop, gateway, path, "funds")
    assert story.states(house, paying_shop)[0] == "retry_wait"

    assert house.client().post(f"{path}/card").status_code == 303
    house.rest(paying_shop)
    story.give_card(house, paying_shop, gateway, path, "ok")

    assert story.states(house, paying_shop) == ["paid", "scheduled", "scheduled"]
    assert story.captured(house, paying_shop, gateway) == [3334]


def test_a_subscription_is_collected_month_after_month_until_it_is_cancelled(
    house: TestHouse, gateway: SandboxProcess, mails: Letterbox
) -> None:
    shop = house.add_shop(
        sandbox=gateway.settings(), kind="subscription", country="NO", locale="en", timezone="Europe/Oslo"
    )
    plan = story.begin_plan(house, shop, gateway)
    house.travel(shop, days=62)
    assert story.states(house, shop) == ["paid", "paid", "paid", "scheduled"]

    portal = story.link(house, shop, "p", plan.id)
    assert house.client().post(f"{portal}/cancel", data={}).status_code == 200
    house.travel(shop, days=62)

    assert story.states(house, shop) == ["paid", "paid", "paid", "void"]
    assert story.captured(house, shop, gateway) == [10000, 10000, 10000]
