"""Stripe's own weaknesses, and what the adapter makes of them: errors that are kept, keys that are forgotten, requests that
are done when nobody waits any more, debits that end days later. The fake's file is the judge of money."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from plugin_backend.gateways.stripe.gateway import Stripe
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import Unreadable
from plugin_backend.sdk.gateway import (
    Absent,
    CardStored,
    CardUpdated,
    ChargeRequest,
    Closed,
    Decline,
    Declined,
    DisputeChanged,
    InDoubt,
    NotExecuted,
    Pending,
    RefundChanged,
    RefundRequest,
    RequiresAction,
    SetupFailed,
    SetupPending,
    SetupRequest,
    Succeeded,
    Trace,
)
from plugin_backend.sdk.http import HttpClient, Request, Response
from plugin_backend.sdk.money import Money
from tests.contract.gateway_process import Receiver
from tests.contract.stripe_process import StripeProcess

DAY = 86_400
PRICE = Money(3334, "EUR")
HTTP = HttpClient(allow_private=True, timeout=5.0)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeProcess]:
    with StripeProcess(tmp_path_factory.mktemp("stripe") / "ledger.sqlite") as process:
        yield process


@pytest.fixture
def process(running: StripeProcess) -> StripeProcess:
    running.another_account()
    return running


def live(process: StripeProcess, callback_url: str = "") -> Stripe:
    return Stripe(process.settings(callback_url), HTTP)


def setup(reference: str = "set_1", kind: str = "card") -> SetupRequest:
    words = ("https://house.example/back", PRICE, "cus_1", "ana@example.test", "fr", "A chair", "instalment")
    return SetupRequest(reference, *words, kind=kind)


def stored(process: StripeProcess, card: str = "paid", kind: str = "card") -> CardStored:
    page = live(process).begin_setup(setup(kind=kind))
    process.type_card(page.url, card)
    found = live(process).complete_setup("set_1", page.gateway_id)
    assert isinstance(found, CardStored)
    return found


def request(card: CardStored, reference: str = "rp-1", initiator: Any = "merchant") -> ChargeRequest:
    back = "https://house.example/back" if initiator == "customer" else ""
    words = ("instalment", "A chair, 1/3", "col-1", back)
    return ChargeRequest(
        reference, PRICE, card.token, initiator, *words, gateway_customer=card.gateway_customer
    )


def test_an_error_that_is_kept_under_its_key_is_passed_by_another(process: StripeProcess) -> None:
    gateway, asked = live(process), request(stored(process))
    process.order(error_before=1)
    doubt = gateway.charge(asked)
    assert isinstance(doubt, InDoubt) and doubt.gateway_id
    assert gateway.find("rp-1", doubt.gateway_id) == Absent()
    assert isinstance(gateway.charge(asked), Succeeded)
    assert isinstance(gateway.charge(asked), Succeeded)
    assert process.captured("rp-1") == [PRICE]


def test_errors_that_are_kept_under_both_keys_leave_a_doubt_and_the_next_attempt_pays(
    process: StripeProcess,
) -> None:
    gateway, asked = live(process), request(stored(process))
    process.order(error_before=1)
    gateway.charge(asked)
    # The look at what is kept takes one order, too: nothing is worked on for it.
    process.order(error_before=2)
    assert isinstance(gateway.charge(asked), InDoubt)
    assert isinstance(gateway.charge(asked), InDoubt)
    assert gateway.find("rp-1", since=clock.now()) == Absent()
    assert isinstance(gateway.charge(replace(asked, reference="rp-2")), Succeeded)
    assert process.captured("rp-1") == [] and process.captured("rp-2") == [PRICE]


def test_an_error_after_the_capture_is_a_capture(process: StripeProcess) -> None:
    gateway, asked = live(process), request(stored(process))
    process.order(error_after=1)
    doubt = gateway.charge(asked)
    assert isinstance(doubt, InDoubt)
    assert isinstance(gateway.find("rp-1", doubt.gateway_id), Succeeded)
    assert isinstance(gateway.charge(asked), Succeeded)
    assert process.captured("rp-1") == [PRICE]


@pytest.mark.parametrize("fault", ["lost_before", "reset", "garbage", "in_progress", "too_many"])
def test_whatever_happens_to_the_confirmation_is_told_by_one_look(process: StripeProcess, fault: str) -> None:
    gateway, asked = live(process), request(stored(process))
    process.order(**{fault: 1})
    doubt = gateway.charge(asked)
    assert isinstance(doubt, InDoubt) and doubt.gateway_id
    told = gateway.find("rp-1", doubt.gateway_id)
    assert isinstance(told, Succeeded) is (process.captured("rp-1") == [PRICE])
    assert isinstance(gateway.charge(asked), Succeeded)
    assert process.captured("rp-1") == [PRICE]


def test_a_payment_whose_id_nobody_wrote_down_is_listed(process: StripeProcess) -> None:
    gateway, began = live(process), clock.now()
    card = stored(process)
    for number in range(1, 4):
        gateway.charge(request(card, f"rp-{number}"))
    assert isinstance(gateway.find("rp-1", since=began), Succeeded)
    assert gateway.find("rp-9", since=began) == Absent()
    assert gateway.find("rp-1", since=clock.now() + timedelta(days=1)) == Absent()


def test_a_test_shop_whose_clock_stands_ahead_finds_what_it_sent(process: StripeProcess) -> None:
    gateway = live(process)
    with clock.shifted(timedelta(days=400)):
        began = clock.now()
        gateway.charge(request(stored(process)))
        assert isinstance(gateway.find("rp-1", since=began), Succeeded)
        assert [moved.reference for moved in gateway.list_since(began).movements] == ["rp-1"]


def test_a_key_that_was_forgotten_makes_another_payment_which_is_why_nothing_is_sent_so_late(
    process: StripeProcess,
) -> None:
    gateway, asked = live(process), request(stored(process))
    gateway.charge(asked)
    process.facts(ahead=DAY - 60)
    gateway.charge(asked)
    assert process.captured("rp-1") == [PRICE]
    process.facts(ahead=DAY + 60)
    gateway.charge(asked)
    assert process.captured("rp-1") == [PRICE, PRICE]
    assert gateway.capabilities.idempotency_window == timedelta(days=1)


def test_a_payment_that_nobody_confirmed_can_be_closed_and_never_be_made(process: StripeProcess) -> None:
    gateway, asked = live(process), request(stored(process))
    process.order(lost_before=1)
    doubt = gateway.charge(asked)
    assert isinstance(doubt, InDoubt)
    assert gateway.close("rp-1", doubt.gateway_id) == Closed()
    assert gateway.charge(asked) == NotExecuted("closed")
    assert process.captured("rp-1") == []


def test_without_the_customer_a_bank_that_wants_to_see_him_refuses_at_once(process: StripeProcess) -> None:
    gateway, card = live(process), stored(process, "requires_action")
    absent = gateway.charge(request(card))
    assert isinstance(absent, Declined) and absent.decline is Decline.AUTHENTICATION
    assert gateway.find("rp-1", absent.gateway_id) == absent
    present = gateway.charge(request(card, "rp-2", "customer"))
    assert isinstance(present, RequiresAction)
    process.decide(present.url, "approve")
    assert process.captured("rp-2") == [PRICE] and process.captured("rp-1") == []


def test_a_customer_who_is_refused_by_his_bank_is_told_so_when_it_is_closed(process: StripeProcess) -> None:
    gateway = live(process)
    waits = gateway.charge(request(stored(process, "requires_action"), initiator="customer"))
    assert isinstance(waits, RequiresAction)
    process.decide(waits.url, "refuse")
    told = gateway.close("rp-1", waits.gateway_id)
    assert isinstance(told, Declined) and told.decline is Decline.AUTHENTICATION


@pytest.mark.parametrize(
    ("iban", "kind"),
    [("FR1420041010050500013M02606", Succeeded), ("AT861904300235473202", Declined)],
)
def test_a_debit_is_under_way_for_days_and_then_ends(
    process: StripeProcess, iban: str, kind: type[Succeeded] | type[Declined]
) -> None:
    process.another_account(sepa_debit=True)
    gateway, card = live(process), stored(process, iban, "sepa_debit")
    assert (card.kind, card.last4, card.expiry_year) == ("sepa_debit", iban[-4:], 0)
    under_way = gateway.charge(request(card, initiator="customer"))
    assert isinstance(under_way, Pending)
    process.facts(ahead=4 * DAY)
    assert gateway.find("rp-1", under_way.gateway_id) == under_way
    process.facts(ahead=6 * DAY)
    assert isinstance(gateway.find("rp-1", under_way.gateway_id), kind)
    assert process.captured("rp-1") == ([PRICE] if kind is Succeeded else [])


def test_debits_are_not_offered_where_the_account_has_none(process: StripeProcess) -> None:
    process.sepa_debit = True
    assert [flaw.reason for flaw in live(process).checks().flaws] == ["method_off"]
    assert [method.kind for method in live(process).capabilities.methods] == ["card", "sepa_debit"]


def test_a_page_waits_for_its_customer_for_a_day(process: StripeProcess) -> None:
    gateway = live(process)
    page = gateway.begin_setup(setup())
    process.type_card(page.url, "4000000000000002")
    assert gateway.complete_setup("set_1", page.gateway_id) == SetupPending()
    process.facts(ahead=DAY + 60)
    assert gateway.complete_setup("set_1", page.gateway_id) == SetupFailed("expired")


def test_a_refund_can_fail_after_it_succeeded(process: StripeProcess) -> None:
    with Receiver() as receiver:
        gateway = live(process, receiver.url)
        paid = gateway.charge(request(stored(process)))
        assert isinstance(paid, Succeeded)
        given = gateway.refund(RefundRequest("rr-1", "rp-1", paid.gateway_id, Money(1000, "EUR")))
        assert isinstance(given, Succeeded)
        process.do("end_refund", refund=given.gateway_id, status="failed")
        last = receiver.wait_for(4)
    failed = gateway.find_refund("rr-1", given.gateway_id)
    assert isinstance(failed, Declined)
    assert gateway.find_refund("rr-1") == failed
    assert RefundChanged("rr-1", failed) in [event for it in last for event in gateway.parse(it)]
    assert [it.kind for it in gateway.list_since(clock.now() - timedelta(hours=1)).movements] == ["charge"]


def test_a_lost_answer_to_a_refund_is_found_and_given_back_once(process: StripeProcess) -> None:
    gateway = live(process)
    paid = gateway.charge(request(stored(process)))
    assert isinstance(paid, Succeeded)
    asked = RefundRequest("rr-1", "rp-1", paid.gateway_id, PRICE)
    process.lose_the_answer()
    assert isinstance(gateway.refund(asked), InDoubt)
    assert isinstance(gateway.find_refund("rr-1", since=clock.now()), Succeeded)
    assert isinstance(gateway.refund(asked), Succeeded)
    assert process.refunded("rr-1") == [PRICE]


def test_what_happens_at_stripe_is_told_by_signed_callbacks(process: StripeProcess) -> None:
    with Receiver() as receiver:
        gateway, card = live(process, receiver.url), stored(process)
        paid = gateway.charge(request(card))
        assert isinstance(paid, Succeeded)
        told = process.do("dispute", intent=paid.gateway_id, status="needs_response")
        process.do("dispute", intent=paid.gateway_id, status="won", dispute=told["id"])
        process.do("renew", method=card.token, last4="0001", year=2040)
        callbacks = receiver.wait_for(5)
    events = []
    for callback in callbacks:
        gateway.verify(callback)
        events += gateway.parse(callback)
    disputes = [event for event in events if isinstance(event, DisputeChanged)]
    assert {(it.gateway_id, it.amount, it.state) for it in disputes} == {
        (paid.gateway_id, PRICE, "open"),
        (paid.gateway_id, PRICE, "won"),
    }
    assert CardUpdated(card.token, "0001", 12, 2040) in events


def test_a_callback_of_the_other_mode_or_of_another_account_says_so(process: StripeProcess) -> None:
    with Receiver() as receiver:
        gateway = live(process, receiver.url)
        stored(process)
        (callback,) = receiver.wait_for(1)
    in_live_mode = Stripe({**process.settings(), "api_key": "sk_live_0123456789"}, HTTP)
    with pytest.raises(Unreadable, match="is of test mode, and this account is connected in live mode"):
        in_live_mode.parse(callback)
    connected = callback.body.replace(b'"livemode"', b'"account": "acct_1Another", "livemode"', 1)
    with pytest.raises(Unreadable, match="another Stripe account"):
        gateway.parse(replace(callback, body=connected))


class Busy:
    """A Stripe that has no time for anybody."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        self.asked.append(request.url)
        return Response(429, {}, b'{"error": {"type": "rate_limit_error", "message": "Too many requests"}}')


def test_where_stripe_is_too_busy_to_say_whose_it_was_no_list_of_all_is_asked_for() -> None:
    client = Busy()
    settings = {"api_key": "sk_test_" + "a" * 24, "webhook_secret": "whsec_" + "a" * 24}
    gateway = Stripe(settings, client)
    trace = Trace(setup="cs_test_" + "a" * 24)
    assert isinstance(gateway.find("rp-1-1", "", clock.real_now(), trace), InDoubt)
    assert len(client.asked) == 1 and "checkout/sessions" in client.asked[0]
