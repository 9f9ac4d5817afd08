"""A small shop of Saleor: its API over a world of its own, executed against the types that the platform documents, so that
a document with a field it does not have is refused as there."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from graphql import GraphQLSchema, build_schema, graphql_sync

from connectors.saleor.contract import world
from connectors.saleor.contract.world import Checkout, Line, Order, Transaction, gid
from plugin_backend.sdk.http import Request
from plugin_backend.sdk.signing import hmac_sha256
from tests.contract.connector_golden import SETTINGS
from tests.contract.connector_shops import Post
from tests.contract.connector_shops import Shop as ContractShop

SCHEMA: GraphQLSchema = build_schema(Path(__file__).with_name("schema.graphql").read_text())
PERMISSIONS = (
    "HANDLE_CHECKOUTS",
    "HANDLE_PAYMENTS",
    "MANAGE_CHECKOUTS",
    "MANAGE_ORDERS",
    "MANAGE_ORDERS_IMPORT",
)


def minor(amount: str) -> int:
    return int(Decimal(amount) * 100)


class Shop(ContractShop):
    """Its orders come from its own checkouts only, and each checkout becomes one."""

    holds_any_basket = False
    # Ten seconds, doubled four times; what was answered by 3xx or 4xx is not tried again.
    retry_after = (0.1, 0.2, 0.4, 0.8, 1.6)
    retried = (5,)
    error_body = (
        b'{"__typename": "CheckoutUpdated", "checkout": null, "errors": [{"message": "No tax app."}]}'
    )

    def __init__(self) -> None:
        super().__init__()
        self.checkouts: dict[str, Checkout] = {}
        self.webhooks: list[dict[str, Any]] = []

    def answer(self, request: Request) -> tuple[int, Any]:
        token = SETTINGS["saleor"]["app_token"]
        asked = json.loads(request.body)
        signed_in = request.headers.get("Authorization") == f"Bearer {token}"
        if not signed_in and asked["operationName"] != "Recognise":
            return 200, _refused("PermissionDenied")
        done = graphql_sync(
            SCHEMA,
            asked["query"],
            self._root(),
            variable_values=asked["variables"],
            operation_name=asked["operationName"],
        )
        return (400 if done.data is None else 200), done.formatted

    def body(self, query: str, event: str, what: dict[str, Any]) -> bytes:
        """What a webhook with this query is sent for an event, with the platform's blanks and raw UTF-8."""
        root = {"event": {"__typename": event, "issuedAt": self.now(), "version": "3.23.0", **what}}
        done = graphql_sync(SCHEMA, query, root)
        assert done.errors is None, done.errors
        return json.dumps((done.data or {})["event"], ensure_ascii=False).encode()

    def _tell(self, event: str, **what: Any) -> None:
        """The body is what was true when it happened; a repetition is byte for byte the same."""
        for hook in self.webhooks:
            if hook["isActive"]:
                body, secret = self.body(hook["subscriptionQuery"], event, what), hook["secretKey"]
                sign = partial(headers, event=snake(event), secret=secret)
                self.outbox.append(Post(event, hook["targetUrl"], body, sign))

    def _root(self) -> dict[str, Any]:
        return {
            **self._itself(),
            **self._queries(),
            **self._orders_made(),
            **self._orders_marked(),
            **self._hooks(),
        }

    def _itself(self) -> dict[str, Any]:
        hooks = [{key: hook[key] for key in hook if key != "secretKey"} for hook in self.webhooks]
        return {
            "shop": {
                "name": "Nordwind",
                "version": "3.23.0",
                "schemaVersion": "3.23",
                "defaultCountry": {"code": "SE", "country": "Sweden"},
            },
            "app": {
                "id": gid("App", "1"),
                "permissions": [{"code": code, "name": code} for code in PERMISSIONS],
                "webhooks": hooks,
            },
        }

    def _queries(self) -> dict[str, Any]:
        def order(_info: Any, id: str = "", externalReference: str = "") -> Any:
            found = [
                one
                for one in self.orders.values()
                if (id and one.id == id) or (externalReference and one.external == externalReference)
            ]
            return world.order(found[0]) if found else None

        def checkout(_info: Any, id: str) -> Any:
            return world.checkout(self.checkouts[id]) if id in self.checkouts else None

        def checkouts(_info: Any, **asked: Any) -> Any:
            since = (asked.get("filter") or {}).get("updatedAt", {}).get("gte", "")
            found = [one for one in self.checkouts.values() if one.updated[:10] >= since]
            return _page([world.checkout(one) for one in found], asked)

        def orders(_info: Any, **asked: Any) -> Any:
            return _page(
                [world.order(one) for one in self.orders.values() if _fits(one, asked["filter"])], asked
            )

        return {
            "order": order,
            "orders": orders,
            "checkout": checkout,
            "checkouts": checkouts,
            "warehouses": _page([{"id": gid("Warehouse", "1"), "name": "Hall"}], {}),
        }

    def _orders_made(self) -> dict[str, Any]:
        def from_checkout(_info: Any, id: str, privateMetadata: Any = (), **_: Any) -> Any:
            if id not in self.checkouts:
                return {"order": None, "errors": [_error("id", "CHECKOUT_NOT_FOUND")]}
            basket = self.checkouts.pop(id)
            if basket.address is None:
                self.checkouts[id] = basket
                return {"order": None, "errors": [_error("billingAddress", "BILLING_ADDRESS_NOT_SET")]}
            made = self._made(id, basket.lines, basket.email, _metadata(privateMetadata))
            self._tell("OrderCreated", order=world.order(made))
            return {"order": world.order(made), "errors": []}

        def imported(_info: Any, orders: Any, **_: Any) -> Any:
            wanted = orders[0]
            if any(one.external == wanted["externalReference"] for one in self.orders.values()):
                error = {"path": "external_reference", "message": "", "code": "UNIQUE"}
                return {"count": 0, "results": [{"order": None, "errors": [error]}], "errors": []}
            lines = [
                Line(
                    "",
                    one["productName"],
                    one["quantity"],
                    minor(one["totalPrice"]["gross"]),
                    one.get("variantId", ""),
                )
                for one in wanted["lines"]
            ]
            made = self._made(
                "", lines, wanted["user"].get("email", ""), _metadata(wanted["privateMetadata"])
            )
            made.external, made.notes = (
                wanted["externalReference"],
                [note["message"] for note in wanted["notes"]],
            )
            made.transactions = [_paid(one) for one in wanted["transactions"]]
            return {"count": 1, "results": [{"order": world.order(made), "errors": []}], "errors": []}

        return {"orderCreateFromCheckout": from_checkout, "orderBulkCreate": imported}

    def _made(self, checkout: str, lines: list[Line], email: str, private: dict[str, str]) -> Order:
        name, at = f"a{len(self.orders):03}", self.now()
        made = Order(gid("Order", name), checkout, lines, at, at, email, private=private)
        self.orders[made.id] = made
        return made

    def _orders_marked(self) -> dict[str, Any]:
        def pay(_info: Any, id: str, transaction: Any) -> Any:
            self.orders[id].transactions.append(_paid(transaction))
            self._changed(self.orders[id], "OrderUpdated")
            return {"transaction": {"id": gid("TransactionItem", "1")}, "errors": []}

        def note(_info: Any, order: str, input: Any) -> Any:
            self.orders[order].notes.append(input["message"])
            return {"order": world.order(self.orders[order]), "errors": []}

        def mark(_info: Any, id: str, input: Any) -> Any:
            self.orders[id].private |= _metadata(input)
            return {"item": world.order(self.orders[id]), "errors": []}

        return {"transactionCreate": pay, "orderNoteAdd": note, "updatePrivateMetadata": mark}

    def _hooks(self) -> dict[str, Any]:
        def create(_info: Any, input: Any) -> Any:
            hook = {"id": gid("Webhook", str(len(self.webhooks))), **input}
            self.webhooks.append({**hook, "subscriptionQuery": hook.pop("query")})
            return {"webhook": self.webhooks[-1], "errors": []}

        def update(_info: Any, id: str, input: Any) -> Any:
            hook = next(hook for hook in self.webhooks if hook["id"] == id)
            hook |= {"subscriptionQuery" if name == "query" else name: value for name, value in input.items()}
            return {"webhook": hook, "errors": []}

        return {"webhookCreate": create, "webhookUpdate": update}

    def _changed(self, order: Order, event: str) -> None:
        order.updated = self.now()
        self._tell(event, order=world.order(order))

    def leave_basket(self) -> str:
        lines = [Line("LAMP-1", "Lamp", 2, 8000), Line("BULB", "Bulbs", 3, 2000)]
        left = Checkout(gid("Checkout", f"c{len(self.checkouts) + len(self.orders):03}"), lines, self.now())
        left.public["reprise_consent"] = '{"granted": true, "source": "checkout"}'
        self.checkouts[left.id] = left
        self._tell("CheckoutCreated", checkout=world.checkout(left))
        return f"checkout:{left.id}"

    def buy(self, cart_key: str) -> None:
        basket = self.checkouts.pop(cart_key.partition(":")[2])
        sold = self._made(basket.id, basket.lines, basket.email, {})
        self._tell("OrderCreated", order=world.order(sold))
        sold.transactions.append(Transaction("ch_native", sold.total))
        self._changed(sold, "OrderFullyPaid")

    def sell_out(self, cart_key: str) -> str:
        line = self.checkouts[cart_key.partition(":")[2]].lines[0]
        line.left = 1
        return line.product

    def cancel(self, order_key: str) -> None:
        order = self.orders[order_key.partition(":")[2]]
        order.status = "CANCELED"
        self._changed(order, "OrderCancelled")

    def paid(self, order_key: str) -> int:
        paid: int = self.orders[order_key.partition(":")[2]].charged
        return paid

    def told(self, order_key: str) -> list[str]:
        notes: list[str] = self.orders[order_key.partition(":")[2]].notes
        return notes


