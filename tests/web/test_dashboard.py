"""The dashboard: who gets in, what each page shows, and what an operator may do."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from plugin_backend.core.db import transaction
from plugin_backend.core.ids import new_id
from plugin_backend.domain import cases, merchants, moves, objects, outbox, plans, staff
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import Merchant, Shop
from plugin_backend.domain.messages import Message
from plugin_backend.domain.outbox import Out
from plugin_backend.sdk import clock
from plugin_backend.sdk.gateway import Decline, Declined
from plugin_backend.sdk.money import Money
from tests import plan_story as story
from tests.house import TestHouse
from tests.unit.html_checks import text_of, well_formed

PASSWORD = "a password that is long"
TABS = sorted(objects.NOUNS)
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Operator:
    """A user and his browser."""

    email: str
    client: FlaskClient

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers=headers)

    def post(self, path: str, **fields: str) -> TestResponse:
        """Send a form as the dashboard's own page would."""
        token = _CSRF.search(self.get("/shops").text)
        assert token is not None
        return self.client.post(
            path, data={"csrf": token[1], **fields}, headers={"Sec-Fetch-Site": "same-origin"}
        )


def add_user(house: TestHouse, merchant_id: str) -> str:
    email = f"{new_id('op')}@example.test"
    with house.worker.app_context(), transaction(None) as session:
        staff.add_user(session, merchant_id, email, PASSWORD)
    return email


def signed_in(house: TestHouse, merchant_id: str) -> Operator:
    operator = Operator(add_user(house, merchant_id), house.client())
    answer = operator.client.post("/login", data={"email": operator.email, "password": PASSWORD})
    assert answer.status_code == 303
    return operator


@pytest.fixture
def operator(house: TestHouse, shop: Shop) -> Operator:
    return signed_in(house, shop.merchant_id)


@pytest.fixture
def busy(house: TestHouse) -> Shop:
    """A shop with something of everything: its plan was paid once and declined once, in two currencies."""
    shop = story.add_paying_shop(house)
    assert house.woo(shop, "order.updated", b"[]", **{"X-WC-Webhook-ID": "8"}) == 200
    house.rest(shop)
    with house.of(shop) as session:
        for total, email in (
            (Money(10000, "EUR"), "ana@example.test"),
            (Money(9000, "JPY"), "bo@example.test"),
        ):
            plan = story.accepted_plan(session, shop, total, email)
            story.charged(session, shop, plan.id, 1)
            row = story.charged(session, shop, plan.id, 2, Declined(Decline.NEVER, "14"))
            cases.open_case(session, shop.id, "shop_not_told", row, reason="no answer")
        story.compared(session, shop)
    return shop


def first(house: TestHouse, shop: Shop, model: type[Any]) -> Any:
    with house.of(shop) as session:
        return session.scalars(
            select(model).where(model.shop_id == shop.id).order_by(model.id).limit(1)
        ).one()


def opened(house: TestHouse, shop: Shop, kind: str, subject: str, **facts: Any) -> str:
    with house.of(shop) as session:
        return cases.open_case(session, shop.id, kind, subject, **facts).id


# The way in.


@pytest.mark.parametrize(
    "path", ["/", "/shops", "/shops/shop_x/", "/shops/shop_x/carts", "/shops/shop_x/carts/c"]
)
def test_who_is_not_signed_in_is_sent_to_the_way_in(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.location) == (303, "/login")


def test_a_wrong_password_and_an_unknown_address_look_the_same(house: TestHouse, shop: Shop) -> None:
    client, email = house.client(), add_user(house, shop.merchant_id)
    wrong = client.post("/login", data={"email": email, "password": "not that one"})
    unknown = client.post("/login", data={"email": "x" + email, "password": PASSWORD})

    assert wrong.status_code == unknown.status_code == 403
    assert wrong.text.replace(email, "") == unknown.text.replace("x" + email, "")
    assert "Set-Cookie" not in wrong.headers


