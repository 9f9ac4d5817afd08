"""What is PayXpert's own: pages of one hour, a list that lags and is paged by time, and data that proves nothing."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from plugin_backend.core.registry import gateways
from plugin_backend.gateways.payxpert import codes, payload
from plugin_backend.gateways.payxpert.handles import Page, page_of
from plugin_backend.sdk import clock
from plugin_backend.sdk.gateway import (
    Absent,
    CardStored,
    ChargeRequest,
    Decline,
    Declined,
    Gateway,
    InDoubt,
    NotExecuted,
    RequiresAction,
    SetupFailed,
    SetupRequest,
    Succeeded,
    Trace,
)
from plugin_backend.sdk.http import HttpClient
from plugin_backend.sdk.money import Money
from tests.contract import exchanges
from tests.contract.payxpert_process import PayXpertProcess, opened

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "gateway-specs"
PRICE = Money(3334, "EUR")
SETUP = SetupRequest("set_1", "https://house.example/back", PRICE, "cus_1", "", "fr", "Chair", "instalment")
# All that may ever be asked: nothing that takes a card number, and no schedule of PayXpert's.
ASKED = re.compile(
    r"https://connect2\.payxpert\.com/(payment/prepare|payment/[\w-]+/status|account|transactions/export"
    r"|transaction/[\w-]+/(info|rebill|refund|capture|cancel))(\?.*)?"
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PayXpertProcess]:
    with PayXpertProcess(tmp_path_factory.mktemp("payxpert") / "ledger.sqlite") as process:
        yield process


@pytest.fixture
def payxpert(running: PayXpertProcess) -> PayXpertProcess:
    running.another_account()
    return running


@pytest.fixture(scope="module")
def http() -> Iterator[HttpClient]:
    client = HttpClient(allow_private=True, timeout=5.0)
    yield client
    client.close()


def adapter(payxpert: PayXpertProcess, http: HttpClient, **changed: str) -> Gateway:
    return gateways()["payxpert"](payxpert.settings() | changed, http)


def stored(payxpert: PayXpertProcess, gateway: Gateway, card: str = "ok") -> tuple[str, CardStored]:
    page = gateway.begin_setup(SETUP)
    payxpert.type_card(page.url, card)
    found = gateway.complete_setup(SETUP.reference, page.gateway_id)
    assert isinstance(found, CardStored)
    return page.gateway_id, found


def charge(token: str, reference: str, **more: Any) -> ChargeRequest:
    given: dict[str, Any] = {"initiator": "merchant", "series": "instalment", **more}
    return ChargeRequest(reference, PRICE, token, description="2/3", collection="col_1", **given)


def test_a_lost_rebill_that_the_list_does_not_show_yet_is_absent_and_then_found(
    payxpert: PayXpertProcess, http: HttpClient
) -> None:
    payxpert.another_account(lag=2)
    gateway = adapter(payxpert, http)
    page, card = stored(payxpert, gateway)
    sent = clock.real_now()
    payxpert.lose_the_answer()
    assert isinstance(gateway.charge(charge(card.token, "rp-1")), InDoubt)

    assert gateway.find("rp-1", "", sent) == Absent()
    assert isinstance(gateway.find("rp-1", "", sent, Trace(setup=page)), Succeeded)
    time.sleep(2.1)
    assert isinstance(gateway.find("rp-1", "", sent), Succeeded)
    assert len(payxpert.captured("rp-1")) == 1


@pytest.mark.parametrize(("minutes", "asked"), [(1, 1), (27, 1), (29, 5), (31, 5)])
def test_the_list_is_asked_only_when_its_silence_counts(minutes: int, asked: int) -> None:
    """From half an hour on, and two minutes earlier: two clocks are never one, and who counts the silence must have asked."""
    nothing = {"status": "Authorized", "errorCode": "000", "transactions": []}
    client = exchanges.Replay({"status": 200, "body": nothing})
    gateway = gateways()["payxpert"]({"originator": "1", "password": "2"}, client)
    trace = Trace(setup=Page("JPhorvt8Zj8zH1eIrWNqmw", "0b5hQkVYQ2mY3uKXr4H8tQ").sealed("2"))
    sent = clock.real_now() - timedelta(minutes=minutes)

    assert gateway.find("rp-1", "", sent, trace) == Absent()
    assert len(client.asked) == asked


def test_what_is_declared_of_silence_is_never_less_than_the_list_lags(
    payxpert: PayXpertProcess, http: HttpClient
) -> None:
    promised = adapter(payxpert, http, lag_seconds="5400", absent_seconds="60").capabilities
    assert promised.absent_after == promised.list_lag == timedelta(seconds=5400)
    assert promised.idempotency_window is None and not promised.signed_events


def test_a_page_that_nobody_used_within_its_hour_takes_no_money(
    payxpert: PayXpertProcess, http: HttpClient
) -> None:
    gateway = adapter(payxpert, http)
    _, card = stored(payxpert, gateway)
    asked = gateway.charge(charge(card.token, "rp-1", initiator="customer", return_url=SETUP.return_url))
    assert isinstance(asked, RequiresAction)
    payxpert.expire(asked.url)
    payxpert.decide(asked.url, "approve")

    found = gateway.find("rp-1", asked.gateway_id)
    assert isinstance(found, Declined) and found.decline is Decline.AUTHENTICATION
    assert payxpert.captured("rp-1") == []


def test_of_two_pages_for_one_setup_each_stores_a_card_of_its_own(
    payxpert: PayXpertProcess, http: HttpClient
) -> None:
    gateway = adapter(payxpert, http)
    first, second = gateway.begin_setup(SETUP), gateway.begin_setup(SETUP)
    payxpert.type_card(second.url, "ok")

    assert first != second
    assert not isinstance(gateway.complete_setup("set_1", first.gateway_id), CardStored)
    assert isinstance(gateway.complete_setup("set_1", second.gateway_id), CardStored)
    assert payxpert.taken() == []


def test_a_challenge_that_the_customer_refuses_stores_no_card(
    payxpert: PayXpertProcess, http: HttpClient
) -> None:
    gateway = adapter(payxpert, http)
    page = gateway.begin_setup(SETUP)
    bank = payxpert.type_card(page.url, "challenge").headers["location"]
    payxpert.decide(bank, "refuse")

    assert gateway.complete_setup("set_1", page.gateway_id) == SetupFailed("declined")


def test_a_test_originator_that_is_called_live_is_told_and_stores_no_card(
    payxpert: PayXpertProcess, http: HttpClient
) -> None:
    stored(payxpert, adapter(payxpert, http))
    live = adapter(payxpert, http, mode="live")
    page = live.begin_setup(SETUP)
    payxpert.type_card(page.url, "ok")

    assert live.complete_setup("set_1", page.gateway_id) == SetupFailed("unknown")
    assert [flaw.reason for flaw in live.checks().flaws] == ["wrong_mode"]


def test_the_list_is_paged_by_time_without_a_gap_or_a_repetition(
    payxpert: PayXpertProcess, http: HttpClient
) -> None:
    gateway = adapter(payxpert, http)
    _, card = stored(payxpert, gateway)
    for number in range(5):
        gateway.charge(charge(card.token, f"rp-{number}"))
    found, cursor, pages = [], "", 0
    while True:
        page = gateway.list_since(clock.real_now() - timedelta(hours=20), cursor)
        found += [moved.reference for moved in page.movements]
        cursor, pages = page.cursor, pages + 1
        if not cursor:
            break

    assert found == [f"rp-{number}" for number in range(5)]
    assert pages in (20, 21)


def test_a_page_is_known_by_its_handle_under_the_accounts_own_password_only() -> None:
    page = Page("JPhorvt8Zj8zH1eIrWNqmw", "0b5hQkVYQ2mY3uKXr4H8tQ")
    handle = page.sealed("a password")

    assert handle == page.sealed("a password")
    assert page.merchant not in handle and page.merchant not in repr(page)
    assert page_of(handle, "a password") == page
    assert page_of(handle, "another") is None
    assert page_of(handle[:-2] + "AA", "a password") is None
    assert page_of("page_", "a password") is None and page_of("pm_1", "") is None


def test_what_the_browser_brings_back_opens_with_the_merchant_token_and_nothing_reads_it(
    payxpert: PayXpertProcess, http: HttpClient
) -> None:
    page = adapter(payxpert, http).begin_setup(SETUP)
    came = payxpert.type_card(page.url, "ok")
    (merchant,) = payxpert.merchant_tokens()

    assert opened(came.body.decode(), merchant)["status"] == "Authorized"
    package = Path(payload.__file__).parent
    assert "ECB" not in "".join(path.read_text() for path in package.glob("*.py"))


def test_nothing_is_asked_but_what_takes_no_card_number_and_begins_no_schedule() -> None:
    for _, path in exchanges.files("*.json"):
        if path.parent.parent.name != "payxpert" or path.name.startswith("callback_"):
            continue
        for step in exchanges.steps(exchanges.read(path)):
            asked = step["request"]
            assert ASKED.fullmatch(asked["url"]), asked["url"]
            words = json.dumps(asked["body"])
            assert '"paymentMode": "Single"' in words or "paymentMode" not in words
            assert not {"subscriptionType", "rebillPeriod", "rebillAmount", "offerID"} & set(
                asked["body"] or {}
            )


@pytest.mark.parametrize("amount", [Money(0, "EUR"), Money(10_000_000_000, "EUR")])
def test_an_amount_that_payxpert_cannot_write_is_not_sent(amount: Money) -> None:
    client = exchanges.Replay("no_answer")
    gateway = gateways()["payxpert"]({"originator": "1", "password": "2"}, client)
    outcome = gateway.charge(replace(charge("1x.abc", "rp-1"), amount=amount))

    assert isinstance(outcome, NotExecuted) and outcome.permanent
    assert client.asked == []


def test_lengths_are_kept_and_what_is_not_there_is_called_so() -> None:
    client = exchanges.Replay("no_answer")
    gateway = gateways()["payxpert"]({"originator": "1", "password": "2"}, client)
    long = replace(SETUP, customer="c" * 33, email=f"{'a' * 120}@example.test", description="d" * 600)
    with pytest.raises(Exception, match="did not come"):
        gateway.begin_setup(long)
    body = json.loads(client.asked[0].body)

    assert (body["shopper"]["id"], body["shopper"]["email"]) == ("NA", "NA")
    assert body["shopper"]["countryCode"] == "ZZ"
    assert len(body["order"]["description"]) == 500
    assert "ctrlCallbackURL" not in body and "payment" not in body


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        (Decline.NEVER, {"004", "014", "015", "041", "043", "056", "057", "061", "062", "097"}),
        (Decline.AUTHENTICATION, {"065"}),
        (Decline.FUNDS, {"034", "051"}),
        (Decline.SYSTEM, {"080", "091", "096"}),
    ],
)
def test_result_codes_are_judged_on_the_careful_side(kind: Decline, found: set[str]) -> None:
    assert {code for code, decline in codes.DECLINES.items() if decline is kind} == found
    assert codes.decline_of("940") is Decline.UNKNOWN
    assert codes.DUPLICATE not in codes.DECLINES


def test_a_published_sample_of_an_account_is_read() -> None:
    account = payload.account(_sample("account-information"))
    assert account.currencies == frozenset({"EUR", "USD"})


def test_a_published_sample_of_a_payment_is_read_to_its_last_transaction() -> None:
    payment = payload.payment(_sample("payment-status-directdebit"))
    assert [one.operation for one in payment.transactions][-1] == "cancel"
    assert {one.parent for one in payment.transactions if one.parent} == {
        "1v0masio6c-1nrr",
        "1v0masio6c-naxo",
    }
    assert payment.transactions[0].amount == Money(1050, "EUR")


def _sample(name: str) -> dict[str, Any]:
    path = SAMPLES / f"payxpert-sample-{name}.json"
    if not path.exists():
        pytest.skip(f"LOUDLY: the published sample {path.name} is not here")
    read: dict[str, Any] = json.loads(path.read_text())
    return read
