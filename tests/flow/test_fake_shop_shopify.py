"""The fake shop's Shopify: what it sends, and what its GraphQL API does."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import build_schema, parse, validate

from plugin_backend.demo.shop.shopify.schema import SDL
from tests.flow.shop_process import (
    CLIENT_SECRET,
    SHARED,
    Received,
    Receiver,
    ShopProcess,
    connected,
    graphql,
    running_shop,
    signature,
    visit,
)


@pytest.fixture(scope="module")
def shop() -> Iterator[ShopProcess]:
    with running_shop() as process:
        yield process


@pytest.fixture
def hooks(shop: ShopProcess) -> Iterator[Receiver]:
    with connected(shop) as kept:
        yield kept


def test_a_checkout_left_at_shopify_tells_of_its_basket_and_its_consent(
    shop: ShopProcess, hooks: Receiver
) -> None:
    seen = visit(shop, "leave", "shopify", country="NO")
    assert hooks.topics() == ["carts/create", "checkouts/create", "checkouts/update"]
    cart, first, last = (one.json() for one in hooks.received)
    assert cart["id"] == cart["token"] == seen["basket"]
    assert first["email"] is None and "customer" not in first
    assert last["email"] == "ana@example.test" and last["cart_token"] == seen["basket"]
    assert last["customer"]["email_marketing_consent"]["state"] == "subscribed"
    assert last["buyer_accepts_marketing"] is True
    assert (last["total_price"], last["currency"]) == ("1199.00", "NOK")
    assert last["id"] > 2**53 and int(float(last["id"])) != last["id"]
    assert last["name"] == f"#{last['id']}"


def test_shopify_signs_the_body_and_names_the_delivery(shop: ShopProcess, hooks: Receiver) -> None:
    visit(shop, "buy", "shopify")
    assert set(hooks.topics()[2:]) == {
        "checkouts/update",
        "orders/create",
        "order_transactions/create",
        "orders/paid",
    }
    created, paid = hooks.of("orders/create")[0], hooks.of("orders/paid")[0]
    for one in (created, paid):
        assert one.header("X-Shopify-Hmac-Sha256") == signature(CLIENT_SECRET.encode(), one.body)
        assert one.header("X-Shopify-API-Version") == "2026-10"
        assert one.header("X-Shopify-Name") == "reprise"
        assert "Müller 李".encode() in one.body and b"https://" in one.body
    assert created.header("X-Shopify-Event-Id") == paid.header("X-Shopify-Event-Id")
    assert created.header("X-Shopify-Webhook-Id") != paid.header("X-Shopify-Webhook-Id")
    order = created.json()
    assert order["checkout_token"] == hooks.of("checkouts/update")[0].json()["token"]
    assert (order["financial_status"], order["total_outstanding"]) == ("paid", "0.00")


def test_shopify_repeats_the_same_delivery_until_it_is_answered(shop: ShopProcess, hooks: Receiver) -> None:
    failed: list[Received] = []

    def answer(one: Received) -> int:
        if one.topic == "checkouts/update" and not failed:
            failed.append(one)
            return 503
        return 200

    hooks.answer = answer
    visit(shop, "leave", "shopify")
    first, second = hooks.of("checkouts/update")
    assert first.body == second.body
    assert first.header("X-Shopify-Webhook-Id") == second.header("X-Shopify-Webhook-Id")


def test_a_decline_at_shopify_is_not_told(shop: ShopProcess, hooks: Receiver) -> None:
    visit(shop, "declined", "shopify")
    assert hooks.topics() == ["carts/create", "checkouts/create", "checkouts/update"]


def test_every_operation_of_ours_is_understood() -> None:
    operations = SHARED / "fixtures/shopify/schema/operations.graphql"
    if not operations.exists():
        pytest.skip(f"no operations at {operations}")
    assert validate(build_schema(SDL), parse(operations.read_text())) == []


def test_a_wrong_token_and_a_wrong_field_are_refused_differently(shop: ShopProcess, hooks: Receiver) -> None:
    assert graphql(shop, "{ shop { name } }", token="other").status_code == 401
    wrong = graphql(shop, "{ shop { nome } }")
    assert wrong.status_code == 200 and "nome" in wrong.json()["errors"][0]["message"]
    assert wrong.json()["extensions"]["cost"]["throttleStatus"]["restoreRate"] == 100


CREATE = """mutation C($order: OrderCreateOrderInput!, $options: OrderCreateOptionsInput) {
  made: orderCreate(order: $order, options: $options) { order { ...Facts } userErrors { field message code } } }
