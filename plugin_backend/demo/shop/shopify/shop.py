"""The shop itself: what a visitor and an API client can do to it, and what it announces when they do."""

import secrets
import threading
from collections.abc import Iterable
from typing import Any

from plugin_backend.demo.shop.basket import Basket, Mistyped, Outcome, Shopper, Visit, new_basket, now, put
from plugin_backend.demo.shop.courier import Courier
from plugin_backend.demo.shop.products import BY_SKU
from plugin_backend.demo.shop.shopify import baskets, hooks, payload
from plugin_backend.demo.shop.shopify.hooks import Event
from plugin_backend.demo.shop.shopify.state import (
    CURRENCY,
    Address,
    Checkout,
    Customer,
    Line,
    Order,
    State,
    Subscription,
    Transaction,
)
from plugin_backend.demo.shop.switches import Switches

TOPICS = (
    "CARTS_CREATE",
    "CARTS_UPDATE",
    "CHECKOUTS_CREATE",
    "CHECKOUTS_UPDATE",
    "CHECKOUTS_DELETE",
    "ORDERS_CREATE",
    "ORDERS_PAID",
    "ORDERS_UPDATED",
    "ORDERS_CANCELLED",
    "ORDER_TRANSACTIONS_CREATE",
    "REFUNDS_CREATE",
    "APP_UNINSTALLED",
)


