"""The other side of the connectors' calls: small shops that keep orders and answer like the platforms do.

Each is a ``Client``, so that a contract test drives a connector without a network.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from plugin_backend.sdk.errors import RepriseError
from plugin_backend.sdk.http import Request, Response

AT = "2026-03-02T10:00:00+00:00"


@dataclass(frozen=True, slots=True)
class Post:
    """One webhook that a shop wants to send. ``sign`` makes its headers anew for each try."""

    topic: str
    url: str
    body: bytes
    sign: Callable[[bytes], dict[str, str]]


class Shop:
    """What the shops have in common. ``orders`` are those that exist, by their number; ``counts_parts`` is True for
    a platform whose orders can be paid in part; ``holds_any_basket`` for one that can make an order of a basket it never
    had. ``outbox`` is what it wants to send, by one that sends webhooks; it tries again after so many seconds
    (``retry_after``, shortened) where nothing answered or the answer's hundreds are among ``retried``. ``error_body`` is what
    it signs where something went wrong in it."""

    counts_parts = True
    holds_any_basket = True
    retry_after: tuple[float, ...] = ()
    retried: tuple[int, ...] = ()
    error_body = b'{"errors": [{"message": "No."}]}'

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.orders: dict[str, Any] = {}
        self.now: Callable[[], str] = lambda: AT
        self.outbox: list[Post] = []

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        self.requests.append(request)
        status, answer = self.answer(request)
        return Response(status, {}, answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def answer(self, request: Request) -> tuple[int, Any]:
        raise NotImplementedError

    def leave_basket(self) -> str:
        """A shopper fills a basket of 100.00 EUR and leaves; the basket's key."""
        raise NotImplementedError

    def buy(self, cart_key: str) -> None:
        """The shopper comes back and buys at the shop's own checkout."""
        raise NotImplementedError

    def cancel(self, order_key: str) -> None:
        """The shop's people cancel an order; nothing where the platform cannot show that."""

    def sell_out(self, cart_key: str) -> str:
        """The last pieces of the basket's first thing go to somebody else; its name, "" where the platform's API cannot show
        that."""
        return ""

    def paid(self, order_key: str) -> int:
        """How much the shop believes to have got for an order, in minor units."""
        raise NotImplementedError

    def told(self, order_key: str) -> list[str]:
        """The words about payments that the shop's people see at the order."""
        raise NotImplementedError


class Answers:
    """A client on which the other side is silent, out of reach, or answers one thing always."""

    def __init__(self, answer: Response | RepriseError) -> None:
        self.answer = answer

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        if isinstance(self.answer, RepriseError):
            raise self.answer
        return self.answer


