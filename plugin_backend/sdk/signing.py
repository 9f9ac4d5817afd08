"""Signatures, compared in constant time, over bytes as they were sent."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime

from plugin_backend.sdk.errors import BadSignature

TOLERANCE_SECONDS = 300
_PREFIX = "whsec_"


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def check_base64_hmac(secrets: Iterable[bytes], message: bytes, signature: str) -> None:
    """``BadSignature`` unless ``signature`` is the base64 HMAC-SHA256 of ``message`` under one of ``secrets``.
    Every secret is tried, so that the time does not tell which one fits."""
    given = _decode(signature)
    good = False
    for secret in secrets:
        good |= bool(secret) and hmac.compare_digest(given, hmac_sha256(secret, message))
    if not good:
        raise BadSignature("the signature does not fit the body")


def standard_key(secret: str) -> bytes:
    """The key of a Standard Webhooks secret: base64 behind an optional ``whsec_``; padding may be missing.
    Raises ``ValueError`` for a secret that is empty or not base64."""
    text = secret.removeprefix(_PREFIX)
    key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    if not key:
        raise ValueError("the secret is empty")
    return key


def sign_standard(secret: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks 1.0.0 for ``body``."""
    stamp = str(int(at.timestamp()))
    signature = base64.b64encode(hmac_sha256(standard_key(secret), _signed(message_id, stamp, body))).decode()
    return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}


def check_standard(keys: Iterable[bytes], headers: dict[str, str], body: bytes, at: datetime) -> None:
    """``BadSignature`` unless one ``v1`` item of the header fits under one of ``keys`` and the time lies within
    300 s of ``at`` (real time). Unknown versions are passed over, as the standard asks."""
    message_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not stamp.isascii() or not stamp.isdecimal() or len(stamp) > 12:
        raise BadSignature("the delivery has no id or no time")
    if abs(at.timestamp() - int(stamp)) > TOLERANCE_SECONDS:
        raise BadSignature("the delivery's time is too far from ours")
    items = [item.partition(",") for item in headers.get("webhook-signature", "").split(" ")]
    given = [decoded for version, _, value in items if version == "v1" for decoded in _decode_or_none(value)]
    signed = _signed(message_id, stamp, body)
    good = False
    for key in keys:
        expected = hmac_sha256(key, signed)
        for one in given:
            good |= hmac.compare_digest(one, expected)
    if not good:
        raise BadSignature("no signature fits the body")


def _signed(message_id: str, stamp: str, body: bytes) -> bytes:
    return b".".join((message_id.encode(), stamp.encode(), body))


def _decode(signature: str) -> bytes:
    for decoded in _decode_or_none(signature):
        return decoded
    raise BadSignature("the signature is missing or not base64")


def _decode_or_none(signature: str) -> list[bytes]:
    try:
        decoded = base64.b64decode(signature.encode("ascii"), validate=True)
    except (binascii.Error, ValueError, UnicodeError):
        return []
    return [decoded] if len(decoded) == 32 else []