class ShopifyShop:
    """All of it under one lock, which is never held while something is sent."""

    slug = "shopify"
    name = "Nordlys"
    language = "en"
    currency = CURRENCY
    country = "NO"

    def __init__(self, base: str, state: State, switches: Switches) -> None:
        self.home = f"{base}/shopify"
        self.state = state
        self.lock = threading.RLock()
        self.courier = Courier("shopify", switches)

    # --- what a visitor does

    def basket(self, token: str) -> Basket:
        """The basket of that token; a new one where there is none or it was bought."""
        with self.lock:
            found = self.state.baskets.get(token)
            if found is None or found.closed:
                found = new_basket()
                self.state.baskets[found.token] = found
            return found

    def put(self, basket: Basket, sku: str, quantity: int) -> None:
        """Every change of a basket is told, anonymous as it is."""
        with self.lock:
            topic = "CARTS_UPDATE" if basket.version else "CARTS_CREATE"
            put(basket, sku, quantity)
            self.announce([(topic, basket.token, baskets.cart(basket))])

    def reach_checkout(self, basket: Basket) -> None:
        with self.lock:
            known = basket.paper in self.state.checkouts
            checkout = self._checkout(basket)
            if not known:
                self.announce([self._told("CHECKOUTS_CREATE", checkout)])

    def finish(self, basket: Basket, shopper: Shopper, outcome: Outcome) -> Visit:
        """The shopper typed his details and left, was declined, or bought. Of a decline the platform says nothing:
        there is no order yet, and transactions are told for orders only."""
        with self.lock:
            known = basket.paper in self.state.checkouts
            checkout = self._checkout(basket)
            self._take_details(checkout, shopper)
            events = [] if known else [self._told("CHECKOUTS_CREATE", checkout)]
            order = self._buy(basket, checkout) if outcome == "buy" else None
            events.append(self._told("CHECKOUTS_UPDATE", checkout))
            self.announce([*events, *(self.placed(order) if order else [])])
            order_id = str(order.id) if order else ""
            total = payload.decimal(checkout.total)
            return Visit(basket.token, outcome, f"checkout:{checkout.token}", order_id, total, CURRENCY)

    @property
    def front(self) -> str:
        return self.state.front

    def word(self, basket: Basket, *, declined: bool) -> dict[str, Any] | None:
        """The cart's own name, which nobody could guess; a theme knows no more of it."""
        return {"token": basket.token} if basket.quantities and (basket.paper or not declined) else None

    def recover(self, key: str) -> Basket | None:
        """The basket that a recovery link leads back to."""
        with self.lock:
            return self.state.baskets.get(key)

    def _checkout(self, basket: Basket) -> Checkout:
        if not basket.quantities:
            raise Mistyped("basket")
        checkout = self.state.checkouts.get(basket.paper)
        if checkout is None:
            checkout = Checkout(self.next_id(), secrets.token_hex(16), basket.token, now(), now())
            self.state.checkouts[checkout.id] = checkout
            basket.paper = checkout.id
        checkout.lines = [self.line_of(sku, quantity) for sku, quantity in basket.quantities.items()]
        checkout.updated = now()
        return checkout

    def _take_details(self, checkout: Checkout, shopper: Shopper) -> None:
        checkout.email, checkout.locale = shopper.email, shopper.locale
        checkout.address = Address(shopper.first_name, shopper.last_name, shopper.country)
        checkout.accepts_marketing = shopper.consent
        customer = self.customer(shopper.email, shopper.first_name, shopper.last_name)
        checkout.customer_id, customer.locale = customer.id, shopper.locale
        if shopper.consent and not customer.subscribed:
            customer.subscribed, customer.consented = True, now()

    def _buy(self, basket: Basket, checkout: Checkout) -> Order:
        order = self.new_order()
        order.email, order.locale, order.customer_id = checkout.email, checkout.locale, checkout.customer_id
        order.address, order.accepts_marketing = checkout.address, checkout.accepts_marketing
        order.checkout_id, order.checkout_token, order.cart_token = checkout.id, checkout.token, basket.token
        order.lines = checkout.lines
        self.pay(order, order.total, "shopify_payments")
        checkout.completed = checkout.updated = now()
        basket.closed = True
        return order

    # --- what orders are made of

    def next_id(self) -> int:
        self.state.next_id += 2
        return self.state.next_id - 2

    def next_number(self) -> int:
        self.state.next_number += 1
        return self.state.next_number - 1

    def new_order(self) -> Order:
        at = now()
        order = Order(self.next_id(), self.next_number(), at, at, at)
        self.state.orders[order.id] = order
        return order

    def line_of(self, sku: str, quantity: int) -> Line:
        one = BY_SKU[sku]
        numbers = payload.product_id(one.number), payload.variant_id(one.number)
        return Line(self.next_id(), one.en, sku, quantity, one.nok, *numbers)

    def customer(self, email: str, first_name: str, last_name: str) -> Customer:
        """The customer of that e-mail, made where there is none."""
        found = next((one for one in self.state.customers.values() if one.email == email), None)
        if found is None:
            found = Customer(self.next_id(), email, first_name, last_name, now())
            self.state.customers[found.id] = found
        return found

    def pay(
        self, order: Order, amount: int, gateway: str, *, kind: str = "sale", at: int | None = None
    ) -> Transaction:
        made = Transaction(self.next_id(), kind, "success", gateway, amount, now() if at is None else at)
        order.transactions.append(made)
        order.updated = now()
        return made

    # --- what is told

    def placed(self, order: Order) -> list[Event]:
        """A new order, whoever made it: created, its transactions, and paid where it is."""
        told = [self.told("ORDERS_CREATE", order)]
        told += [self.told_of_payment(order, one) for one in order.transactions]
        return told + ([self.told("ORDERS_PAID", order)] if order.financial_status == "paid" else [])

    def told(self, topic: str, order: Order) -> Event:
        customer = self.state.customers.get(order.customer_id)
        return (topic, str(order.id), payload.order(order, customer, self.home))

    def told_of_payment(self, order: Order, one: Transaction) -> Event:
        return ("ORDER_TRANSACTIONS_CREATE", str(order.id), payload.transaction(one, order.id))

    def _told(self, topic: str, checkout: Checkout) -> Event:
        customer = self.state.customers.get(checkout.customer_id)
        return (topic, checkout.token, baskets.checkout(checkout, customer, self.home))

    def announce(self, events: Iterable[Event]) -> None:
        hooks.announce(self, events)

    # --- webhooks

    def subscribe(self, topic: str, uri: str, name: str = "") -> Subscription:
        with self.lock:
            made = Subscription(self.next_id(), topic, uri, name, now())
            self.state.subscriptions[made.id] = made
            return made

    def connect(self, url: str) -> None:
        """Replace all subscriptions by one for each topic at ``url``."""
        with self.lock:
            self.state.subscriptions.clear()
            for topic in TOPICS:
                self.subscribe(topic, url, "reprise")
