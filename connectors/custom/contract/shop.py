"""A shop of its owner's making, by the reference library of Standard Webhooks in both directions."""

import json
import uuid
from typing import Any

from standardwebhooks import Webhook

from plugin_backend.sdk import clock
from plugin_backend.sdk.http import Request
from tests.contract.connector_golden import SETTINGS
from tests.contract.connector_shops import Post
from tests.contract.connector_shops import Shop as ContractShop


class Shop(ContractShop):
    """Does each message once, by its id, and judges signatures with the reference library."""

    retry_after = (0.1, 0.2, 0.4, 0.8, 1.6)
    retried = (3, 4, 5)

    def __init__(self) -> None:
        super().__init__()
        self.done: dict[str, Any] = {}
        self.words: dict[str, list[str]] = {}
        self.bought: set[str] = set()
        self.basket: dict[str, Any] = {}
        self.hook_url = ""

    def answer(self, request: Request) -> tuple[int, Any]:
        told = Webhook(SETTINGS["custom"]["callback_secret"]).verify(request.body, dict(request.headers))
        message, data = request.headers["webhook-id"], told["data"]
        if told["type"] == "cart.read" and data["cart_id"] == self.basket.get("id"):
            return 200, {"cart": self.basket}
        if told["type"].endswith(".read"):
            return 404, {}
        if message in self.done:
            return 409, self.done[message]
        status, said = self._do(told["type"], data)
        if status == 200:
            self.done[message] = said
        return status, said

    def _do(self, kind: str, data: dict[str, Any]) -> tuple[int, Any]:
        if kind == "ping":
            return 200, {}
        if kind == "order.reserve" and data["cart_id"] in self.bought:
            return 422, {"reason": "bought"}
        if kind in ("order.reserve", "order.renewed"):
            number = f"A-{len(self.orders) + 1}"
            paid = data["amount_minor"] if kind == "order.renewed" else 0
            self.orders[number] = {
                "reference": data["reference"],
                "total": data["amount_minor"],
                "paid": paid,
            }
            self.words[number] = [data["words"]] if kind == "order.renewed" else []
            return 200, {
                "order_id": number,
                "amount_minor": data["amount_minor"],
                "currency": data["currency"],
            }
        if kind == "order.payment_accepted":
            first = data["ship"] == "first_payment"
            order = self.orders[data["order_id"]]
            order["paid"] = order["total"] if first else order["paid"] + data["amount_minor"]
        self.words[data["order_id"]].append(data["words"])
        return 200, {"order_id": data["order_id"]}

    def leave_basket(self) -> str:
        self.basket = {**_BASKET, "updated_at": self.now()}
        self._tell("cart.updated", self.basket)
        return "cart:k-7"

    def sell_out(self, cart_key: str) -> str:
        (line,) = self.basket["lines"]
        self.basket["lines"] = [{**line, "sold_out": True}]
        return str(line["title"])

    def buy(self, cart_key: str) -> None:
        name = cart_key.partition(":")[2]
        self.bought.add(name)
        self.basket = {}
        money = {"currency": "EUR", "amount_minor": 10000}
        self._tell("order.paid", {"id": "N-1", "cart_id": name, "at": self.now(), **money})

    def _tell(self, kind: str, data: dict[str, Any]) -> None:
        body = json.dumps({"type": kind, "timestamp": self.now(), "data": data}).encode()
        secret, message = SETTINGS["custom"]["secret"], f"msg_{uuid.uuid4().hex}"

        def sign(body: bytes) -> dict[str, str]:
            at = clock.real_now()
            signature = Webhook(secret).sign(message, at, body.decode())
            stamp = str(int(at.timestamp()))
            return {"webhook-id": message, "webhook-timestamp": stamp, "webhook-signature": signature}

        if self.hook_url:
            self.outbox.append(Post(kind, self.hook_url, body, sign))

    def paid(self, order_key: str) -> int:
        return int(self.orders[order_key.partition(":")[2]]["paid"])

    def told(self, order_key: str) -> list[str]:
        return self.words[order_key.partition(":")[2]]


_BASKET: dict[str, Any] = {
    "id": "k-7",
    "currency": "EUR",
    "amount_minor": 10000,
    "lines": [{"title": "Lamp", "quantity": 1, "total_amount_minor": 10000}],
    "customer": {"email": "ana@shopper.example", "name": "Ana Lind Ek", "locale": "sv", "country": "SE"},
    "consent": {"granted": True, "at": "2026-03-02T10:24:00Z", "source": "checkout"},
}
