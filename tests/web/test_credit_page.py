"""The page on which a merchant credits a plan: he is shown what it comes to, and exactly that is done, once."""

import re
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from plugin_backend.domain import billing
from plugin_backend.domain.billing import CreditNote, Refund
from plugin_backend.domain.cases import Case
from plugin_backend.domain.merchants import Shop
from plugin_backend.sdk.money import Money
from tests import plan_story, story
from tests.house import TestHouse
from tests.unit.html_checks import well_formed
from tests.web.test_dashboard import Operator, signed_in


@pytest.fixture
def paying(house: TestHouse) -> Shop:
    return plan_story.add_paying_shop(house)


@pytest.fixture
def page(house: TestHouse, paying: Shop) -> str:
    """The address of the page for a plan of 100.00 in three, whose first payment was captured."""
    with house.of(paying) as session:
        plan = plan_story.accepted_plan(session, paying, Money(10000, "EUR"))
        plan_story.charged(session, paying, plan.id, 1)
        return f"/shops/{paying.id}/plans/{plan.id}/credit"


@pytest.fixture
def operator(house: TestHouse, paying: Shop) -> Operator:
    return signed_in(house, paying.merchant_id)


def forms(text: str) -> list[dict[str, str]]:
    """The hidden fields of each form that confirms something."""
    found = re.findall(r'<form method="post" action="[^"]*/credit">(.*?)</form>', text, re.DOTALL)
    return [dict(re.findall(r'name="([a-z]+)" value="([^"]*)"', form)) for form in found]


def notes(house: TestHouse, shop: Shop) -> list[tuple[int, int, int]]:
    with house.of(shop) as session:
        rows = session.scalars(select(CreditNote).order_by(CreditNote.number))
        return [(row.amount, row.taken_off, row.given_back) for row in rows]


def test_the_plans_page_leads_there_and_looking_changes_nothing(
    house: TestHouse, paying: Shop, operator: Operator, page: str
) -> None:
    assert f'href="{page}"' in operator.get(page.removesuffix("/credit")).text
    for query in ("", "?amount=20", "?everything=1", "?amount=20&first=card", "?line=0"):
        assert operator.get(page + query).status_code == 200
    assert notes(house, paying) == []


@pytest.mark.parametrize("language", ["en", "fr"])
def test_both_ways_are_shown_and_each_is_a_button(operator: Operator, page: str, language: str) -> None:
    shown = operator.get(f"{page}?amount=20,00&lang={language}")

    assert well_formed(shown.text).root("html")["lang"] == language
    assert [form["rest"] for form in forms(shown.text)] == ["end", "spread"]
    assert {form["amount"] for form in forms(shown.text)} == {"20.00"}
    for amount in ("13.33", "23.33"):
        assert amount in shown.text.replace(",", ".")


@pytest.mark.parametrize("query", ["?amount=80", "?everything=1", "?amount=20&first=card"])
def test_where_both_ways_come_to_the_same_there_is_one_button(
    operator: Operator, page: str, query: str
) -> None:
    assert len(forms(operator.get(page + query).text)) == 1


def test_lines_of_the_basket_are_credited_by_choosing_them(operator: Operator, page: str) -> None:
    (form,) = forms(operator.get(f"{page}?line=0&amount=").text)
    assert form["amount"] == "100.00"


@pytest.mark.parametrize("typed", ["x", "", "-5", "0", "100.01", "1.001", "1e3", "9" * 40])
def test_what_cannot_be_credited_is_told_and_offers_no_button(
    house: TestHouse, paying: Shop, operator: Operator, page: str, typed: str
) -> None:
    answer = operator.client.get(page, query_string={"amount": typed})

    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert forms(answer.text) == []


def test_what_was_shown_is_done_once_however_often_it_is_sent(
    house: TestHouse, paying: Shop, operator: Operator, page: str
) -> None:
    (form,) = forms(operator.get(f"{page}?amount=80").text)
    for _ in range(2):
        answer = operator.post(page, **form)
        assert (answer.status_code, urlsplit(answer.location).path) == (303, page.removesuffix("/credit"))

    assert notes(house, paying) == [(8000, 6666, 1334)]
    with house.of(paying) as session:
        assert session.scalars(select(Refund.amount)).all() == [1334]
    told = operator.get(page.removesuffix("/credit")).text.replace(",", ".")
    assert "13.34" in told and "66.66" in told


