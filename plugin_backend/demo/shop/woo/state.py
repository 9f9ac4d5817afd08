"""What the WooCommerce shop keeps. Amounts are minor units of EUR, times whole seconds since 1970, UTC."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from plugin_backend.demo.shop.basket import Basket

CURRENCY = "EUR"
VERSION = "9.3.3"
WORDPRESS = "6.6.2"

STATUSES = (
    "auto-draft",
    "pending",
    "processing",
    "on-hold",
    "completed",
    "cancelled",
    "refunded",
    "failed",
    "checkout-draft",
    "trash",
)
# An order in one of these may be paid; ``set_paid`` does nothing to any other, an order on hold included.
PAYABLE = ("pending", "failed", "checkout-draft")
SOLD = ("processing", "completed", "on-hold")
PAID = ("processing", "completed")


@dataclass(slots=True)
class Address:
    """Field names and order are the platform's; shipping has no e-mail."""

    first_name: str = ""
    last_name: str = ""
    company: str = ""
    address_1: str = ""
    address_2: str = ""
    city: str = ""
    state: str = ""
    postcode: str = ""
    country: str = ""
    email: str = ""
    phone: str = ""


@dataclass(slots=True)
class Meta:
    id: int
    key: str
    value: Any


@dataclass(slots=True)
class Line:
    """``product_id`` 0: a line whose product the shop does not know."""

    id: int
    name: str
    product_id: int
    quantity: int
    subtotal: int
    total: int
    sku: str


@dataclass(slots=True)
class Fee:
    id: int
    name: str
    total: int


@dataclass(slots=True)
class Refund:
    id: int
    at: int
    amount: int
    reason: str


@dataclass(slots=True)
class Note:
    id: int
    at: int
    author: str
    note: str
    customer_note: bool


@dataclass(slots=True)
class Order:
    """An order, from the draft on. ``stock_reduced`` says that what it holds left the shelf."""

    id: int
    status: str
    created: int
    modified: int
    created_via: str
    key: str
    locale: str = ""
    customer_id: int = 0
    billing: Address = field(default_factory=Address)
    shipping: Address = field(default_factory=Address)
    payment_method: str = ""
    payment_method_title: str = ""
    transaction_id: str = ""
    customer_note: str = ""
    paid: int | None = None
    completed: int | None = None
    cart_hash: str = ""
    stock_reduced: bool = False
    lines: list[Line] = field(default_factory=list)
    fees: list[Fee] = field(default_factory=list)
    meta: list[Meta] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(line.total for line in self.lines) + sum(fee.total for fee in self.fees)

    @property
    def refunded(self) -> int:
        return sum(refund.amount for refund in self.refunds)


@dataclass(slots=True)
class Customer:
    id: int
    created: int
    modified: int
    email: str
    first_name: str
    last_name: str
    username: str
    billing: Address
    paying: bool = False


@dataclass(slots=True)
class Webhook:
    """``pending_delivery`` stays set until a ping was answered with exactly 200."""

    id: int
    name: str
    topic: str
    delivery_url: str
    secret: str
    status: str
    created: int
    modified: int
    failures: int = 0
    pending_delivery: bool = True


@dataclass(slots=True)
class Shelf:
    """How many of a product are there, how many were sold, and when that last changed."""

    stock: int = 100
    sold: int = 0
    modified: int = 0


@dataclass(slots=True)
class State:
    """Everything. Ids of posts (orders, refunds), of things inside orders and of webhooks count apart."""

    next_post: int = 101
    next_item: int = 501
    next_webhook: int = 13
    next_user: int = 2
    salt: str = field(default_factory=lambda: secrets.token_hex(32))
    consumer_key: str = ""
    consumer_secret: str = ""
    plugin_url: str = ""
    plugin_secret: str = ""
    front: str = ""
    baskets: dict[str, Basket] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    customers: dict[int, Customer] = field(default_factory=dict)
    webhooks: dict[int, Webhook] = field(default_factory=dict)
    shelves: dict[int, Shelf] = field(default_factory=dict)
