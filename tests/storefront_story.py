"""What a shop's page does while its shopper is there, over the web application's front door."""

import json
from typing import Any

from sqlalchemy import select
from werkzeug.test import TestResponse

from plugin_backend.domain import storefronts
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.offers import Offer
from plugin_backend.sdk import clock
from plugin_backend.sdk.signing import sign_standard
from tests.house import STANDARD_SECRET, TestHouse
from tests.plan_story import ACCOUNT

ORIGIN = "http://127.0.0.1:9"
EMAIL = "ana@example.test"


def add_shop(house: TestHouse, platform: str = "custom", **facts: Any) -> Shop:
    """A shop whose server can sign, and which could keep what it offers."""
    settings = {"custom": {"secret": STANDARD_SECRET}, "shopify": {"write_mode": "external_paid_order"}}
    return house.add_shop(platform, settings=settings.get(platform, {}), **({"sandbox": ACCOUNT} | facts))


def base(house: TestHouse, shop: Shop) -> str:
    with house.worker.app_context():
        return storefronts.path(shop.id)


def get(
    house: TestHouse, shop: Shop, what: str, *, origin: str | None = ORIGIN, **query: Any
) -> TestResponse:
    return house.client().get(base(house, shop) + what, query_string=query, headers=_from(origin))


def post(house: TestHouse, shop: Shop, what: str, told: Any, *, origin: str | None = ORIGIN) -> TestResponse:
    """As a page's script posts: JSON as plain text, so that no preflight is needed."""
    raw = told if isinstance(told, bytes) else json.dumps(told).encode()
    return house.client().post(
        base(house, shop) + what, data=raw, headers=_from(origin), content_type="text/plain;charset=UTF-8"
    )


def _from(origin: str | None) -> dict[str, str]:
    return {} if origin is None else {"Origin": origin}


def cart(
    house: TestHouse, shop: Shop, name: str = "k-7", *, email: str = EMAIL, **changes: Any
) -> dict[str, Any]:
    """A basket as the shop tells it, touched now."""
    return {
        "id": name,
        "updated_at": house.now(shop).isoformat(),
        "currency": "EUR",
        "amount_minor": 10000,
        "lines": [{"title": "Lamp", "quantity": "1", "total_amount_minor": 10000}],
        "customer": {"email": email, "locale": "fr", "country": "FR"} if email else {"country": "FR"},
        **changes,
    }


def told(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "data": data}


def failed(basket: dict[str, Any], **why: Any) -> dict[str, Any]:
    """The shop says that the card was declined, a moment after the basket was touched."""
    return told("payment.failed", {"cart": basket, "at": basket["updated_at"], **why})


def signed(
    body: dict[str, Any], *, secret: str = STANDARD_SECRET, name: str = "msg_1", age: float = 0
) -> Any:
    """A message as the shop's server gives it to its page."""
    raw = json.dumps(body)
    at = clock.real_now().timestamp() - age
    stamped = type(clock.real_now()).fromtimestamp(at, clock.real_now().tzinfo)
    headers = sign_standard(secret, name, stamped, raw.encode())
    return {
        "id": headers["webhook-id"],
        "timestamp": headers["webhook-timestamp"],
        "signature": headers["webhook-signature"],
        "body": raw,
    }


def ask(house: TestHouse, shop: Shop, body: dict[str, Any], *, name: str = "msg_1", **more: Any) -> str:
    """The page asks for a plan by a signed message; the path at which it learns what came of it."""
    answer = post(house, shop, "inquiries", {"message": signed(body, name=name), **more})
    assert answer.status_code == 202, answer.text
    assert answer.json is not None
    assert answer.json["state"] == "asked"
    return str(answer.json["poll"]).removeprefix(house.settings.base_url)


def outcome(house: TestHouse, shop: Shop, poll: str) -> dict[str, Any]:
    """What the page is told once a worker had its turn."""
    house.rest(shop)
    answer = house.client().get(poll, headers={"Origin": ORIGIN})
    assert answer.status_code == 200
    assert answer.json is not None
    return dict(answer.json)


def offered(house: TestHouse, shop: Shop, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The offer that the page may show for a basket."""
    came = outcome(house, shop, ask(house, shop, body, **more))
    assert came["state"] == "offered", verdicts(house, shop)
    return dict(came["offer"])


def verdicts(house: TestHouse, shop: Shop) -> list[tuple[str, str]]:
    with house.of(shop) as session:
        return [(offer.state, offer.reason) for offer in session.scalars(select(Offer).order_by(Offer.id))]
