"""Signatures: what others sign we accept, what we sign others accept, and one changed bit is refused."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from plugin_backend.sdk import clock, signing
from plugin_backend.sdk.errors import BadSignature

SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
KEYS = [signing.standard_key(SECRET)]
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
BODY = b'{"type":"cart.updated"}'


def headers(body: bytes = BODY, at: datetime = NOW) -> dict[str, str]:
    return signing.sign_standard(SECRET, "msg_1", at, body)


@given(st.text(max_size=200), st.from_regex(r"[A-Za-z0-9_]{1,40}", fullmatch=True))
def test_the_standards_own_library_accepts_what_we_sign(text: str, message_id: str) -> None:
    body = text.encode("utf-8", "replace").decode()
    signed = signing.sign_standard(SECRET, message_id, clock.real_now(), body.encode())
    try:
        Webhook(SECRET).verify(body, signed)
    except ValueError as error:
        # The library also reads the body as JSON, which these bodies are not.
        assert not isinstance(error, WebhookVerificationError)


@given(st.text(max_size=200), st.from_regex(r"[A-Za-z0-9_]{1,40}", fullmatch=True))
def test_we_accept_what_the_standards_own_library_signs(text: str, message_id: str) -> None:
    body = text.encode("utf-8", "replace").decode()
    signature = Webhook(SECRET).sign(message_id, NOW, body)
    sent = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": signature,
    }
    signing.check_standard(KEYS, sent, body.encode(), NOW)


def test_a_secret_is_read_with_or_without_its_prefix_and_padding() -> None:
    plain = SECRET.removeprefix("whsec_")
    assert signing.standard_key(plain) == signing.standard_key(SECRET) == bytes(range(24))
    unpadded = "whsec_" + base64.b64encode(bytes(25)).decode().rstrip("=")
    assert signing.standard_key(unpadded) == bytes(25)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!", "é"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        signing.standard_key(secret)


@given(st.integers(min_value=0, max_value=len(BODY) * 8 - 1))
def test_one_changed_bit_is_refused(bit: int) -> None:
    changed = bytearray(BODY)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadSignature):
        signing.check_standard(KEYS, headers(), bytes(changed), NOW)


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", ["", "x", "1", "v1,", "v1,AAAA", "v2,AAAA", "\u0663", " "])
def test_a_changed_header_is_refused(header: str, value: str) -> None:
    with pytest.raises(BadSignature):
        signing.check_standard(KEYS, headers() | {header: value}, BODY, NOW)


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_refused(header: str) -> None:
    sent = headers()
    del sent[header]
    with pytest.raises(BadSignature):
        signing.check_standard(KEYS, sent, BODY, NOW)


@pytest.mark.parametrize(
    ("seconds", "good"), [(0, True), (299, True), (300, True), (301, False), (-300, True), (-301, False)]
)
def test_a_delivery_is_good_for_five_minutes_either_way(seconds: int, *, good: bool) -> None:
    sent, at = headers(), NOW + timedelta(seconds=seconds)
    if good:
        signing.check_standard(KEYS, sent, BODY, at)
        return
    with pytest.raises(BadSignature, match="time"):
        signing.check_standard(KEYS, sent, BODY, at)


def test_any_of_several_signatures_and_any_of_several_keys_will_do() -> None:
    sent = headers()
    sent["webhook-signature"] = f"v1a,xyz v1,{'A' * 43}= {sent['webhook-signature']} v2,AAAA"
    signing.check_standard([b"another", *KEYS], sent, BODY, NOW)
    with pytest.raises(BadSignature):
        signing.check_standard([b"another"], sent, BODY, NOW)
    with pytest.raises(BadSignature):
        signing.check_standard([], sent, BODY, NOW)


def test_a_signature_of_an_unknown_version_counts_for_nothing() -> None:
    sent = headers()
    sent["webhook-signature"] = sent["webhook-signature"].replace("v1,", "v1a,")
    with pytest.raises(BadSignature):
        signing.check_standard(KEYS, sent, BODY, NOW)


def test_a_base64_hmac_fits_under_any_of_the_secrets_and_under_no_other() -> None:
    signature = base64.b64encode(signing.hmac_sha256(b"old", BODY)).decode()
    signing.check_base64_hmac([b"new", b"old"], BODY, signature)
    for secrets, body, given_signature in (
        ([b"new"], BODY, signature),
        ([], BODY, signature),
        ([b"old"], BODY + b" ", signature),
        ([b"old"], BODY, signature.lower()),
        ([b"old"], BODY, signature[:-2]),
        ([b"old"], BODY, ""),
        ([b"old"], BODY, "é" * 44),
        ([b"old"], BODY, f" {signature}"),
    ):
        with pytest.raises(BadSignature):
            signing.check_base64_hmac(secrets, body, given_signature)


def test_an_empty_secret_signs_for_nobody() -> None:
    signature = base64.b64encode(signing.hmac_sha256(b"", BODY)).decode()
    with pytest.raises(BadSignature):
        signing.check_base64_hmac([b""], BODY, signature)
