"""The shop itself: what a visitor and a REST client can do to it, and what it announces when they do."""

import secrets
import threading
from collections.abc import Iterable
from typing import Any

from plugin_backend.demo.shop.basket import Basket, Mistyped, Outcome, Shopper, Visit, new_basket, now, put
from plugin_backend.demo.shop.courier import Courier
from plugin_backend.demo.shop.products import BY_NUMBER, BY_SKU
from plugin_backend.demo.shop.switches import Switches
from plugin_backend.demo.shop.woo import hooks, payload, plugin
from plugin_backend.demo.shop.woo.state import (
    CURRENCY,
    PAID,
    PAYABLE,
    SOLD,
    Address,
    Customer,
    Line,
    Note,
    Order,
    Shelf,
    State,
    Webhook,
)

TOPICS = (
    "order.created",
    "order.updated",
    "order.deleted",
    "order.restored",
    "customer.created",
    "customer.updated",
    "product.updated",
)
Event = tuple[str, int]


class WooShop:
    """All of it under one lock, which is never held while something is sent."""

    slug = "woo"
    name = "Boutique Luna"
    language = "fr"
    currency = CURRENCY
    country = "FR"

    def __init__(self, base: str, state: State, switches: Switches) -> None:
        self.home = f"{base}/woo"
        self.state = state
        self.lock = threading.RLock()
        self.courier = Courier("woo", switches)
        self.pending: set[tuple[int, int]] = set()
        for number in BY_NUMBER:
            state.shelves.setdefault(number, Shelf())

    # --- what a visitor does

    def basket(self, token: str) -> Basket:
        """The basket of that token; a new one where there is none or it was bought."""
        with self.lock:
            found = self.state.baskets.get(token)
            if found is not None and found.paper and self.state.orders[found.paper].status in SOLD:
                found.closed = True
            if found is None or found.closed:
                found = new_basket()
                self.state.baskets[found.token] = found
            return found

    def put(self, basket: Basket, sku: str, quantity: int) -> None:
        """The core says nothing about baskets; a draft order that is already there follows at the next checkout."""
        with self.lock:
            put(basket, sku, quantity)

    def reach_checkout(self, basket: Basket) -> None:
        """The block checkout makes a draft order when it opens, and order.updated is all that tells of it."""
        with self.lock:
            order = self._draft(basket)
            self.announce([("order.updated", order.id)])

    def finish(self, basket: Basket, shopper: Shopper, outcome: Outcome) -> Visit:
        """The shopper typed his details and left, was declined, or bought."""
        with self.lock:
            order = self._draft(basket)
            was_draft = order.status == "checkout-draft"
            self._take_details(order, shopper)
            letters: list[plugin.PluginLetter] = []
            if outcome == "leave":
                letters.append(plugin.cart_updated(self, order, basket, shopper))
                events = [("order.updated", order.id)]
            elif outcome == "declined":
                order.payment_method, order.payment_method_title = "card", "Carte bancaire"
                events = self.set_status(order, "failed", was_draft=was_draft)
                letters.append(plugin.payment_failed(self, order, basket, shopper))
            else:
                order.payment_method, order.payment_method_title = "card", "Carte bancaire"
                events = self._sold(order, basket, was_draft=was_draft)
            self.announce(events)
            self.courier.enqueue(*letters)
            order_id = str(order.id) if outcome == "buy" else ""
            total = payload.decimal(order.total)
            return Visit(basket.token, outcome, f"order:{order.id}", order_id, total, CURRENCY)

    @property
    def front(self) -> str:
        return self.state.front

    def word(self, basket: Basket, *, declined: bool) -> dict[str, Any] | None:
        """A message that our plugin signs. Who asks for one is on his way to the checkout."""
        with self.lock:
            if not basket.quantities or not self.state.plugin_secret:
                return None
            if not basket.paper:
                self.reach_checkout(basket)
            order = self.state.orders[basket.paper]
            if declined and order.status != "failed":
                return None
            return {"message": plugin.message(self, order, basket, declined=declined)}

    def recover(self, key: str) -> Basket | None:
        """The basket that a payment link leads back to."""
        with self.lock:
            numbers = {order.id for order in self.state.orders.values() if order.key == key}
            found = (one for one in self.state.baskets.values() if one.paper in numbers and one.paper)
            return next(found, None)

    def _draft(self, basket: Basket) -> Order:
        """The basket's order: a new draft, or the one it has with the lines as they are now."""
        if not basket.quantities:
            raise Mistyped("basket")
        order = self.state.orders.get(basket.paper)
        if order is None:
            order = self.new_order("checkout-draft", "store-api")
            basket.paper = order.id
        if order.status in PAYABLE:
            order.lines = [self.line_of(sku, quantity) for sku, quantity in basket.quantities.items()]
            order.cart_hash = basket.token
            order.modified = now()
        return order

    def _take_details(self, order: Order, shopper: Shopper) -> None:
        order.locale = shopper.locale
        order.billing.first_name, order.billing.last_name = shopper.first_name, shopper.last_name
        order.billing.country, order.billing.email = shopper.country, shopper.email
        order.shipping.first_name, order.shipping.last_name = shopper.first_name, shopper.last_name
        order.shipping.country = shopper.country
        order.modified = now()

    def _sold(self, order: Order, basket: Basket, *, was_draft: bool) -> list[Event]:
        """Paid in the shop: the customer gets an account, and its topics come after those of the order."""
        basket.closed = True
        customer, created = self._account(order)
        order.customer_id = customer.id
        first = [("customer.created", customer.id)] if created else []
        order.transaction_id = f"ch_{secrets.token_hex(8)}"
        events = self.set_status(order, "processing", was_draft=was_draft)
        others = [event for event in events if not event[0].startswith("order.")]
        return [event for event in events if event[0].startswith("order.")] + first + others

    def _account(self, order: Order) -> tuple[Customer, bool]:
        billing = order.billing
        for one in self.state.customers.values():
            if one.email == billing.email:
                return one, False
        at = now()
        username = billing.email.partition("@")[0]
        number = self.state.next_user
        self.state.next_user += 1
        names = (billing.first_name, billing.last_name)
        copy = Address(**{name: getattr(billing, name) for name in Address.__slots__})
        made = Customer(number, at, at, billing.email, *names, username, copy)
        self.state.customers[number] = made
        return made, True

    # --- what orders are made of

    def new_order(self, status: str, created_via: str) -> Order:
        at, number = now(), self.post_id()
        key = f"wc_order_{secrets.token_urlsafe(16).replace('-', '').replace('_', '')[:13]}"
        order = Order(number, status, at, at, created_via, key)
        self.state.orders[number] = order
        return order

    def line_of(self, sku: str, quantity: int) -> Line:
        one = BY_SKU[sku]
        amount = one.eur * quantity
        return Line(self.item_id(), payload.product_name(one), one.number, quantity, amount, amount, sku)

    def post_id(self) -> int:
        self.state.next_post += 1
        return self.state.next_post - 1

    def item_id(self) -> int:
        self.state.next_item += 1
        return self.state.next_item - 1

    def add_note(self, order: Order, text: str, *, author: str, customer_note: bool = False) -> Note:
        note = Note(self.item_id(), now(), author, text, customer_note)
        order.notes.append(note)
        return note

    def set_status(self, order: Order, status: str, *, was_draft: bool = False) -> list[Event]:
        """Move the order and say what the platform would announce: updated always and, for a draft that became an
        order, created after it; then the customer's first purchase and what left the shelf."""
        events: list[Event] = [("order.updated", order.id)]
        if was_draft and status != "checkout-draft":
            events.append(("order.created", order.id))
        order.modified = now()
        if order.status != status:
            words = f"Order status changed from {_spoken(order.status)} to {_spoken(status)}."
            self.add_note(order, words, author="system")
        order.status = status
        if status in PAID and order.paid is None:
            order.paid = now()
            events += self._first_purchase(order)
        if status == "completed" and order.completed is None:
            order.completed = now()
        return events + self._move_stock(order)

    def _first_purchase(self, order: Order) -> list[Event]:
        customer = self.state.customers.get(order.customer_id)
        if customer is None or customer.paying:
            return []
        customer.paying, customer.modified = True, now()
        return [("customer.updated", customer.id)]

    def _move_stock(self, order: Order) -> list[Event]:
        """Sold orders take from the shelf once; cancelled and refused ones give back."""
        takes = order.status in SOLD and not order.stock_reduced
        gives = order.status in ("cancelled", "pending", "failed") and order.stock_reduced
        if not takes and not gives:
            return []
        sign = 1 if takes else -1
        order.stock_reduced = takes
        touched = [line for line in order.lines if line.product_id in self.state.shelves]
        for line in touched:
            shelf = self.state.shelves[line.product_id]
            shelf.stock -= sign * line.quantity
            shelf.sold += sign * line.quantity
            shelf.modified = now()
        return [("product.updated", line.product_id) for line in touched]

    # --- webhooks

    def announce(self, events: Iterable[Event]) -> None:
        hooks.announce(self, self.pending, events)

    def new_webhook(self, topic: str, url: str, secret: str, name: str = "") -> Webhook:
        """A webhook, not yet pinged. Without a secret the shop invents one and tells nobody."""
        with self.lock:
            number, at = self.state.next_webhook, now()
            self.state.next_webhook += 1
            made = Webhook(
                number,
                name or f"Webhook {topic}",
                topic,
                url,
                secret or secrets.token_hex(25),
                "active",
                at,
                at,
            )
            self.state.webhooks[number] = made
            return made

    def connect(self, url: str, secret: str) -> None:
        """Replace all webhooks by one for each topic at ``url``; each is pinged before this returns."""
        with self.lock:
            self.state.webhooks.clear()
        for topic in TOPICS:
            hooks.ping(self, self.new_webhook(topic, url, secret).id)


def _spoken(status: str) -> str:
    return {"pending": "Pending payment", "checkout-draft": "Draft"}.get(
        status, status.replace("-", " ").capitalize()
    )
