"""What a Saleor shop keeps, and how its API shows it: a world small enough to be read, executed by a real GraphQL engine."""

import base64
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

CURRENCY = "EUR"
ADDRESS = {
    "id": "QWRkcmVzczox",
    "firstName": "Ana",
    "lastName": "Lind Ek",
    "companyName": "",
    "streetAddress1": "Storgatan 1",
    "streetAddress2": "",
    "city": "UPPSALA",
    "cityArea": "",
    "postalCode": "753 09",
    "country": {"code": "SE", "country": "Sweden"},
    "countryArea": "",
    "phone": "+46700000000",
}


def gid(kind: str, name: str = "") -> str:
    """A global id, as the platform makes them."""
    return base64.b64encode(f"{kind}:{name or uuid.uuid4()}".encode()).decode()


def now() -> str:
    return datetime.now(UTC).isoformat()


@dataclass
class Line:
    sku: str
    product: str
    quantity: int
    total: int
    variant: str = ""
    left: int = 1000


@dataclass
class Checkout:
    """A basket; amounts are minor units."""

    id: str
    lines: list[Line]
    updated: str
    email: str = "ana@shopper.example"
    language: str = "SV"
    public: dict[str, str] = field(default_factory=dict)
    address: Mapping[str, Any] | None = field(default_factory=lambda: ADDRESS)
    user: Mapping[str, Any] | None = None

    @property
    def total(self) -> int:
        return sum(line.total for line in self.lines)


@dataclass
class Transaction:
    reference: str
    charged: int
    private: dict[str, str] = field(default_factory=dict)


@dataclass
class Order:
    id: str
    checkout: str
    lines: list[Line]
    updated: str
    created: str
    email: str
    status: str = "UNFULFILLED"
    language: str = "SV"
    external: str | None = None
    refunded: int = 0
    private: dict[str, str] = field(default_factory=dict)
    public: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    currency: str = CURRENCY
    sent: list[tuple[str, str]] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(line.total for line in self.lines)

    @property
    def charged(self) -> int:
        return sum(one.charged for one in self.transactions)


def money(minor: int, currency: str = CURRENCY) -> dict[str, Any]:
    """The platform's amounts are floats, which its JSON writes with as few digits as will do."""
    return {"amount": minor / 100, "currency": currency}


def taxed(minor: int, currency: str = CURRENCY) -> dict[str, Any]:
    whole = money(minor, currency)
    return {"gross": whole, "net": whole, "tax": money(0, currency), "currency": currency}


def _meta(public: Mapping[str, str], private: Mapping[str, str]) -> dict[str, Callable[..., str | None]]:
    return {
        "metafield": lambda _info, key: public.get(key),
        "privateMetafield": lambda _info, key: private.get(key),
    }


def _lines(lines: list[Line], currency: str) -> list[dict[str, Any]]:
    return [
        {
            "id": gid("Line", str(at)),
            "quantity": line.quantity,
            "productName": line.product,
            "variantName": "",
            "productSku": line.sku or None,
            "variant": {
                "id": line.variant or gid("ProductVariant", line.sku or "1"),
                "sku": line.sku or None,
                "name": line.product,
                "product": {"id": gid("Product", "1"), "name": line.product},
            },
            "totalPrice": taxed(line.total, currency),
            "problems": _problems(line),
        }
        for at, line in enumerate(lines)
    ]


def _problems(line: Line) -> list[dict[str, Any]]:
    short = {"__typename": "CheckoutLineProblemInsufficientStock", "availableQuantity": line.left}
    return [short] if line.left < line.quantity else []


def checkout(one: Checkout) -> dict[str, Any]:
    return {
        "__typename": "Checkout",
        "id": one.id,
        "created": one.updated,
        "updatedAt": one.updated,
        "email": one.email or None,
        "languageCode": one.language,
        "user": one.user,
        "channel": {"id": gid("Channel", "1"), "slug": "default-channel", "currencyCode": CURRENCY},
        "billingAddress": one.address,
        "shippingAddress": one.address,
        "totalPrice": taxed(one.total),
        "lines": _lines(one.lines, CURRENCY),
        **_meta(one.public, {}),
    }


def order(one: Order) -> dict[str, Any]:
    return {
        "__typename": "Order",
        "id": one.id,
        "number": "1",
        "checkoutId": one.checkout or None,
        "status": one.status,
        "created": one.created,
        "updatedAt": one.updated,
        "isPaid": one.charged >= one.total,
        "userEmail": one.email,
        "languageCodeEnum": one.language,
        "user": None,
        "channel": {"id": gid("Channel", "1"), "slug": "default-channel", "currencyCode": one.currency},
        "externalReference": one.external,
        "billingAddress": ADDRESS,
        "shippingAddress": ADDRESS,
        "lines": _lines(one.lines, one.currency),
        "events": [{"id": gid("OrderEvent", "1"), "message": None}]
        + [{"id": gid("OrderEvent", str(at)), "message": note} for at, note in enumerate(one.notes)],
        "total": taxed(one.total, one.currency),
        "totalCharged": money(one.charged, one.currency),
        "totalRefunded": money(one.refunded, one.currency),
        "transactions": [_transaction(paid, one.currency) for paid in one.transactions],
        "fulfillments": [
            {"id": gid("Fulfillment", str(at)), "status": status, "created": created}
            for at, (status, created) in enumerate(one.sent)
        ],
        **_meta(one.public, one.private),
    }


def _transaction(one: Transaction, currency: str) -> dict[str, Any]:
    return {
        "id": gid("TransactionItem", one.reference or "1"),
        "pspReference": one.reference,
        "chargedAmount": money(one.charged, currency),
        **_meta({}, one.private),
    }
