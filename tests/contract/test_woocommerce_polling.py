"""Turning the pages of a list that changes meanwhile, as WooCommerce's counting API makes it hard."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.woocommerce import WooCommerce
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import CartChanged, PaymentFailed
from plugin_backend.sdk.errors import NoAnswer, Refused, RepriseError
from plugin_backend.sdk.http import Request, Response
from tests.contract.connector_shops import Answers

SINCE = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SETTINGS = {"url": "https://shop.example", "secret": "s", "consumer_key": "ck_1", "consumer_secret": "cs_1"}


class Shelf:
    """A shop with orders of these numbers. After each page those of the next set leave the list, and those of the one
    after it come in. One that ``counts`` not has never heard of an offset."""

    def __init__(self, numbers: list[int], *, counts: bool = True) -> None:
        self.numbers, self.counts = set(numbers), counts
        self.leaving: list[set[int]] = []
        self.coming: list[set[int]] = []
        self.queries: list[dict[str, list[str]]] = []
        self.date = "Sun, 22 Nov 2026 13:00:00 GMT"

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        query = parse_qs(urlsplit(request.url).query)
        self.queries.append(query)
        begin = int(query["offset"][0]) if self.counts else 0
        page = sorted(self.numbers)[begin : begin + int(query["per_page"][0])]
        if self.leaving:
            self.numbers -= self.leaving.pop(0)
        if self.coming:
            self.numbers |= self.coming.pop(0)
        return Response(200, {"date": self.date}, json.dumps([_order(number) for number in page]).encode())


def _order(number: int) -> dict[str, object]:
    return {
        "id": number,
        "status": "pending",
        "currency": "EUR",
        "total": "10.00",
        "date_modified_gmt": "2026-11-22T12:30:00",
        "line_items": [{"name": "Lamp", "quantity": 1, "total": "10.00"}],
    }


def told(shelf: Shelf) -> list[int]:
    """The numbers of all baskets that are told, turning page after page."""
    one, cursor, found = WooCommerce(SETTINGS, shelf), "", list[int]()
    for _ in range(60):
        page = one.fetch("carts", SINCE, cursor)
        found += [int(event.key[6:]) for event in page.events if isinstance(event, CartChanged)]
        cursor = page.cursor
        if not cursor:
            return found
    raise AssertionError("the pages have no end")


NUMBERS = st.sets(st.integers(1, 450), max_size=60)


@settings(max_examples=25)
@given(leaving=st.lists(NUMBERS, max_size=8))
def test_what_stays_in_the_list_is_told_once_whatever_leaves_it_while_pages_are_turned(
    leaving: list[set[int]],
) -> None:
    shelf = Shelf(list(range(1, 451)))
    shelf.leaving = [set(one) for one in leaving]
    seen = told(shelf)
    assert shelf.numbers <= set(seen)
    assert len(seen) == len(set(seen))


@given(leaving=st.lists(NUMBERS, max_size=5), coming=st.lists(st.sets(st.integers(451, 520)), max_size=5))
def test_what_comes_in_at_the_end_is_told_too(leaving: list[set[int]], coming: list[set[int]]) -> None:
    shelf = Shelf(list(range(1, 331)))
    shelf.leaving, shelf.coming = [set(one) for one in leaving], [set(one) for one in coming]
    assert shelf.numbers <= set(told(shelf)) | set().union(*coming)


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 199, 200, 298, 299, 300])
def test_lists_of_any_length_come_to_their_end(count: int) -> None:
    assert told(Shelf(list(range(1, count + 1)))) == list(range(1, count + 1))


def test_a_shop_that_shows_the_same_page_again_and_again_is_not_asked_for_ever() -> None:
    with pytest.raises(NoAnswer, match="again and again"):
        told(Shelf(list(range(1, 301)), counts=False))


def test_baskets_in_the_trash_are_asked_for_with_the_others() -> None:
    shelf = Shelf([1])
    told(shelf)
    assert shelf.queries[0]["status"] == ["checkout-draft,pending,failed,trash"]
    assert shelf.queries[0]["modified_after"] == ["2026-11-22T12:00:00"]


def test_a_shop_without_the_block_checkout_is_asked_without_its_drafts() -> None:
    class Classic(Shelf):
        def send(self, request: Request, *, timeout: float | None = None) -> Response:
            answer = super().send(request, timeout=timeout)
            drafts = "checkout-draft" in self.queries[-1]["status"][0]
            return Response(400, {}, b'{"code": "rest_invalid_param"}') if drafts else answer

    shelf = Classic([1, 2])
    assert told(shelf) == [1, 2]
    assert shelf.queries[-1]["status"] == ["pending,failed,trash"]
    with pytest.raises(Refused):
        WooCommerce(SETTINGS, Answers(Response(400, {}, b"{}"))).fetch("carts", SINCE)


@pytest.mark.parametrize(
    ("header", "at"),
    [
        ("Sun, 22 Nov 2026 13:00:00 GMT", datetime(2026, 11, 22, 13, 0, tzinfo=UTC)),
        ("", None),
        ("yesterday", None),
        ("Sun, 22 Nov 99999 13:00:00 GMT", None),
    ],
)
def test_the_clock_of_the_shop_is_read_where_it_shows_one(header: str, at: datetime | None) -> None:
    shelf = Shelf([1])
    shelf.date = header
    assert WooCommerce(SETTINGS, shelf).fetch("orders", SINCE).at == at


@settings(max_examples=25)
@given(cursor=st.text(max_size=30))
def test_a_cursor_that_is_none_begins_anew(cursor: str) -> None:
    shelf = Shelf([7])
    page = WooCommerce(SETTINGS, shelf).fetch("carts", SINCE, cursor)
    assert len(page.events) <= 1


class Failed:
    """A shop with one failed order, and what its notes answer."""

    def __init__(self, notes: Response, *, modified: datetime | None = None, **more: object) -> None:
        self.notes, self.asked = notes, 0
        at = (modified or clock.real_now()).replace(tzinfo=None).isoformat(timespec="seconds")
        self.order = {**_order(7), "status": "failed", "date_modified_gmt": at, **more}

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        if urlsplit(request.url).path.endswith("/orders/7/notes"):
            self.asked += 1
            return self.notes
        return Response(200, {}, json.dumps([self.order]).encode())


def declined(shop: Failed) -> str:
    (event,) = WooCommerce(SETTINGS, shop).fetch("carts", SINCE).events
    assert isinstance(event, PaymentFailed)
    return event.decline


def noted(*notes: str, to_the_customer: bool = False) -> Response:
    told = [{"id": at, "note": note, "customer_note": to_the_customer} for at, note in enumerate(notes)]
    return Response(200, {}, json.dumps(told).encode())


@pytest.mark.parametrize(
    ("notes", "decline"),
    [
        (noted("Stripe SCA: payment failed. Your card has insufficient funds."), "funds"),
        (noted("<b>Refused</b>: the card&#039;s limit was exceeded", "Order status changed"), "limit"),
        (noted("Order status changed from Pending payment to Failed."), "unknown"),
        (noted("Payment failed", "Customer's card is blocked: lost card"), "fraud"),
        (noted("lost card", to_the_customer=True), "unknown"),
        (noted(), "unknown"),
        (Response(200, {}, b'{"notes": "none"}'), "unknown"),
        (Response(403, {}, b"{}"), "unknown"),
    ],
)
def test_why_a_payment_failed_is_read_in_the_order_s_notes(notes: Response, decline: str) -> None:
    assert declined(Failed(notes)) == decline


def test_what_the_order_itself_says_is_not_looked_up_nor_what_is_long_over() -> None:
    told = Failed(noted("lost card"), meta_data=[{"key": "_reprise_decline", "value": "insufficient funds"}])
    assert (declined(told), told.asked) == ("funds", 0)
    old = Failed(noted("lost card"), modified=clock.real_now() - timedelta(days=2))
    assert (declined(old), old.asked) == ("unknown", 0)


@pytest.mark.parametrize("answer", [Response(500, {}, b""), Response(429, {}, b"")])
def test_where_the_notes_cannot_be_had_now_the_list_is_asked_for_again(answer: Response) -> None:
    """A card that was reported stolen must not pass for one of which nothing is known."""
    with pytest.raises(RepriseError) as raised:
        declined(Failed(answer))
    assert not raised.value.permanent
