"""The parts of Shopify's webhook bodies that we read."""

from plugin_backend.sdk.payload import (
    Country,
    Decimals,
    Email,
    Flag,
    Key,
    Locale,
    Moment,
    Part,
    Parts,
    Slim,
    Text,
    WebAddress,
)


class Amount(Slim):
    amount = Decimals()
    currency_code = Text(limit=10)
    currency = Text(limit=10)


class MoneySet(Slim):
    shop_money = Part(Amount)
    presentment_money = Part(Amount)


class Line(Slim):
    title = Text()
    presentment_title = Text()
    sku = Text(limit=100)
    quantity = Text(limit=30)
    line_price = Decimals()
    line_price_set = Part(MoneySet)
    discounted_price_set = Part(MoneySet)


class Address(Slim):
    name = Text(limit=200)
    phone = Text(limit=50)
    country_code = Country()


class MarketingConsent(Slim):
    state = Text(limit=30)
    consent_updated_at = Moment()


class Customer(Slim):
    id = Key()
    email = Email()
    first_name = Text(limit=100)
    last_name = Text(limit=100)
    phone = Text(limit=50)
    email_marketing_consent = Part(MarketingConsent)
    default_address = Part(Address)


class Basket(Slim):
    id = Key()
    token = Key()
    cart_token = Key()
    updated_at = Moment()
    created_at = Moment()
    currency = Text(limit=10)
    presentment_currency = Text(limit=10)
    total_price = Decimals()
    total_price_set = Part(MoneySet)
    line_items = Parts(Line)
    email = Email()
    phone = Text(limit=50)
    customer_locale = Locale()
    customer = Part(Customer)
    billing_address = Part(Address)
    shipping_address = Part(Address)
    buyer_accepts_marketing = Flag()


class Checkout(Basket):
    completed_at = Moment()
    order_id = Key()
    abandoned_checkout_url = WebAddress()


class Transaction(Slim):
    id = Key()
    order_id = Key()
    kind = Text(limit=30)
    status = Text(limit=30)
    error_code = Text(limit=60)
    amount = Decimals()
    currency = Text(limit=10)
    created_at = Moment()
    processed_at = Moment()
    test = Flag()


class Refund(Slim):
    id = Key()
    order_id = Key(required=True)
    created_at = Moment()
    processed_at = Moment()
    transactions = Parts(Transaction)


class Fulfillment(Slim):
    status = Text(limit=30)
    created_at = Moment()


class Attribute(Slim):
    name = Text(limit=100)
    value = Text(limit=250)


class Order(Basket):
    id = Key(required=True)
    checkout_token = Key()
    processed_at = Moment()
    cancelled_at = Moment()
    financial_status = Text(limit=30)
    source_identifier = Text(limit=200)
    tags = Text(limit=5000)
    note_attributes = Parts(Attribute)
    fulfillment_status = Text(limit=30)
    fulfillments = Parts(Fulfillment)
    refunds = Parts(Refund)


class Named(Slim):
    id = Key(required=True)


class Privacy(Slim):
    customer = Part(Customer)
    email = Email()
