"""What the Shopify shop keeps. Amounts are minor units of NOK, times whole seconds since 1970, UTC."""

from dataclasses import dataclass, field

from plugin_backend.demo.shop.basket import Basket

CURRENCY = "NOK"
API_VERSION = "2026-10"
DOMAIN = "nordlys-demo.myshopify.com"
# Past 2^53, and odd where it counts: an id that went through a floating-point number comes out as another.
FIRST_ID = 10_000_000_000_000_007


@dataclass(slots=True)
class Address:
    first_name: str = ""
    last_name: str = ""
    country: str = ""


@dataclass(slots=True)
class Line:
    """``variant_id`` 0: a line of an order made through the API that names no variant."""

    id: int
    title: str
    sku: str
    quantity: int
    price: int
    product_id: int
    variant_id: int

    @property
    def total(self) -> int:
        return self.price * self.quantity


@dataclass(slots=True)
class Pair:
    key: str
    value: str


@dataclass(slots=True)
class Metafield:
    id: int
    namespace: str
    key: str
    type: str
    value: str


@dataclass(slots=True)
class Customer:
    """``subscribed`` and ``consented`` are the e-mail marketing consent and its time."""

    id: int
    email: str
    first_name: str
    last_name: str
    created: int
    locale: str = "en"
    subscribed: bool = False
    consented: int | None = None


@dataclass(slots=True)
class Transaction:
    id: int
    kind: str
    status: str
    gateway: str
    amount: int
    processed: int
    parent_id: int = 0


@dataclass(slots=True)
class Checkout:
    """``email`` "": reached, and nothing typed yet. ``token`` names it in links, ``cart_token`` the basket."""

    id: int
    token: str
    cart_token: str
    created: int
    updated: int
    email: str = ""
    address: Address = field(default_factory=Address)
    locale: str = "en"
    accepts_marketing: bool = False
    customer_id: int = 0
    lines: list[Line] = field(default_factory=list)
    completed: int | None = None

    @property
    def total(self) -> int:
        return sum(line.total for line in self.lines)


@dataclass(slots=True)
class Order:
    """``drift`` is what the shop's total is off by, on purpose."""

    id: int
    number: int
    created: int
    updated: int
    processed: int
    email: str = ""
    locale: str = "en"
    customer_id: int = 0
    address: Address = field(default_factory=Address)
    checkout_id: int = 0
    checkout_token: str = ""
    cart_token: str = ""
    source_name: str = "web"
    source_identifier: str = ""
    note: str = ""
    accepts_marketing: bool = False
    drift: int = 0
    shipping: int = 0
    test: bool = False
    cancelled: int | None = None
    cancel_reason: str = ""
    lines: list[Line] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    attributes: list[Pair] = field(default_factory=list)
    metafields: list[Metafield] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(line.total for line in self.lines) + self.shipping + self.drift

    def _sum(self, *kinds: str) -> int:
        return sum(one.amount for one in self.transactions if one.kind in kinds and one.status == "success")

    @property
    def received(self) -> int:
        return self._sum("sale", "capture")

    @property
    def refunded(self) -> int:
        return self._sum("refund")

    @property
    def outstanding(self) -> int:
        return max(self.total - self.received, 0)

    @property
    def financial_status(self) -> str:
        if self.refunded:
            return "refunded" if self.refunded >= self.received else "partially_refunded"
        if self.received:
            return "paid" if not self.outstanding else "partially_paid"
        return "voided" if self.cancelled else "pending"


@dataclass(slots=True)
class DraftOrder:
    id: int
    number: int
    created: int
    email: str
    address: Address
    note: str = ""
    drift: int = 0
    tags: list[str] = field(default_factory=list)
    attributes: list[Pair] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    order_id: int = 0

    @property
    def total(self) -> int:
        return sum(line.total for line in self.lines) + self.drift


@dataclass(slots=True)
class Subscription:
    """A webhook. ``topic`` is the name in the API's enum, such as ``ORDERS_CREATE``."""

    id: int
    topic: str
    uri: str
    name: str
    updated: int
    failures: int = 0


@dataclass(slots=True)
class State:
    next_id: int = FIRST_ID
    next_number: int = 1001
    access_token: str = ""
    client_secret: str = ""
    front: str = ""
    baskets: dict[str, Basket] = field(default_factory=dict)
    checkouts: dict[int, Checkout] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    drafts: dict[int, DraftOrder] = field(default_factory=dict)
    customers: dict[int, Customer] = field(default_factory=dict)
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    refund_keys: dict[str, int] = field(default_factory=dict)