def headers(body: bytes, event: str, secret: str, *, old: bool = False) -> dict[str, str]:
    """Each of the platform's own headers twice; releases before 3.20 had the older names alone."""
    told = {
        "Event": event,
        "Domain": "nordwind.example",
        "Signature": hmac_sha256(secret.encode(), body).hex(),
    }
    sent = {"Content-Type": "application/json"} | {f"X-Saleor-{name}": value for name, value in told.items()}
    newer = {f"Saleor-{name}": value for name, value in told.items()}
    return sent if old else sent | newer | {"Saleor-Api-Url": "https://nordwind.example/graphql/"}


def snake(event: str) -> str:
    """``CheckoutUpdated`` of the schema is ``checkout_updated`` in a header."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in event).lstrip("_")


def _refused(code: str) -> dict[str, Any]:
    exception = {"code": code, "stacktrace": []}
    return {"errors": [{"message": "No.", "extensions": {"exception": exception}}], "data": {"app": None}}


def _error(name: str, code: str) -> dict[str, str]:
    return {"field": name, "message": "", "code": code}


def _metadata(given: Any) -> dict[str, str]:
    return {one["key"]: one["value"] for one in given}


def _paid(given: Mapping[str, Any]) -> Transaction:
    metadata = _metadata(given.get("privateMetadata") or [])
    return Transaction(given["pspReference"], minor(given["amountCharged"]["amount"]), metadata)


def _fits(one: Order, wanted: Mapping[str, Any]) -> bool:
    since = wanted.get("updatedAt", {}).get("gte")
    if since and datetime.fromisoformat(one.updated) < datetime.fromisoformat(since):
        return False
    return "checkoutIds" not in wanted or one.checkout in wanted["checkoutIds"]


def _page(found: list[dict[str, Any]], asked: Mapping[str, Any]) -> dict[str, Any]:
    start = int(asked.get("after") or 0)
    end = start + (asked.get("first") or 100)
    more = end < len(found)
    info = {"hasNextPage": more, "hasPreviousPage": start > 0, "endCursor": str(end) if more else None}
    return {
        "pageInfo": info,
        "edges": [{"node": one, "cursor": str(at)} for at, one in enumerate(found[start:end])],
    }
