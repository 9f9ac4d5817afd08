"""The check of Stripe's signatures against its own library, which is the oracle: what it signs we take, what it refuses we
refuse, but for one thing. It looks into the past only, so that a callback of next year is good to it."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from plugin_backend.gateways.stripe import events
from plugin_backend.sdk.errors import BadSignature
from plugin_backend.sdk.http import Delivery

SECRET = "whsec_of_the_oracle"
NOW = datetime(2026, 9, 21, 12, tzinfo=UTC)


def signed(secret: str, stamp: int, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()


def ours(header: str, body: bytes, at: datetime = NOW) -> bool:
    try:
        events.verify(Delivery({"stripe-signature": header}, body, at), SECRET)
    except BadSignature:
        return False
    return True


def theirs(header: str, body: str, monkeypatch: pytest.MonkeyPatch, at: datetime = NOW) -> bool:
    monkeypatch.setattr("stripe._webhook.time.time", lambda: at.timestamp())
    try:
        return stripe.WebhookSignature.verify_header(body, header, SECRET, tolerance=300)
    except stripe.SignatureVerificationError:
        return False


@settings(deadline=None, max_examples=200)
@given(
    body=st.text(max_size=200),
    lateness=st.integers(0, 600),
    secrets=st.lists(st.sampled_from([SECRET, "whsec_another", ""]), max_size=3),
    junk=st.sampled_from(["", "v0=abc", "v1=", "v1=zz", "t", "v2=1"]),
)
def test_what_the_library_takes_of_the_past_we_take(
    body: str, lateness: int, secrets: list[str], junk: str
) -> None:
    stamp = int(NOW.timestamp()) - lateness
    items = [f"t={stamp}", *(f"v1={signed(secret, stamp, body.encode())}" for secret in secrets), junk]
    header = ",".join(item for item in items if item)
    with pytest.MonkeyPatch.context() as patched:
        try:
            expected = theirs(header, body, patched)
        except ValueError:
            # An item without "=" makes the library break; it is no signature of ours either way.
            return
    assert ours(header, body.encode()) is expected


@pytest.mark.parametrize("secrets", [(SECRET, "whsec_new"), ("whsec_new", SECRET)])
def test_while_a_secret_is_changed_one_of_two_signatures_is_enough(secrets: tuple[str, str]) -> None:
    stamp, body = int(NOW.timestamp()), b'{"id":"evt_1"}'
    header = f"t={stamp}," + ",".join(f"v1={signed(secret, stamp, body)}" for secret in secrets)
    assert ours(header, body)


def test_a_callback_of_the_future_is_refused_where_the_library_would_take_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stamp = int((NOW + timedelta(days=365)).timestamp())
    header = f"t={stamp},v1={signed(SECRET, stamp, b'{}')}"
    assert theirs(header, "{}", monkeypatch)
    assert not ours(header, b"{}")


@pytest.mark.parametrize(
    "header", ["", "t=1", "v1=00", "t=,v1=", "t=1,t=2,v1=" + "0" * 64, "t=" + "9" * 400 + ",v1=" + "0" * 64]
)
def test_a_header_that_is_none_is_refused(header: str) -> None:
    assert not ours(header, b"{}")
