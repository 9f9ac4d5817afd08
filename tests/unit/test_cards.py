"""Card numbers: found wherever they stand, masked in what is kept and logged, and nothing else touched."""

import json
import logging
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from plugin_backend.core import log
from plugin_backend.core.ids import digest, new_id
from plugin_backend.core.log import find_cards, looks_like_card, mask_cards, scrub
from plugin_backend.domain.inbox import Kept, kept_form, to_keep
from plugin_backend.sdk.http import Delivery

# The test numbers that the card schemes and gateways publish.
CARDS = [
    "4242424242424242",
    "4000056655665556",
    "4222222222222",
    "4000000000000000006",
    "5555555555554444",
    "5105105105105100",
    "2223003122003222",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "3056930009020004",
    "36227206271667",
    "3566002020360505",
    "6200000000000005",
    "6759649826438453",
    "2200000000000004",
]
NOT_CARDS = [
    "4242424242424243",
    "1234567812345670",
    "0000000000000000",
    "9999999999999995",
    "42424242",
    "4242424242424242424242",
    "20261122100000",
    "20261122103007",
    "20261122100000123",
    "20261122100005",
    "20261122100007123",
    "20270101000008",
    "1732269600000",
    "2026-11-22 10:00:00",
    "2026-11-22T10:00:00.123456Z",
    "00336 12 34 56 78",
    "FR7630006000011234567890189",
]


def spaced(number: str, gap: str = " ") -> str:
    return gap.join(number[at : at + 4] for at in range(0, len(number), 4))


def form(headers: dict[str, str], body: bytes, query: str = "") -> Kept:
    """What is kept of such a delivery."""
    return kept_form(to_keep(Delivery(headers, body, datetime(2026, 11, 22, tzinfo=UTC), query=query)))


def kept(body: bytes | Any) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    shown = form({}, raw).body
    assert shown is not None
    return shown


def kept_json(body: Any) -> Any:
    return json.loads(kept(body))


@pytest.mark.parametrize("number", CARDS)
def test_a_card_number_is_found_however_it_is_written(number: str) -> None:
    assert looks_like_card(number)
    for text in (
        number,
        spaced(number),
        spaced(number, "-"),
        f"no {number}!",
        f"x{number}y",
        f"№{number}, 12/28",
    ):
        (found,) = find_cards(text)
        assert [c for c in text[slice(*found)] if c.isdigit()] == list(number)
        masked = mask_cards(text)
        assert len(masked) == len(text)
        assert find_cards(masked) == []
        assert number[:6] not in masked


@pytest.mark.parametrize("number", CARDS)
@pytest.mark.parametrize("behind", [" 12 28 123", " 1228", " 12/28", " 123", "-2028", " 0"])
def test_a_card_number_is_found_before_its_expiry(number: str, behind: str) -> None:
    for written in (number, spaced(number)):
        text = written + behind
        ((start, end),) = find_cards(text)
        assert start == 0
        assert end >= len(written)
        assert find_cards(mask_cards(text)) == []


@pytest.mark.parametrize("text", NOT_CARDS)
def test_what_only_looks_like_a_card_number_is_left_alone(text: str) -> None:
    assert find_cards(text) == []
    assert mask_cards(text) == text


@given(st.text(alphabet="0123456789- ab", max_size=60))
def test_masking_twice_is_masking_once_and_keeps_the_length(text: str) -> None:
    masked = mask_cards(text)
    assert len(masked) == len(text)
    assert mask_cards(masked) == masked