class WooShop(Shop):
    """Meta is merged by key, ``set_paid`` acts on what can be paid only, and the search knows no meta."""

    counts_parts = False

    def __init__(self) -> None:
        super().__init__()
        self.notes: dict[str, list[str]] = {}
        self.webhooks: list[dict[str, Any]] = []
        self.products: dict[str, dict[str, Any]] = {}

    def answer(self, request: Request) -> tuple[int, Any]:
        if not request.headers.get("Authorization", "").startswith("Basic "):
            return 401, {"code": "woocommerce_rest_cannot_view", "message": "No.", "data": {"status": 401}}
        parts = urlsplit(request.url)
        path = parts.path.partition("/wp-json/wc/v3/")[2].split("/")
        body = json.loads(request.body) if request.body else {}
        if path[0] == "webhooks":
            return self._webhooks(request.method, body, path[1:])
        if path == ["products"]:
            wanted = parse_qs(parts.query)["sku"][0]
            return 200, [one for one in self.products.values() if one.get("sku") == wanted]
        if path[0] == "products" and path[1] in self.products:
            return 200, self.products[path[1]]
        if path[0] != "orders":
            return 404, {"code": "rest_no_route", "message": "No route.", "data": {"status": 404}}
        if len(path) == 1:
            return (
                self._made(body) if request.method == "POST" else (200, self._listed(parse_qs(parts.query)))
            )
        if path[1] not in self.orders:
            return 404, {
                "code": "woocommerce_rest_shop_order_invalid_id",
                "message": "",
                "data": {"status": 404},
            }
        if len(path) == 3:
            return self._noted(request.method, path[1], body)
        if request.method == "PUT":
            self._change(self.orders[path[1]], body)
        return 200, self.orders[path[1]]

    def _listed(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        if "search" in query:
            return [one for one in self.orders.values() if one["transaction_id"] == query["search"][0]]
        statuses = query.get("status", ["any"])[0].split(",")
        found = [one for one in self.orders.values() if statuses == ["any"] or one["status"] in statuses]
        return sorted(found, key=lambda one: one["id"], reverse=query.get("order") == ["desc"])

    def _made(self, body: dict[str, Any]) -> tuple[int, Any]:
        lines = [*body.get("line_items", []), *body.get("fee_lines", [])]
        total = sum(round(float(line["total"]) * 100) for line in lines)
        order = self._new(f"{total / 100:.2f}", "pending")
        order["line_items"] = [{**line, "total_tax": "0"} for line in body.get("line_items", [])]
        self._change(order, body)
        return 201, order

    def _new(self, total: str, status: str) -> dict[str, Any]:
        number = 100 + len(self.orders)
        order = {"id": number, "status": status, "currency": "EUR", "total": total, "meta_data": []}
        order |= {"date_modified_gmt": "2026-03-02T10:00:00", "date_paid_gmt": None, "line_items": []}
        order |= {"transaction_id": "", "payment_method": "", "needs_processing": True}
        self.orders[str(number)] = order
        self.notes[str(number)] = []
        return order

    def _change(self, order: dict[str, Any], body: dict[str, Any]) -> None:
        for meta in body.get("meta_data", []):
            order["meta_data"] = [one for one in order["meta_data"] if one["key"] != meta["key"]] + [meta]
        for name in ("status", "payment_method", "transaction_id"):
            order[name] = body.get(name, order[name])
        if body.get("set_paid") and order["status"] in ("pending", "failed", "checkout-draft"):
            order["status"] = "processing"
        if order["status"] in ("processing", "completed"):
            order["date_paid_gmt"] = "2026-03-02T10:05:00"

    def _noted(self, method: str, number: str, body: dict[str, Any]) -> tuple[int, Any]:
        if method == "POST":
            self.notes[number].append(body["note"])
            return 201, {"id": len(self.notes[number]), "note": body["note"]}
        return 200, [{"id": at, "note": note} for at, note in enumerate(self.notes[number])]

    def _webhooks(self, method: str, body: dict[str, Any], rest: list[str]) -> tuple[int, Any]:
        if method == "POST":
            self.webhooks.append({"id": len(self.webhooks) + 1, **body})
            return 201, self.webhooks[-1]
        if rest:
            hook = next(hook for hook in self.webhooks if hook["id"] == int(rest[0]))
            if method == "DELETE":
                self.webhooks.remove(hook)
            hook |= body
            return 200, hook
        return 200, [{name: hook[name] for name in hook if name != "secret"} for hook in self.webhooks]

    def leave_basket(self) -> str:
        order = self._new("100.00", "checkout-draft")
        line = {"name": "Lamp", "quantity": 1, "total": "100.00", "total_tax": "0", "product_id": 5}
        order["line_items"] = [line]
        self.products["5"] = {"status": "publish", "stock_status": "instock", "manage_stock": True}
        self.products["5"] |= {"stock_quantity": 3, "backorders": "no"}
        return f"order:{order['id']}"

    def sell_out(self, cart_key: str) -> str:
        self.products["5"]["stock_quantity"] = 0
        return "Lamp"

    def buy(self, cart_key: str) -> None:
        self._change(
            self.orders[cart_key.partition(":")[2]], {"set_paid": True, "payment_method": "cardgate"}
        )

    def cancel(self, order_key: str) -> None:
        self.orders[order_key.partition(":")[2]]["status"] = "cancelled"

    def paid(self, order_key: str) -> int:
        order = self.orders[order_key.partition(":")[2]]
        return round(float(order["total"]) * 100) if order["date_paid_gmt"] else 0

    def told(self, order_key: str) -> list[str]:
        return self.notes[order_key.partition(":")[2]]


class ShopifyShop(Shop):
    """Answers by the operation's name. A search does not find what was made a moment ago."""

    def __init__(self) -> None:
        super().__init__()
        self.metafields: dict[str, dict[str, str]] = {}
        self.subscriptions: list[dict[str, str]] = []
        self.carts: dict[str, str] = {}
        self.checkouts: list[dict[str, Any]] = []
        self.drafts: list[dict[str, Any]] = []

    def answer(self, request: Request) -> tuple[int, Any]:
        if not request.headers.get("X-Shopify-Access-Token"):
            return 401, {"errors": "[API] Invalid API key or access token"}
        asked = json.loads(request.body)
        operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "OrdersBySourceIdentifier": self._searched,
            "RecentOrders": lambda _: {"orders": {"nodes": list(self.orders.values())[::-1]}},
            "Orders": lambda _: {"orders": {"nodes": [], "pageInfo": {}}},
            "OrderState": lambda variables: {"order": self.orders.get(_number(variables["id"]))},
            "OrderCreate": self._created,
            "OrderMarkAsPaid": self._marked,
            "OrderCreateManualPayment": self._booked,
            "MetafieldsSet": self._kept,
            "DraftOrders": lambda asked: {"draftOrders": {"nodes": self._drafts_tagged(asked["query"])}},
            "DraftOrderCreate": self._drafted,
            "TagsAdd": lambda variables: {"tagsAdd": {"node": {"id": variables["id"]}, "userErrors": []}},
            "WebhookList": lambda _: {"webhookSubscriptions": {"nodes": self.subscriptions, "pageInfo": {}}},
            "WebhookSubscribe": self._subscribed,
            "ShopInfo": lambda _: {
                "shop": {"name": "Fjordlys"},
                "currentAppInstallation": {"accessScopes": []},
            },
            "AbandonedCheckouts": lambda _: {"abandonedCheckouts": {"nodes": self.checkouts, "pageInfo": {}}},
            "CheckoutStock": lambda _: {"abandonedCheckouts": {"nodes": self.checkouts}},
        }
        return 200, {"data": operations[asked["operationName"]](asked["variables"])}

    def _searched(self, variables: dict[str, Any]) -> dict[str, Any]:
        token = re.fullmatch(r'cart_token:"(.+)"', variables["query"])
        number = self.carts.get(token.group(1), "") if token else ""
        return {"orders": {"nodes": [self.orders[number]] if number else []}}

    def _drafts_tagged(self, query: str) -> list[dict[str, Any]]:
        found = re.fullmatch(r'tag:"(.+)"', query)
        return [one for one in self.drafts if found and found.group(1) in one["tags"]]

    def _drafted(self, variables: dict[str, Any]) -> dict[str, Any]:
        number = str(71 + len(self.drafts))
        url = f"https://fjordlys-studio.myshopify.com/5/invoices/{number}"
        made = {**variables["input"], "id": f"gid://shopify/DraftOrder/{number}", "invoiceUrl": url}
        self.drafts.append(made)
        return {"draftOrderCreate": {"draftOrder": made, "userErrors": []}}

    def _created(self, variables: dict[str, Any]) -> dict[str, Any]:
        order = variables["order"]
        bags = [_times(line["priceSet"], line["quantity"]) for line in order["lineItems"]]
        total = sum(bags) + sum(_times(line["priceSet"], 1) for line in order.get("shippingLines", []))
        if "discountCode" in order:
            total -= _minor(order["discountCode"]["itemFixedDiscountCode"]["amountSet"])
        paid = total if order["financialStatus"] == "PAID" else 0
        made = self._new(total, paid, order["sourceIdentifier"], order["tags"])
        return {"orderCreate": {"order": made, "userErrors": []}}

    def _new(self, total: int, paid: int, source: str = "", tags: tuple[str, ...] = ()) -> dict[str, Any]:
        number = str(9007199254741001 + len(self.orders))
        self.orders[number] = {
            "id": f"gid://shopify/Order/{number}",
            "createdAt": "2026-03-02T10:00:00Z",
            "cancelledAt": None,
            "displayFinancialStatus": "PAID" if paid else "PENDING",
            "sourceIdentifier": source or None,
            "tags": list(tags),
            "totalPriceSet": _bag(total),
            "totalReceivedSet": _bag(paid),
        }
        self.metafields[number] = {}
        return self.orders[number]

    def _marked(self, variables: dict[str, Any]) -> dict[str, Any]:
        order = self.orders[_number(variables["input"]["id"])]
        order |= {"displayFinancialStatus": "PAID", "totalReceivedSet": order["totalPriceSet"]}
        return {"orderMarkAsPaid": {"order": order, "userErrors": []}}

    def _booked(self, variables: dict[str, Any]) -> dict[str, Any]:
        order = self.orders[_number(variables["id"])]
        got = _minor(order["totalReceivedSet"]) + round(float(variables["amount"]["amount"]) * 100)
        whole = got == _minor(order["totalPriceSet"])
        order |= {
            "totalReceivedSet": _bag(got),
            "displayFinancialStatus": "PAID" if whole else "PARTIALLY_PAID",
        }
        return {"orderCreateManualPayment": {"order": order, "userErrors": []}}

    def _kept(self, variables: dict[str, Any]) -> dict[str, Any]:
        for field in variables["metafields"]:
            self.metafields[_number(field["ownerId"])][field["key"]] = json.loads(field["value"])["words"]
        return {"metafieldsSet": {"metafields": [], "userErrors": []}}

    def _subscribed(self, variables: dict[str, Any]) -> dict[str, Any]:
        self.subscriptions.append({"id": "1", "topic": variables["topic"], "uri": variables["sub"]["uri"]})
        return {"webhookSubscriptionCreate": {"webhookSubscription": {"id": "1"}, "userErrors": []}}

    def leave_basket(self) -> str:
        line = {"title": "Lamp", "quantity": 1, "discountedTotalPriceSet": _bag(10000)}
        line["variant"] = {"availableForSale": True, "inventoryPolicy": "DENY", "sellableOnlineQuantity": 3}
        line["variant"]["inventoryItem"] = {"tracked": True}
        self.checkouts = [
            {
                "id": "gid://shopify/AbandonedCheckout/36028797018963999",
                "updatedAt": "2026-03-02T10:00:00Z",
                "completedAt": None,
                "abandonedCheckoutUrl": "https://fjordlys-studio.myshopify.com/checkouts/cn/c0ffee/recover?key=1",
                "totalPriceSet": _bag(10000),
                "lineItems": {"nodes": [line]},
            }
        ]
        return "cart:c0ffee"

    def sell_out(self, cart_key: str) -> str:
        (line,) = self.checkouts[0]["lineItems"]["nodes"]
        line["variant"]["sellableOnlineQuantity"] = 0
        return "Lamp"

    def buy(self, cart_key: str) -> None:
        self.carts[cart_key.partition(":")[2]] = _number(self._new(10000, 10000)["id"])

    def cancel(self, order_key: str) -> None:
        self.orders[order_key.partition(":")[2]]["cancelledAt"] = "2026-03-02T11:00:00Z"

    def paid(self, order_key: str) -> int:
        return _minor(self.orders[order_key.partition(":")[2]]["totalReceivedSet"])

    def told(self, order_key: str) -> list[str]:
        return list(self.metafields[order_key.partition(":")[2]].values())


def _number(gid: str) -> str:
    return gid.rpartition("/")[2]


def _bag(minor: int) -> dict[str, Any]:
    amount = {"amount": f"{minor / 100:.2f}".rstrip("0"), "currencyCode": "EUR"}
    return {"shopMoney": amount, "presentmentMoney": amount}


def _minor(bag: dict[str, Any]) -> int:
    return round(float(bag["presentmentMoney"]["amount"]) * 100)


def _times(bag: dict[str, Any], quantity: int) -> int:
    return _minor(bag) * quantity
