"""Requests that reach us through the shop's own domain: Shopify's app proxy signs their query."""

import hmac
from collections.abc import Iterable
from urllib.parse import parse_qsl

from plugin_backend.sdk.errors import BadSignature
from plugin_backend.sdk.signing import hmac_sha256

_ONCE = ("hmac", "shop", "signature", "timestamp")


def check_proxy_query(query: str, secrets: Iterable[str]) -> dict[str, str]:
    """The parameters of a query that Shopify's app proxy signed, repeated ones joined by a comma; ``BadSignature`` for any
    other. Only the query is signed: a body beside it says nothing that can be trusted.

    The signed text is the decoded ``name=value`` pairs without anything between them. One of Shopify's libraries sorts
    them by their names and another sorts the finished pairs, which differs where one name begins another.
    """
    joined: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        if name in joined and name in _ONCE:
            raise BadSignature("the query says one thing twice")
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    given = joined.pop("signature", "").encode("utf-8", "replace")
    by_name = "".join(f"{name}={joined[name]}" for name in sorted(joined))
    as_pairs = "".join(sorted(f"{name}={value}" for name, value in joined.items()))
    good = False
    for secret in secrets:
        for message in (by_name, as_pairs):
            expected = hmac_sha256(secret.encode("utf-8", "replace"), message.encode("utf-8", "replace"))
            good |= bool(secret) and hmac.compare_digest(expected.hex().encode(), given)
    if not good:
        raise BadSignature("the signature does not fit the query")
    return joined