def test_masking_takes_little_time_whatever_a_stranger_sends() -> None:
    """256 KiB is what a form of anybody may hold; the worst of these once took ten seconds."""
    size = 256 * 1024
    begun = time.process_time()
    for piece in ("4 ", "4", "4242424242424242 ", "4-5 6-"):
        mask_cards(piece * (size // len(piece)))
    assert time.process_time() - begun < 10


def test_our_own_ids_are_no_card_numbers() -> None:
    ids = " ".join(new_id("off") for _ in range(2000))
    assert mask_cards(ids) == ids


@pytest.mark.parametrize("number", CARDS)
def test_a_kept_body_holds_no_card_number_and_is_json_of_the_same_shape(number: str) -> None:
    body = {
        "note": f"my card is {spaced(number)} 12/28",
        "meta_data": [{"id": 1, "key": "x", "value": number}, {"value": [number, {"deep": f"a{number}b"}]}],
    }
    raw = json.dumps(body).encode()
    shown = kept(raw)
    assert len(shown) == len(raw)
    read = json.loads(shown)
    assert read["note"].startswith("my card is ****")
    assert read["note"].endswith(" 12/28")
    assert number.encode() not in shown
    assert read["meta_data"][1]["value"][1] == {"deep": f"a{'*' * len(number)}b"}


def test_ids_tokens_and_keys_are_left_as_they_are() -> None:
    number = CARDS[0]
    body = {
        "id": number,
        "order_key": f"wc_order_{number}",
        "cart_token": number,
        "admin_graphql_api_id": f"gid://shop/Order/{number}",
        "transaction_id": number,
        "ids": [number, number],
        "note": "x",
    }
    assert kept_json(body) == body


def test_what_stands_behind_an_id_is_not_exempt() -> None:
    number = CARDS[0]
    body = {"cards": [{"id": "a"}, number, [number], {"x": number}], "token": {"of": "b"}, "last": number}
    read = kept_json(body)
    assert number not in json.dumps(read)
    assert kept_json([{"token": "t"}, number]) == [{"token": "t"}, "*" * 16]


def test_a_number_is_masked_like_a_string_but_for_ids() -> None:
    raw = b'{"id": 4242424242424242, "total": 4000056655665556, "ids":[4242424242424242], "note": 12.50, "n": -3}'
    assert kept(raw) == raw.replace(b"4000056655665556", b'"****************"')
    assert kept_json([4242424242424242, {"4242424242424242": 1}]) == ["*" * 16, {"*" * 16: 1}]


@pytest.mark.parametrize("number", CARDS)
@pytest.mark.parametrize("gap", ["\u00a0", "\u202f", "\u2009", "\u2013", "\u2011", " - ", "  "])
def test_blanks_and_dashes_of_any_kind_are_no_disguise(number: str, gap: str) -> None:
    text = f"\u00e9 {spaced(number, gap)}!"
    assert find_cards(mask_cards(text)) == []
    assert mask_cards(text) != text
    for raw in (json.dumps({"n": text}), json.dumps({"n": text}, ensure_ascii=False), text):
        assert number[-4:] not in kept(raw.encode()).decode()


@pytest.mark.parametrize("zero", "\uff10\u0660\u06f0\u0966\U0001d7ce")
def test_digits_of_any_script_are_no_disguise(zero: str) -> None:
    written = "".join(chr(ord(zero) + int(digit)) for digit in CARDS[0])
    text = f"{written} 12/28"
    assert mask_cards(text) == "*" * 16 + " 12/28"
    for raw in (json.dumps({"n": text}, ensure_ascii=False), text):
        assert written[-4:] not in kept(raw.encode()).decode()
    if zero in "\uff10\u0660\u06f0":
        assert kept_json({"n": text}) == {"n": "*" * 16 + " 12/28"}


@pytest.mark.parametrize(
    "written", ["4242+4242+4242+4242", "4242%204242%204242%204242", "%34242424242424242"]
)
def test_a_number_as_a_form_writes_it_is_no_disguise(written: str) -> None:
    shown = form({}, f"a=1&card={written}".encode(), f"x={written}")
    for text in (shown.query, (shown.body or b"").decode()):
        assert "4242" not in text
    assert form({}, b"", "a=1+2&b=%20").query == "a=1+2&b=%20"


@pytest.mark.parametrize(
    "disguise",
    ["\\u0034242424242424242", "4242\\u002d4242-4242\\u00204242", "\\u0034" * 0 + "42\\u00342424242424242"],
)
def test_escaped_digits_are_no_disguise(disguise: str) -> None:
    shown = kept(f'{{"note": "{disguise}", "more": 1}}'.encode())
    assert json.loads(shown)["more"] == 1
    assert find_cards(json.loads(shown)["note"]) == []
    assert b"4242" not in shown


def test_a_quoted_quote_does_not_hide_what_follows() -> None:
    body = {'a "quoted" name': 'he said "4242424242424242" \\', "b\\": "4242424242424242"}
    assert kept_json(body) == {
        'a "quoted" name': 'he said "****************" \\',
        "b\\": "*" * 16,
    }


@pytest.mark.parametrize(
    "body",
    [
        b"card=4242424242424242&cvc=123",
        b"4242 4242 4242 4242",
        b'{"note": "4242424242424242',
        b"{\"note\": '4242424242424242'}",
        b"<card>4242424242424242</card>",
        b"\xff\xfe 4242424242424242 \x80",
        b'{"note": "caf\xe9 4242424242424242"}',
    ],
)
def test_a_body_that_is_no_json_is_kept_without_card_numbers_too(body: bytes) -> None:
    shown = kept(body)
    assert len(shown) == len(body)
    assert shown == body.replace(b"4242 4242 4242 4242", b"**** **** **** ****").replace(
        b"4242424242424242", b"*" * 16
    )


def test_a_body_without_card_numbers_is_kept_to_the_byte() -> None:
    for body in (
        b'{"id":19,"total":"100.00","date":"2026-11-22T10:00:00","name":"caf\\u00e9 \\u0000"}',
        b"\x00\xff\xfe not json",
        b"",
        b'{"at": "20261122100000", "ms": "1732269600000", "phone": "+33 6 12 34 56 78"}',
    ):
        assert kept(body) == body


def test_headers_are_kept_as_json_that_the_database_takes() -> None:
    given_headers = {
        "x-odd": "a\0b",
        "x-written": "\\u0000 and \\",
        "x-latin": "caf\xe9",
        "authorization": "Bearer secret",
        "cookie": "session=secret",
        "x-forwarded-for": "192.0.2.1",
    }
    shown = form(given_headers, b"x")
    assert json.loads(shown.headers) == {"x-odd": "ab", "x-written": "\\u0000 and \\", "x-latin": "caf\xe9"}
    assert shown.sha256 == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


def test_a_card_number_in_a_header_or_query_is_not_kept_either() -> None:
    shown = form({"x-note": "4242424242424242"}, b"", "a=4242424242424242")
    assert "4242424242424242" not in shown.headers + shown.query


SECRETS = [
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "ck_0123456789abcdef0123",
    "cs_0123456789abcdef0123",
    "sk_test_sandbox_0123456789",
    "sk_live_0123456789",
    "shpat_0123456789abcdef",
    "Bearer eyJhbGciOiJIUzI1NiJ9.e30",
    "Basic dXNlcjpwYXNzd29yZA==",
    "tok_never_shown",
    "ana@example.test",
    "4242 4242 4242 4242",
    "/o/abcdefghijklmnopqrstuvwxyz234567",
    "/p/abcdefghijklmnopqrstuvwxyz234567/cancel",
    "https://reprise.test/u/abcdefghijklmnopqrstuvwxyz234567",
    "/hooks/abcdefghijklmnopqrstuvwxyz234567",
    "/login/1795381267-abcdefghijklmnopqrstuvwxyz_-234567",
    "Authorization: Digest hunter2hunter2",
    "Set-Cookie: reprise=hunter2hunter2; Path=/",
    "cookie='hunter2hunter2'",
    '{"api_key": "hunter2hunter2"}',
    "{'password': 'hunter2hunter2'}",
    "token=hunter2hunter2",
    "postgresql://reprise:hunter2hunter2@db/reprise",
    "shpca_0123456789abcdef",
]


def longest(secret: str) -> str:
    return max(secret.replace("/cancel", "").replace("/", " ").replace("Bearer", "").split(), key=len)


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_scrubbed_from_whatever_is_logged(
    secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hidden = "hunter2" if "hunter2" in secret else longest(secret)
    assert hidden not in scrub(f"before {secret} after")
    log.configure("INFO")
    try:
        raise ValueError(f"told {secret}")
    except ValueError:
        structlog.get_logger("test").exception("failed", text=secret, facts={"in": [secret, 1, (secret,)]})
        logging.getLogger("library").warning("said %s", secret, exc_info=True)
    said = capsys.readouterr().err
    log.configure("ERROR")
    lines = [json.loads(line) for line in said.splitlines()]
    assert len(lines) == 2
    assert hidden not in said


UNCAUGHT = {
    "process_ends": "raise ValueError(said)",
    "thread_ends": "threading.Thread(target=int, args=(said,)).start()",
    "error_passed_over": "type('Left', (), {'__del__': lambda self: int(said)})()",
}


@pytest.mark.parametrize("event", UNCAUGHT)
def test_a_secret_is_scrubbed_from_an_error_that_nobody_catches(event: str) -> None:
    program = "import sys, threading; from plugin_backend.core import log; log.configure('INFO'); said = sys.argv[1]"
    hidden = "4242 4242 4242 4242 and whsec_0123456789abcdef"
    ran = subprocess.run(
        [sys.executable, "-c", f"{program}; {UNCAUGHT[event]}", hidden], capture_output=True, text=True
    )
    (told,) = map(json.loads, ran.stderr.splitlines())
    assert told["event"] == event
    assert "Traceback" in told["exception"]
    assert "ValueError" in told["exception"]
    assert "4242" not in ran.stderr
    assert "0123456789abcdef" not in ran.stderr
    assert ran.returncode == (event == "process_ends")


def test_who_listens_for_what_nobody_catches_goes_on_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(*_: Any) -> None:
        pass

    monkeypatch.setattr(sys, "excepthook", other)
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    log.configure("ERROR")
    assert sys.excepthook is other
    assert threading.excepthook is not threading.__excepthook__


def test_leaving_is_no_error() -> None:
    program = "import sys, threading; from plugin_backend.core import log; log.configure('INFO')"
    leaves = f"{program}; threading.Thread(target=sys.exit, args=('4242 4242 4242 4242',)).start()"
    ran = subprocess.run([sys.executable, "-c", leaves], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_what_is_no_secret_stays_in_the_log() -> None:
    text = "offer off_01jd0000000000000000000000 of shop_01jd for 33.34 EUR at 2026-11-22T10:00:00Z: tok pm_"
    assert scrub(text) == text


def test_what_stands_under_a_secrets_name_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("INFO")
    structlog.get_logger("test").error("x", password="plain", facts={"Token": "plain", "key": "shown"})
    said = capsys.readouterr().err
    log.configure("ERROR")
    assert "plain" not in said
    assert "shown" in said


def test_the_values_of_a_row_that_the_database_refuses_are_not_logged() -> None:
    said = 'duplicate key\nDETAIL:  Key (name)=(Ana Ruiz) already exists.\nCONTEXT:  COPY users, line 1: "Ana"\nmore'
    assert scrub(said) == "duplicate key\nDETAIL: ...\nCONTEXT: ...\nmore"


def test_what_our_forms_bring_back_is_never_taken_for_a_card_number() -> None:
    """In hexadecimal about one digest of 500 was, and that offer could not be accepted by anybody."""
    assert [text for text in map(str, range(20_000)) if find_cards(digest(text))] == []