fragment Facts on Order { id displayFinancialStatus sourceIdentifier totalOutstandingSet { presentmentMoney { amount } } }"""
PAY = """mutation P($id: ID!, $amount: MoneyInput) { orderCreateManualPayment(id: $id, amount: $amount) {
  order { displayFinancialStatus totalReceivedSet { shopMoney { amount currencyCode } } } userErrors { code message } } }"""
FIND = "query F($query: String!) { orders(first: 10, query: $query) { nodes { id tags sourceIdentifier } } }"


def nok(amount: str) -> dict[str, str]:
    return {"amount": amount, "currencyCode": "NOK"}


def part_paid(reference: str) -> dict[str, Any]:
    line = {"title": "Lamp", "quantity": 1, "priceSet": {"shopMoney": nok("1000.00")}}
    sale = {
        "kind": "SALE",
        "status": "SUCCESS",
        "gateway": "Reprise",
        "amountSet": {"shopMoney": nok("333.34")},
    }
    return {
        "currency": "NOK",
        "email": "ana@example.test",
        "sourceIdentifier": reference,
        "lineItems": [line],
        "transactions": [sale],
    }


def test_an_order_paid_in_parts_is_found_by_our_reference_and_comes_back(
    shop: ShopProcess, hooks: Receiver
) -> None:
    made = graphql(shop, CREATE, order=part_paid("plan_1")).json()["data"]["made"]
    assert made["userErrors"] == []
    assert made["order"]["displayFinancialStatus"] == "PARTIALLY_PAID"
    assert made["order"]["totalOutstandingSet"]["presentmentMoney"]["amount"] == "666.66"
    found = graphql(shop, FIND, query="source_identifier:'plan_1'").json()["data"]["orders"]["nodes"]
    assert [one["id"] for one in found] == [made["order"]["id"]]
    gid = made["order"]["id"]
    too_much = graphql(shop, PAY, id=gid, amount=nok("700.00")).json()["data"]["orderCreateManualPayment"]
    assert too_much["userErrors"][0]["code"] == "AMOUNT_EXCEEDS_BALANCE"
    graphql(shop, PAY, id=gid, amount=nok("333.33"))
    paid = graphql(shop, PAY, id=gid, amount=nok("333.33")).json()["data"]["orderCreateManualPayment"]
    assert paid["order"]["displayFinancialStatus"] == "PAID"
    shop.settle()
    assert hooks.topics().count("orders/paid") == 1
    assert hooks.of("orders/create")[0].json()["source_identifier"] == "plan_1"
    assert hooks.of("orders/create")[0].json()["id"] > 2**53


def test_a_draft_becomes_a_paid_order_and_tags_are_added(shop: ShopProcess, hooks: Receiver) -> None:
    draft = """mutation D($input: DraftOrderInput!) { draftOrderCreate(input: $input) {
      draftOrder { id ready totalPriceSet { presentmentMoney { amount } } } userErrors { message } } }"""
    line = {"title": "Lamp", "quantity": 2, "originalUnitPriceWithCurrency": nok("10.00")}
    made = graphql(shop, draft, input={"lineItems": [line], "email": "a@b.test"}).json()["data"]
    assert made["draftOrderCreate"]["draftOrder"]["totalPriceSet"]["presentmentMoney"]["amount"] == "20.0"
    complete = "mutation E($id: ID!) { draftOrderComplete(id: $id) { draftOrder { order { id fullyPaid } } userErrors { message } } }"
    gid = made["draftOrderCreate"]["draftOrder"]["id"]
    order = graphql(shop, complete, id=gid).json()["data"]["draftOrderComplete"]["draftOrder"]["order"]
    assert order["fullyPaid"] is True
    assert graphql(shop, complete, id=gid).json()["data"]["draftOrderComplete"]["userErrors"]
    tag = "mutation T($id: ID!, $tags: [String!]!) { tagsAdd(id: $id, tags: $tags) { node { id } userErrors { message } } }"
    assert graphql(shop, tag, id=order["id"], tags=["plan_2"]).json()["data"]["tagsAdd"]["userErrors"] == []
    found = graphql(shop, FIND, query="tag:plan_2").json()["data"]["orders"]["nodes"]
    assert [one["id"] for one in found] == [order["id"]]


def test_a_refund_wants_its_key_and_is_booked_once(shop: ShopProcess, hooks: Receiver) -> None:
    made = graphql(shop, CREATE, order=part_paid("plan_3")).json()["data"]["made"]["order"]
    once = """mutation R($input: RefundInput!, $key: String!) { refundCreate(input: $input) @idempotent(key: $key) {
      refund { id totalRefundedSet { presentmentMoney { amount } } } userErrors { message } } }"""
    bare = "mutation R($input: RefundInput!) { refundCreate(input: $input) { refund { id } userErrors { message } } }"
    money = {"orderId": made["id"], "kind": "REFUND", "gateway": "Reprise", "amount": "300.00"}
    wanted = {"orderId": made["id"], "transactions": [money]}
    assert "idempotent" in graphql(shop, bare, input=wanted).json()["errors"][0]["message"]
    first = graphql(shop, once, input=wanted, key="k1").json()["data"]["refundCreate"]
    again = graphql(shop, once, input=wanted, key="k1").json()["data"]["refundCreate"]
    assert first == again and first["refund"]["totalRefundedSet"]["presentmentMoney"]["amount"] == "300.0"


def test_left_checkouts_are_listed_with_the_consent_of_their_customer(
    shop: ShopProcess, hooks: Receiver
) -> None:
    visit(shop, "leave", "shopify", email="left@example.test")
    query = """query A($query: String) { abandonedCheckouts(first: 100, query: $query, sortKey: CREATED_AT) {
      pageInfo { hasNextPage } nodes { id completedAt customer { defaultEmailAddress { emailAddress marketingState } } } } }"""
    answer = graphql(shop, query, query="updated_at:>'2026-01-01T00:00:00Z' recovery_state:not_recovered")
    nodes = answer.json()["data"]["abandonedCheckouts"]["nodes"]
    assert all(one["completedAt"] is None for one in nodes)
    known = {one["customer"]["defaultEmailAddress"]["emailAddress"]: one for one in nodes}
    assert known["left@example.test"]["customer"]["defaultEmailAddress"]["marketingState"] == "SUBSCRIBED"


def test_a_subscription_is_made_once_listed_and_deleted(shop: ShopProcess, hooks: Receiver) -> None:
    subscribe = """mutation W($topic: WebhookSubscriptionTopic!, $sub: WebhookSubscriptionInput!) {
      webhookSubscriptionCreate(topic: $topic, webhookSubscription: $sub) {
        webhookSubscription { id topic uri apiVersion { handle } } userErrors { field message } } }"""
    sub = {"uri": f"{hooks.url}&other=1", "format": "JSON"}
    first = graphql(shop, subscribe, topic="ORDERS_CREATE", sub=sub).json()["data"][
        "webhookSubscriptionCreate"
    ]
    again = graphql(shop, subscribe, topic="ORDERS_CREATE", sub=sub).json()["data"][
        "webhookSubscriptionCreate"
    ]
    assert first["userErrors"] == [] and "already been taken" in again["userErrors"][0]["message"]
    delete = "mutation X($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { message } } }"
    gone = graphql(shop, delete, id=first["webhookSubscription"]["id"]).json()["data"][
        "webhookSubscriptionDelete"
    ]
    assert gone["deletedWebhookSubscriptionId"] == first["webhookSubscription"]["id"]
    listed = graphql(shop, "{ webhookSubscriptions(first: 100) { nodes { topic uri } } }").json()["data"]
    assert {one["uri"] for one in listed["webhookSubscriptions"]["nodes"]} == {hooks.url}