def test_a_plan_that_changed_meanwhile_is_shown_anew_and_nothing_is_done(
    house: TestHouse, paying: Shop, operator: Operator, page: str
) -> None:
    form = forms(operator.get(f"{page}?amount=20").text)[0]
    plan_id = page.split("/")[4]
    with house.of(paying) as session:
        plan_story.charged(session, paying, plan_id, 2)
        plan_story.charged(session, paying, plan_id, 3)
    answer = operator.post(page, **form)

    assert answer.status_code == 409
    assert notes(house, paying) == []
    (anew,) = forms(answer.text)
    assert operator.post(page, **anew).status_code == 303
    assert notes(house, paying) == [(2000, 0, 2000)]


def test_a_plan_that_was_cancelled_meanwhile_gives_back_what_it_took_and_no_more(
    house: TestHouse, paying: Shop, operator: Operator, page: str
) -> None:
    form = forms(operator.get(f"{page}?everything=1").text)[0]
    with house.of(paying) as session:
        billing.stop(session, paying, page.split("/")[4], "cancelled", "cancelled_by_merchant")
    answer = operator.post(page, **form)

    assert answer.status_code == 409
    assert notes(house, paying) == []


def test_a_form_of_another_site_or_session_does_nothing(
    house: TestHouse, paying: Shop, operator: Operator, page: str
) -> None:
    form = forms(operator.get(f"{page}?amount=80").text)[0]
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert operator.client.post(page, data=form, headers=foreign).status_code == 400
    assert operator.client.post(page, data={**form, "csrf": "x"}).status_code == 400
    assert house.client().post(page, data=form).location == "/login"
    assert notes(house, paying) == []


@pytest.mark.parametrize("field", ["rest", "first", "amount"])
def test_a_form_that_no_page_of_ours_made_is_refused(operator: Operator, page: str, field: str) -> None:
    form = forms(operator.get(f"{page}?amount=80").text)[0]
    assert operator.post(page, **{**form, field: "elsewhere"}).status_code == 400


def test_another_shops_plan_is_not_found(house: TestHouse, operator: Operator, page: str) -> None:
    other = house.add_shop()
    assert operator.get(page.replace(page.split("/")[2], other.id)).status_code == 404
    assert operator.get(page.replace("/pln_", "/pln_0")).status_code == 404


def test_what_the_shop_gave_back_by_itself_leads_here_and_is_settled_by_it(
    house: TestHouse, paying: Shop, operator: Operator, page: str
) -> None:
    refunded = story.draft(1042, status="processing", date_modified_gmt="2026-11-23T10:00:00")
    for total in ("-15.00", "-15.00", "-20.00"):
        refunded["refunds"] = [{"id": 1, "total": total}]
        assert house.woo(paying, "order.updated", refunded, **{"X-WC-Webhook-Delivery-ID": total}) == 200
        house.rest(paying)
    with house.of(paying) as session:
        (case,) = session.scalars(select(Case).where(Case.kind == "refunded_in_shop"))
    shown = operator.get(f"/shops/{paying.id}/cases/{case.id}").text
    (way,) = re.findall(r'href="([^"]*/credit\?[^"]*)"', shown)
    form = forms(operator.get(way.replace("&amp;", "&")).text)[0]
    assert operator.post(page, **form).status_code == 303

    assert notes(house, paying) == [(2000, 2000, 0)]
    with house.of(paying) as session:
        (case,) = session.scalars(select(Case).where(Case.kind == "refunded_in_shop"))
        assert (case.state, case.reason) == ("resolved", "credit")
    refunded["refunds"] = [{"id": 1, "total": "-20.00"}, {"id": 2, "total": "-5.00"}]
    assert house.woo(paying, "order.updated", refunded, **{"X-WC-Webhook-Delivery-ID": "d9"}) == 200
    house.rest(paying)
    with house.of(paying) as session:
        again = session.scalars(
            select(Case).where(Case.kind == "refunded_in_shop", Case.state == "open")
        ).one()
        assert again.facts["amount"] == {"amount": 500, "currency": "EUR"}