@pytest.mark.parametrize("email", ["", "\0", "a\0@example.test", "x" * 5000])
def test_an_address_that_is_none_is_refused_and_breaks_nothing(client: FlaskClient, email: str) -> None:
    assert client.post("/login", data={"email": email, "password": "x"}).status_code == 403


def test_the_cookie_is_for_us_alone(house: TestHouse, shop: Shop) -> None:
    email = add_user(house, shop.merchant_id)
    answer = house.client().post("/login", data={"email": email, "password": PASSWORD})
    cookie = answer.headers["Set-Cookie"]

    assert cookie.startswith("reprise_session=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


def test_over_https_the_cookie_is_bound_to_the_host(
    house: TestHouse, shop: Shop, web_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = web_app.extensions["reprise"]
    monkeypatch.setattr(kept, "config", replace(kept.config, base_url="https://reprise.test"))
    email = add_user(house, shop.merchant_id)
    client = house.client()
    answer = client.post(
        "/login", data={"email": email, "password": PASSWORD}, base_url="https://reprise.test"
    )
    cookie = answer.headers["Set-Cookie"]

    assert cookie.startswith("__Host-reprise=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert client.get("/shops", base_url="https://reprise.test").status_code == 200


def test_a_sign_in_link_works_once_and_opening_it_uses_nothing_up(house: TestHouse, shop: Shop) -> None:
    path = make_link(house, shop)
    client = house.client()

    assert client.get(path).status_code == client.get(path).status_code == 200
    assert client.get("/shops").status_code == 303
    assert client.post(path).location == "/shops"
    assert client.get("/shops").status_code == 200
    assert house.client().post(path).status_code == 404


@pytest.mark.parametrize("spoil", [lambda path: path + "x", lambda path: path.replace("/login/", "/login/9")])
def test_a_changed_sign_in_link_leads_nowhere(
    house: TestHouse, shop: Shop, spoil: Callable[[str], str]
) -> None:
    assert house.client().post(spoil(make_link(house, shop))).status_code == 404


def test_a_sign_in_link_ends(house: TestHouse, shop: Shop) -> None:
    path = make_link(house, shop, lasts=timedelta(seconds=-1))

    assert house.client().post(path).status_code == 404


def make_link(house: TestHouse, shop: Shop, **lasts: timedelta) -> str:
    with house.worker.app_context(), transaction(None) as session:
        user = staff.add_user(session, shop.merchant_id, f"{new_id('op')}@example.test", PASSWORD)
        return staff.sign_in_link(session, user, **lasts)


def test_signing_out_ends_the_session(operator: Operator) -> None:
    token = operator.client.get_cookie("reprise_session")
    assert token is not None
    assert operator.post("/logout").location == "/login"
    operator.client.set_cookie("reprise_session", token.value)

    assert operator.get("/shops").location == "/login"


# Forms.


@pytest.mark.parametrize("fields", [{}, {"csrf": ""}, {"csrf": "é"}, {"csrf": "x" * 32}])
def test_a_form_without_its_token_is_refused(operator: Operator, shop: Shop, fields: dict[str, str]) -> None:
    for path in (f"/shops/{shop.id}/clock", "/logout", f"/shops/{shop.id}/deliveries/x/replay"):
        assert operator.client.post(path, data={"step": "hour", **fields}).status_code == 400
    assert operator.get("/shops").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.test"},
    ],
)
def test_a_form_of_another_site_is_refused(house: TestHouse, shop: Shop, headers: dict[str, str]) -> None:
    form = {"email": add_user(house, shop.merchant_id), "password": PASSWORD}

    assert house.client().post("/login", data=form, headers=headers).status_code == 400
    assert house.client().post("/login", data=form, headers={"Origin": "null"}).status_code == 303
    own = {"Origin": house.settings.base_url}
    assert house.client().post("/login", data=form, headers=own).status_code == 303


def test_nothing_is_done_by_looking(operator: Operator, shop: Shop) -> None:
    for path in (
        "clock",
        "deliveries/x/replay",
        "cases/x/resolve/resolve",
        "plans/x/cancel",
        "outbox/x/retry",
    ):
        assert operator.get(f"/shops/{shop.id}/{path}").status_code in (404, 405)
    assert operator.get("/logout").status_code == 405


# Whose shops.


def test_the_shop_of_another_merchant_does_not_exist(house: TestHouse, busy: Shop) -> None:
    with house.worker.app_context(), transaction(None) as session:
        other = Merchant(id=new_id("mer"), name="Other")
        session.add(other)
    stranger = signed_in(house, other.id)
    message = first(house, busy, Message).id
    paths = ["", "carts", f"messages/{message}", f"messages/{message}/preview", "nonsense"]

    assert all(stranger.get(f"/shops/{busy.id}/{path}").status_code == 404 for path in paths)
    assert stranger.post(f"/shops/{busy.id}/clock", step="hour").status_code == 404
    assert busy.name not in stranger.get("/shops").text


def test_an_object_of_another_shop_does_not_exist_here(
    house: TestHouse, operator: Operator, shop: Shop, busy: Shop
) -> None:
    row = first(house, busy, DeliveryRow)

    assert operator.get(f"/shops/{busy.id}/deliveries/{row.id}").status_code == 200
    assert operator.get(f"/shops/{shop.id}/deliveries/{row.id}").status_code == 404
    assert operator.post(f"/shops/{shop.id}/deliveries/{row.id}/replay").status_code == 404


@pytest.mark.parametrize(
    "path", ["nonsense", "carts/x", "carts/cart_x%00", "nonsense/x", "messages/x/preview"]
)
def test_what_is_not_there_is_told_plainly(operator: Operator, shop: Shop, path: str) -> None:
    assert operator.get(f"/shops/{shop.id}/{path}").status_code in (400, 404)


# What the pages show.


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("tab", ["", *TABS])
def test_a_page_of_an_empty_shop_says_that_there_is_nothing(
    operator: Operator, shop: Shop, tab: str, language: str
) -> None:
    answer = operator.get(f"/shops/{shop.id}/{tab}?lang={language}")

    assert answer.status_code == 200
    assert well_formed(answer.text).root("html")["lang"] == language
    assert "<tbody>" not in answer.text


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_page_shows_its_rows_and_each_row_its_details(
    house: TestHouse, operator: Operator, busy: Shop, language: str
) -> None:
    with house.of(busy) as session:
        for email in ("cy@example.test", "di@example.test"):
            plan = story.accepted_plan(session, busy, Money(10000, "EUR"), email)
            story.charged(session, busy, plan.id, 1)
            story.credited(session, busy, plan.id, Money(8000, "EUR"))
        story.disputed(session, busy, plan.id)
    for tab in TABS:
        listed = operator.get(f"/shops/{busy.id}/{tab}?lang={language}")
        links = set(
            re.findall(rf'<th scope="row"><a href="(/shops/{busy.id}/{tab}/[a-z0-9_]+)"', listed.text)
        )
        assert links, tab
        assert well_formed(listed.text).root("html")["lang"] == language
        for link in links:
            shown = operator.get(link)
            assert shown.status_code == 200, link
            assert well_formed(shown.text).root("html")["lang"] == language
            assert story.TOKEN not in shown.text


def test_the_language_that_was_chosen_is_kept(operator: Operator) -> None:
    operator.get("/shops?lang=fr")

    assert well_formed(operator.get("/shops").text).root("html")["lang"] == "fr"


def test_home_shows_each_currency_by_itself(house: TestHouse, operator: Operator, busy: Shop) -> None:
    text = text_of(operator.get(f"/shops/{busy.id}/?lang=en").text)

    assert "Recovered €33.34 ¥3,000 How" in text
    assert "At risk €33.33 ¥3,000 How" in text


def test_home_names_what_waits_for_a_person(house: TestHouse, operator: Operator, busy: Shop) -> None:
    answer = operator.get(f"/shops/{busy.id}/?lang=en")

    assert "A collection could not be taken" in answer.text
    assert "The shop could not be told" in answer.text


def test_lists_go_on_on_another_page(house: TestHouse, operator: Operator, shop: Shop) -> None:
    with house.of(shop) as session:
        for number in range(objects.PAGE + 2):
            cases.open_case(session, shop.id, "work_failed", f"row-{number:03}")
    newest = operator.get(f"/shops/{shop.id}/cases").text
    older = re.search(r'href="([^"]+)" rel="next"', newest)
    assert older is not None
    oldest = operator.get(older[1]).text

    assert set(re.findall(r"row-\d{3}", oldest)) == {"row-000", "row-001"}
    assert not set(re.findall(r"row-\d{3}", newest)) & {"row-000", "row-001"}
    assert 'rel="next"' not in oldest


def test_a_mail_is_shown_where_it_can_do_nothing(house: TestHouse, operator: Operator, busy: Shop) -> None:
    message = first(house, busy, Message)
    shown = operator.get(f"/shops/{busy.id}/messages/{message.id}")
    (frame,) = well_formed(shown.text).all("iframe")
    preview = operator.get(frame["src"])

    assert frame["sandbox"] == ""
    assert preview.text == message.html
    assert preview.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert f"/o/~{message.subject_id}" in shown.text


def test_what_a_shop_sent_is_never_markup(house: TestHouse, operator: Operator, shop: Shop) -> None:
    assert house.woo(shop, "order.updated", b'{"id": "<script>alert(1)</script>"}') == 200
    row = first(house, shop, DeliveryRow)

    assert "<script" not in operator.get(f"/shops/{shop.id}/deliveries/{row.id}").text


# What an operator does.


def test_a_replayed_delivery_is_to_be_read_again(house: TestHouse, operator: Operator, shop: Shop) -> None:
    assert house.woo(shop, "order.updated", b"[]") == 200
    house.rest(shop)
    before = first(house, shop, DeliveryRow)
    answer = operator.post(f"/shops/{shop.id}/deliveries/{before.id}/replay")
    after = first(house, shop, DeliveryRow)

    assert before.state in ("ignored", "unreadable")
    assert answer.location == f"/shops/{shop.id}/deliveries/{before.id}?notice=replayed"
    assert after.state == "received"
    assert after.due_at is not None
    assert "The webhook will be read again." in operator.get(f"{answer.location}&lang=en").text
    house.rest(shop)
    assert first(house, shop, DeliveryRow).state == before.state


def test_a_delivery_whose_body_was_purged_cannot_be_replayed(
    house: TestHouse, operator: Operator, shop: Shop
) -> None:
    assert house.woo(shop, "order.updated", b"[]") == 200
    house.rest(shop)
    row = first(house, shop, DeliveryRow)
    with house.of(shop) as session:
        session.get_one(DeliveryRow, (shop.id, row.id)).body = None

    assert "/replay" not in operator.get(f"/shops/{shop.id}/deliveries/{row.id}").text
    assert operator.post(f"/shops/{shop.id}/deliveries/{row.id}/replay").status_code == 409


@pytest.mark.parametrize(
    ("step", "least", "most"),
    # A day or a month ends at ten in the shop at the earliest, and a clock change may lie between.
    [("hour", 3600, 3600), ("day", 82800, 126000), ("month", 28 * 86400 - 3600, 32 * 86400)],
)
def test_the_clock_of_a_test_shop_is_sent_on(
    house: TestHouse, operator: Operator, shop: Shop, step: str, least: int, most: int
) -> None:
    before = house.now(shop)
    answer = operator.post(f"/shops/{shop.id}/clock", step=step)
    goal = goal_of(house, shop)

    assert answer.status_code == 303
    assert goal is not None
    assert timedelta(seconds=least) <= goal - before <= timedelta(seconds=most + 60)
    operator.post(f"/shops/{shop.id}/clock", step=step)
    further = goal_of(house, shop)
    assert further is not None
    assert timedelta(seconds=2 * least) <= further - before <= timedelta(seconds=2 * most + 60)


def test_a_step_that_is_none_moves_nothing(house: TestHouse, operator: Operator, shop: Shop) -> None:
    assert operator.post(f"/shops/{shop.id}/clock", step="year").status_code == 400
    assert goal_of(house, shop) is None


def test_the_clock_of_a_live_shop_is_nobodys_to_move(
    house: TestHouse, operator: Operator, shop: Shop
) -> None:
    with house.of(shop) as session:
        session.get_one(Shop, shop.id).mode = "live"

    assert operator.post(f"/shops/{shop.id}/clock", step="hour").status_code == 404
    assert 'class="clock"' not in operator.get(f"/shops/{shop.id}/").text
    assert goal_of(house, shop) is None


def goal_of(house: TestHouse, shop: Shop) -> Any:
    with house.worker.app_context():
        return merchants.load_shop(shop.id).travel_to


def test_a_decided_case_is_settled_once(house: TestHouse, operator: Operator, shop: Shop) -> None:
    case = opened(house, shop, "work_failed", "row")
    path = f"/shops/{shop.id}/cases/{case}"

    assert f"{path}/resolve/resolve" in operator.get(path).text
    assert operator.post(f"{path}/resolve/cancel").status_code == 404
    assert operator.post(f"{path}/resolve/resolve").status_code == 303
    assert operator.post(f"{path}/resolve/resolve").status_code == 303
    with house.of(shop) as session:
        found = session.get_one(cases.Case, (shop.id, case))
        steps = [step["after"] for step in objects.history(session, shop.id, case)]
    assert (found.state, found.reason, steps) == ("resolved", "resolve", ["open", "resolved"])


@pytest.mark.parametrize(
    ("decision", "state"), [("resume", "active"), ("cancel", "cancelled"), ("resolve", "paused")]
)
def test_what_becomes_of_a_plan_that_could_not_be_collected_is_decided(
    house: TestHouse, operator: Operator, busy: Shop, decision: str, state: str
) -> None:
    with house.of(busy) as session:
        case = session.scalars(select(cases.Case).where(cases.Case.kind == "collection_exhausted")).first()
    assert operator.post(f"/shops/{busy.id}/cases/{case.id}/resolve/{decision}").status_code == 303

    with house.of(busy) as session:
        assert session.get_one(plans.Plan, (busy.id, case.facts["plan"])).state == state


def test_a_plan_is_paused_taken_up_again_and_ended(house: TestHouse, operator: Operator) -> None:
    shop = story.add_paying_shop(house)
    with house.of(shop) as session:
        plan = story.accepted_plan(session, shop, Money(10000, "EUR"))
        story.charged(session, shop, plan.id, 1)
    path = f"/shops/{shop.id}/plans/{plan.id}"

    for verb, state in (("pause", "paused"), ("resume", "active"), ("cancel", "cancelled")):
        assert f"{path}/{verb}" in operator.get(path).text
        assert operator.post(f"{path}/{verb}").status_code == 303
        assert first(house, shop, plans.Plan).state == state
    assert operator.post(f"{path}/cancel").status_code == 404
    assert operator.post(f"{path}/resume").status_code == 303
    assert first(house, shop, plans.Plan).state == "cancelled"


def test_a_mail_that_was_given_up_is_told_again(house: TestHouse, operator: Operator, busy: Shop) -> None:
    with house.of(busy) as session:
        row = session.scalars(select(Out).where(Out.kind == "mail").order_by(Out.seq).limit(1)).one()
        outbox.done(session, row, "parked", "refused")
        moves.move(session, session.get_one(Message, (busy.id, row.what)), "bounced", "refused")
    page = operator.get(f"/shops/{busy.id}/messages/{row.what}").text
    path = f"/shops/{busy.id}/outbox/{row.id}/retry"

    assert path in page
    assert operator.post(path).location == f"/shops/{busy.id}/messages/{row.what}?notice=done"
    with house.of(busy) as session:
        again = session.get_one(Out, (busy.id, row.id))
        assert (again.state, again.tries) == ("queued", 0)
        assert again.due_at is not None
        assert again.due_at <= clock.now()
        assert session.get_one(Message, (busy.id, row.what)).state == "queued"
