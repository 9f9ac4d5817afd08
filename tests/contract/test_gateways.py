"""What every gateway must hold. The tests multiply over the folders of ``plugin_backend.gateways``: an adapter is
tested because it is there. ``docs/adding-a-gateway.md`` says what they ask."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin_backend.core.registry import gateways
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import BadSignature, NoAnswer, NotSent, Refused, Unreadable
from plugin_backend.sdk.gateway import (
    Absent,
    CardStored,
    Decline,
    Declined,
    Gateway,
    InDoubt,
    NotExecuted,
    Pending,
    RequiresAction,
    SetupFailed,
    SetupPage,
    SetupPending,
    Succeeded,
)
from plugin_backend.sdk.http import Request
from plugin_backend.sdk.money import Money
from tests.contract import exchanges

# The verbs that tell of no answer and of a refusal by raising.
MAY_RAISE = {"begin_setup", "complete_setup", "recognise", "list_since", "detach"}
SOFT = {Decline.FUNDS, Decline.SYSTEM}
HARD = {Decline.NEVER, Decline.NEW_DATA, Decline.FRAUD}

# The exchanges every gateway has in its golden folder, and what each must come to.
CASES: dict[str, Callable[[Any], bool]] = {
    "paid": lambda o: isinstance(o, Succeeded) and bool(o.gateway_id),
    "paid_without_decimals": lambda o: isinstance(o, Succeeded) and o.amount == Money(1000, "JPY"),
    "paid_with_three_decimals": lambda o: isinstance(o, Succeeded) and o.amount == Money(1000, "KWD"),
    "pending": lambda o: isinstance(o, Pending),
    "requires_action": lambda o: isinstance(o, RequiresAction) and o.url.startswith("https://"),
    "declined_soft": lambda o: isinstance(o, Declined) and o.decline in SOFT,
    "declined_hard": lambda o: isinstance(o, Declined) and o.decline in HARD,
    "declined_unknown_code": lambda o: (
        isinstance(o, Declined) and o.decline is Decline.UNKNOWN and bool(o.code)
    ),
    "timeout_before_send": lambda o: isinstance(o, NotExecuted) and not o.permanent,
    "timeout_after_send": lambda o: isinstance(o, InDoubt),
    "garbage": lambda o: isinstance(o, InDoubt),
    "server_error": lambda o: isinstance(o, InDoubt),
    "find_paid": lambda o: isinstance(o, Succeeded),
    "find_absent": lambda o: isinstance(o, Absent),
    "find_unanswered": lambda o: isinstance(o, InDoubt),
    "refund_paid": lambda o: isinstance(o, Succeeded | Pending),
    "setup_begun": lambda o: isinstance(o, SetupPage) and o.url.startswith("https://"),
    "setup_waiting": lambda o: isinstance(o, SetupPending),
    "setup_completed": lambda o: isinstance(o, CardStored),
    "setup_failed": lambda o: isinstance(o, SetupFailed),
}

_exchanges = [found for found in exchanges.files("*.json") if not found[1].stem.startswith("callback_")]
_by_exchange = pytest.mark.parametrize(
    ("name", "path"), [pytest.param(*found, id=f"{found[0]}-{found[1].stem}") for found in _exchanges]
)
_callbacks = exchanges.files("callback_*.json")
_by_callback = pytest.mark.parametrize(
    ("name", "path"), [pytest.param(*found, id=f"{found[0]}-{found[1].stem}") for found in _callbacks]
)
_signed = [
    found
    for found in _callbacks
    if gateways()[found[0]](
        exchanges.read(found[1])["settings"], exchanges.Replay("no_answer")
    ).capabilities.signed_events
]
_by_signed_callback = pytest.mark.parametrize(
    ("name", "path"), [pytest.param(*found, id=f"{found[0]}-{found[1].stem}") for found in _signed]
)
_every_gateway = pytest.mark.parametrize("name", list(gateways()))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@_every_gateway
@pytest.mark.parametrize("case", list(CASES))
def test_every_case_has_a_golden_exchange_that_comes_to_its_outcome(name: str, case: str) -> None:
    path = exchanges.golden(name) / f"{case}.json"
    assert path.exists(), f"{name} has no golden/{case}.json"
    assert CASES[case](_replayed(name, exchanges.read(path))[0])


@_by_exchange
def test_a_golden_exchange_is_asked_and_read_as_it_was_recorded(name: str, path: Path) -> None:
    told = exchanges.read(path)
    outcome, client = _replayed(name, told)
    for asked, step in zip(client.asked, exchanges.steps(told), strict=True):
        expected = step["request"]
        assert (asked.method, asked.url) == (expected["method"], expected["url"])
        assert {k: v for k, v in asked.headers.items() if k in expected["headers"]} == expected["headers"]
        assert _body(asked) == expected["body"]
    assert exchanges.plain(outcome) == exchanges.whole(told["outcome"])


@_by_exchange
def test_the_same_request_twice_is_the_same_bytes(name: str, path: Path) -> None:
    told = exchanges.read(path)
    first, again = (_replayed(name, told)[1].asked for _ in range(2))
    assert [(it.method, it.url, it.body) for it in first] == [(it.method, it.url, it.body) for it in again]


@_by_exchange
def test_no_answer_makes_a_verb_break_or_tell_a_secret(name: str, path: Path) -> None:
    told = exchanges.read(path)
    good = exchanges.answers(told)
    for place, last in enumerate(good):
        for answer in _odd_answers(last):
            gateway = gateways()[name](told["settings"], exchanges.Replay(*good[:place], answer))
            try:
                said = repr(exchanges.ask(gateway, told["verb"], told["request"]))
            except (NotSent, NoAnswer, Refused) as error:
                assert told["verb"] in MAY_RAISE
                said = repr(error)
            assert not any(secret in said + repr(gateway) for secret in _secrets(name, told))


@_every_gateway
@pytest.mark.parametrize("status", [302, 408, 409, 500, 502, 503])
def test_an_answer_that_may_stand_after_the_charge_is_in_doubt(name: str, status: int) -> None:
    told = exchanges.read(exchanges.golden(name) / "paid.json")
    for body in ("<html>", {}, {"error": {"code": "card_declined"}}):
        answer = {"status": status, "body": body}
        gateway = gateways()[name](told["settings"], exchanges.Replay(*exchanges.answers(told)[:-1], answer))
        assert isinstance(exchanges.ask(gateway, "charge", told["request"]), InDoubt)


@_by_exchange
def test_what_a_gateway_says_never_shows_a_key_or_a_token(name: str, path: Path) -> None:
    told = exchanges.read(path)
    outcome, client = _replayed(name, told)
    gateway = gateways()[name](told["settings"], client)
    shown = repr(outcome) + repr(client.asked) + repr(gateway) + str(gateway)
    assert not [secret for secret in _secrets(name, told) if secret in shown]


@_every_gateway
def test_past_its_deadline_a_charge_does_not_leave(name: str) -> None:
    told = exchanges.read(exchanges.golden(name) / "paid.json")
    client = exchanges.Replay(*exchanges.answers(told))
    gateway = gateways()[name](told["settings"], client)
    late = told["request"] | {"deadline": time.monotonic() - 0.001}
    assert isinstance(exchanges.ask(gateway, "charge", late), NotExecuted)
    assert client.asked == []


@_every_gateway
def test_the_door_holds_less_than_the_account(name: str) -> None:
    told = exchanges.read(exchanges.golden(name) / "paid.json")
    door = gateways()[name].door(told["settings"])
    declared = gateways()[name].settings().fields
    verifying = {told["settings"][key] for key in told["settings"] if declared[key].metadata.get("verifies")}
    opening = _settings_secrets(name, told) - verifying
    assert opening and not opening & set(door.values())


@_every_gateway
def test_the_door_knows_what_customers_may_pay_with(name: str) -> None:
    told = exchanges.read(exchanges.golden(name) / "paid.json")
    door, whole = (
        gateways()[name](settings, exchanges.Replay("no_answer")).capabilities
        for settings in (gateways()[name].door(told["settings"]), told["settings"])
    )
    assert door.methods == whole.methods and door.methods
    assert door.recognises == whole.recognises


@_every_gateway
def test_every_setting_that_an_owner_types_has_a_name_of_its_own(name: str) -> None:
    gateway = gateways()[name]
    assert set(gateway.guide.labels) == set(gateway.settings().fields)
    assert gateway.guide.steps


@_every_gateway
@pytest.mark.parametrize(
    ("answer", "reason"),
    [("not_sent", "unreachable"), ("no_answer", "unreachable"), ({"status": 500, "body": "<html>"}, "")],
)
def test_checking_an_account_never_raises_and_tells_what_is_wrong(
    name: str, answer: Any, reason: str
) -> None:
    told = exchanges.read(exchanges.golden(name) / "paid.json")
    checked = gateways()[name](told["settings"], exchanges.Replay(answer)).checks()
    assert checked.flaws
    assert not reason or [flaw.reason for flaw in checked.flaws] == [reason]
    assert not any(secret in repr(checked) for secret in _settings_secrets(name, told))


@_by_callback
def test_a_golden_callback_is_verified_and_read(name: str, path: Path) -> None:
    told = exchanges.read(path)
    callback = exchanges.delivery(told)
    for opened in (told["settings"], gateways()[name].door(told["settings"])):
        gateway = gateways()[name](opened, exchanges.Replay("no_answer"))
        gateway.verify(callback)
        assert gateway.identify(callback) == gateway.identify(exchanges.delivery(told))
        assert gateway.topic(callback) == told["topic"]
    assert [exchanges.plain(event) for event in _gateway(name, told).parse(callback)] == told["events"]


@_by_signed_callback
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_one_changed_byte_of_a_callback_is_a_bad_signature(
    name: str, path: Path, data: st.DataObject
) -> None:
    told = exchanges.read(path)
    body = bytearray(told["body"].encode())
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadSignature):
        _gateway(name, told).verify(exchanges.delivery(told, bytes(body)))


@_by_signed_callback
def test_a_callback_without_its_headers_or_long_after_is_a_bad_signature(name: str, path: Path) -> None:
    told = exchanges.read(path)
    late = clock.real_now() + timedelta(days=4000)
    for wrong in ({**told, "headers": {}}, {**told, "received_at": late.isoformat()}):
        with pytest.raises(BadSignature):
            _gateway(name, told).verify(exchanges.delivery(wrong))


@_every_gateway
def test_what_an_unsigned_callback_says_of_an_outcome_is_not_read(name: str) -> None:
    for found, path in _callbacks:
        if found == name and (found, path) not in _signed:
            told = exchanges.read(path)
            said = _gateway(name, told).parse(exchanges.delivery(told))
            assert [event for event in said if getattr(event, "outcome", None) is not None] == []


@_by_callback
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_any_json_in_place_of_any_value_is_read_or_unreadable(
    name: str, path: Path, data: st.DataObject
) -> None:
    told = exchanges.read(path)
    value = json.loads(told["body"])
    where = data.draw(st.sampled_from(list(_places(value))))
    changed = json.dumps(_replaced(value, where, data.draw(JSON))).encode()
    gateway, callback = _gateway(name, told), exchanges.delivery(told, changed)
    gateway.identify(callback), gateway.topic(callback)
    try:
        gateway.parse(callback)
    except Unreadable as error:
        assert str(error)


@_every_gateway
@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[]", b"[" * 100_000, b'{"a":', b"null", b"NaN"])
def test_a_callback_that_is_no_object_is_unreadable(name: str, body: bytes) -> None:
    for found, path in _callbacks:
        if found == name:
            told = exchanges.read(path)
            assert _gateway(name, told).topic(exchanges.delivery(told, body)) == ""
            with pytest.raises(Unreadable):
                _gateway(name, told).parse(exchanges.delivery(told, body))


def _replayed(name: str, told: dict[str, Any]) -> tuple[object, exchanges.Replay]:
    client = exchanges.Replay(*exchanges.answers(told))
    return exchanges.ask(gateways()[name](told["settings"], client), told["verb"], told["request"]), client


def _odd_answers(good: Any) -> Iterator[dict[str, Any]]:
    """Every status with a body that is none, and the good answer with each of its values made another."""
    for status in (200, 204, 302, 400, 401, 404, 409, 429, 500, 503):
        yield {"status": status, "body": "<html>"}
        yield {"status": status, "body": {}}
    body = good["body"] if isinstance(good, dict) and isinstance(good["body"], dict) else {}
    for where in _places(body):
        for odd in (None, 1e9, "\x00", [], {}, -1, "x" * 5000):
            yield {"status": 200, "body": _replaced(body, where, odd)}


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, held in inner:
        yield from _places(held, (*at, key))


def _replaced(value: Any, where: tuple[Any, ...], new: Any) -> Any:
    if not where:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[where[0]] = _replaced(value[where[0]], where[1:], new)
    return copied


def _settings_secrets(name: str, told: dict[str, Any]) -> set[str]:
    declared = gateways()[name].settings().fields
    return {told["settings"][key] for key in told["settings"] if declared[key].metadata.get("secret")}


def _secrets(name: str, told: dict[str, Any]) -> set[str]:
    outcome = told["outcome"] if isinstance(told["outcome"], dict) else {}
    tokens = {told["request"].get("token"), outcome.get("token")}
    for answer in exchanges.answers(told):
        body = answer["body"] if isinstance(answer, dict) else None
        card = body.get("card") if isinstance(body, dict) else None
        tokens.add(card.get("token") if isinstance(card, dict) else None)
    return _settings_secrets(name, told) | {token for token in tokens if token}


def _body(asked: Request) -> Any:
    try:
        return json.loads(asked.body) if asked.body else ""
    except ValueError:
        return asked.body.decode()


def _gateway(name: str, told: dict[str, Any]) -> Gateway:
    return gateways()[name](told["settings"], exchanges.Replay("no_answer"))
