"""The other shop: a subscription, paid month after month, and cancelled in three clicks."""

from plugin_backend.demo.expecting import expect
from plugin_backend.demo.seed import NORDLYS
from plugin_backend.demo.stage import Json, Stage, link_in
from plugin_backend.demo.steps.accepting import accept, card_number, pay
from plugin_backend.demo.visitor import Visitor

INGRID = "ingrid.lie@example.test"
# The offer, the confirmation, a receipt for each of three payments, and a notice before each but the first.
_MAILS = 7


def subscribed(stage: Stage) -> Json:
    """A basket left in the other shop becomes a subscription, in English and in kroner."""
    stage.visit("shopify", INGRID, "leave", country="NO", locale="en", consent=True)
    stage.row(NORDLYS, "carts", INGRID)
    stage.later(NORDLYS, "hour")
    mail = stage.mail(INGRID, 1)
    expect(mail["language"] == "en", f"the mail is in {mail['language']!r}")
    customer = Visitor("en")
    card_page = accept(stage, mail, customer)
    done = pay(stage, card_page, card_number(stage, "ok"), customer, link_in(mail, "/o/"))
    order = stage.until(lambda: _paid_orders(stage, 1), "the shop's first order is paid")
    return {"subject": mail["subject"], "page": done.text[:160], "orders": order}


def two_more_months(stage: Stage) -> Json:
    """Two months later two more payments are there, each with an order of its own in the shop."""
    clock = stage.later(NORDLYS, "month", times=2)
    captured = stage.until(lambda: _captured(stage, 3), "three payments of the subscription")
    orders = stage.until(lambda: _paid_orders(stage, 3), "three paid orders in the shop")
    return {"clock": clock, "captured": captured, "orders": orders}


def cancelled_in_three_clicks(stage: Stage) -> Json:
    """From the last mail: the plan's page, what cancelling means, done. The proof comes by mail."""
    receipt = stage.mail(INGRID, _MAILS)
    customer = Visitor("en")
    plan = customer.open(link_in(receipt, "/p/").removesuffix("/cancel"))
    link = plan.link("/cancel")
    done = customer.send(customer.open(link.url).form("/cancel"))
    expect(done.status == 200, f"cancelling was answered {done.status}")
    row = stage.row(NORDLYS, "plans", INGRID, stage.words.state("plan", "cancelled"))
    proof = stage.mail(INGRID, _MAILS + 1)
    clicks = [receipt["subject"], link.words, done.text.partition(" – ")[0]]
    return {"clicks": clicks, "plan": row, "proof": proof["subject"]}


def not_charged_again(stage: Stage) -> Json:
    """Two months on: no further payment was tried."""
    tries = len(stage.ledger("charge.made"))
    clock = stage.later(NORDLYS, "month", times=2)
    after = len(stage.ledger("charge.made"))
    expect(after == tries, f"{after - tries} charges after the cancellation")
    return {"clock": clock, "captured": _captured(stage, 3)}


def _captured(stage: Stage, wanted: int) -> list[int] | None:
    """What was captured in kroner, once there are as many as wanted, and no more."""
    amounts = [entry["moved"]["amount"] for entry in stage.captures() if entry["moved"]["currency"] == "NOK"]
    expect(len(amounts) <= wanted, f"the subscription was charged {len(amounts)} times")
    return amounts if len(amounts) == wanted else None


def _paid_orders(stage: Stage, wanted: int) -> list[str] | None:
    orders = [one for one in stage.shop_state("shopify")["orders"] if one["financial_status"] == "paid"]
    expect(len(orders) <= wanted, f"the shop has {len(orders)} paid orders")
    return [str(one.get("name") or one["id"]) for one in orders] if len(orders) == wanted else None


STEPS = (
    ("a subscription is accepted in the other shop", subscribed),
    ("two more months are charged", two_more_months),
    ("the subscription is cancelled in three clicks", cancelled_in_three_clicks),
    ("nothing is charged after the cancellation", not_charged_again),
)
