"""State machines as tables: each edge with its reason. Moving is checking; nothing else may set a state."""

from plugin_backend.sdk.errors import RepriseError

START = ""

DELIVERY = {
    (START, "received"): "kept before the answer",
    ("received", "read"): "its events were applied",
    ("received", "unreadable"): "validly signed, but not to be read",
    ("received", "ignored"): "of no interest",
    ("read", "received"): "replayed by a person",
    ("unreadable", "received"): "replayed by a person",
    ("ignored", "received"): "replayed by a person",
}

HANDOVER = {
    (START, "recognising"): "an address was typed",
    (START, "recognised"): "a connected shop is to get other keys",
    ("recognising", "recognised"): "the platform is known, or nobody knows it",
    ("recognised", "recognising"): "another address was typed",
    ("recognised", "waiting"): "the owner goes to his shop to approve",
    ("recognised", "brought"): "keys were pasted",
    ("waiting", "recognising"): "another address was typed",
    ("waiting", "recognised"): "nobody approved in time",
    ("waiting", "brought"): "keys came",
    ("brought", "recognised"): "the keys do not work",
    ("brought", "connected"): "the keys work",
}

ENROLMENT = {
    (START, "open"): "an account is to be connected, or to get other keys",
    ("open", "brought"): "its settings were typed",
    ("brought", "open"): "something is wrong with them",
    ("brought", "connected"): "the gateway finds nothing wrong",
}

RECALL = {
    (START, "asked"): "the customer paid an order before",
    ("asked", "found"): "the account knows the payment method",
    ("asked", "none"): "it does not, or it cannot pay a plan",
}

SECRET = {
    (START, "asked"): "another one is wanted",
    ("asked", "announced"): "both are accepted here",
    ("announced", "told"): "the shop signs with the new one",
    ("told", "alone"): "the old one is accepted no more",
}

KEY = {
    (START, "pre_active"): "announced",
    (START, "active"): "the first of its owner",
    ("pre_active", "active"): "every process holds it",
    ("pre_active", "destroyed"): "given up before it was used",
    ("active", "decrypt_only"): "a newer one took its place",
    ("active", "compromised"): "may be known to others",
    ("active", "destroyed"): "its owner is forgotten",
    ("decrypt_only", "compromised"): "may be known to others",
    ("decrypt_only", "destroyed"): "nothing stands on it any more",
    ("compromised", "decrypt_only"): "what stands on it is to be moved",
    ("compromised", "destroyed"): "nothing stands on it any more",
}

CART = {
    (START, "active"): "seen",
    (START, "declined"): "first seen when its payment failed",
    (START, "ordered"): "its sale arrived before it",
    (START, "lost"): "its removal arrived before it",
    ("active", "abandoned"): "idle too long",
    ("active", "declined"): "its payment failed",
    ("active", "offered"): "its shopper asked, and an offer was made",
    ("active", "ordered"): "bought",
    ("active", "lost"): "removed or emptied, or another basket took its place",
    ("abandoned", "active"): "changed again",
    ("abandoned", "declined"): "its payment failed",
    ("abandoned", "offered"): "an offer was made",
    ("abandoned", "ordered"): "bought",
    ("abandoned", "lost"): "removed or emptied",
    ("declined", "active"): "changed again",
    ("declined", "offered"): "an offer was made",
    ("declined", "ordered"): "bought",
    ("declined", "lost"): "removed or emptied",
    ("offered", "active"): "changed again",
    ("offered", "declined"): "its payment failed",
    ("offered", "abandoned"): "its offer ended",
    ("offered", "recovered"): "the plan's first payment arrived",
    ("offered", "ordered"): "bought in the shop",
    ("offered", "lost"): "removed or emptied",
    ("lost", "active"): "came back",
    ("lost", "declined"): "came back and its payment failed",
    ("lost", "ordered"): "bought after all: a sale wins",
    ("lost", "recovered"): "the plan's first payment arrived",
    ("active", "recovered"): "the plan's first payment arrived",
    ("abandoned", "recovered"): "the plan's first payment arrived",
    ("declined", "recovered"): "the plan's first payment arrived",
    ("ordered", "recovered"): "the order was ours",
}

OFFER = {
    (START, "open"): "made",
    (START, "not_sent"): "made, and kept back for a reason",
    ("open", "accepting"): "accepted by the customer",
    ("open", "withdrawn"): "bought, lost, or replaced",
    ("open", "expired"): "its time is over",
    ("accepting", "open"): "the basket changed, or no card was taken",
    ("accepting", "accepted"): "a card is stored and the plan is made",
    ("accepting", "withdrawn"): "bought meanwhile",
}

SETUP = {
    (START, "begun"): "the customer accepted",
    ("begun", "waiting"): "the gateway has a page for the card",
    ("begun", "failed"): "no page could be had",
    ("begun", "completed"): "the card of an earlier order is taken over",
    ("waiting", "completed"): "a card is stored",
    ("waiting", "failed"): "the gateway says no",
    ("begun", "expired"): "left too long",
    ("waiting", "expired"): "left too long",
}

PLAN = {
    (START, "pending"): "a card is stored; nothing is paid yet",
    ("pending", "active"): "the first payment arrived",
    ("pending", "cancelled"): "the first payment never arrived",
    ("pending", "withdrawn"): "the customer withdrew",
    ("pending", "completed"): "the only payment arrived",
    ("active", "paused"): "a person must decide",
    ("active", "completed"): "every payment arrived",
    ("active", "cancelled"): "cancelled by customer or shop",
    ("active", "withdrawn"): "the customer withdrew",
    ("paused", "active"): "taken up again",
    ("paused", "completed"): "every payment arrived",
    ("paused", "cancelled"): "cancelled by customer or shop",
    ("paused", "withdrawn"): "the customer withdrew",
}

COLLECTION = {
    (START, "scheduled"): "agreed",
    ("scheduled", "in_flight"): "its day came",
    ("scheduled", "void"): "the plan ended before",
    ("due", "in_flight"): "asked again",
    ("due", "void"): "the plan ended before",
    ("retry_wait", "in_flight"): "its next try came",
    ("retry_wait", "void"): "the plan ended before",
    ("retry_wait", "due"): "another card was given, or its customer pays",
    ("retry_wait", "exhausted"): "no more tries",
    ("in_flight", "paid"): "captured",
    ("in_flight", "retry_wait"): "declined, another try is allowed",
    ("in_flight", "exhausted"): "declined for good",
    ("in_flight", "requires_action"): "the customer must confirm",
    ("in_flight", "in_doubt"): "no answer",
    ("in_flight", "due"): "was not executed, or refused on a card that was changed meanwhile",
    ("in_flight", "void"): "was not executed, and the plan has ended",
    ("requires_action", "paid"): "confirmed and captured",
    ("requires_action", "retry_wait"): "not confirmed",
    ("requires_action", "exhausted"): "not confirmed, no more tries",
    ("requires_action", "in_doubt"): "no answer",
    ("requires_action", "in_flight"): "under way at the gateway",
    ("requires_action", "due"): "was not executed, or closed since another card was given",
    ("requires_action", "void"): "closed, and the plan has ended",
    ("in_doubt", "paid"): "found captured",
    ("in_doubt", "retry_wait"): "found declined",
    ("in_doubt", "exhausted"): "found declined for good",
    ("in_doubt", "requires_action"): "found waiting for the customer",
    ("in_doubt", "in_flight"): "found under way",
    ("in_doubt", "due"): "proven not executed, or refused on a card that was changed meanwhile",
    ("in_doubt", "void"): "proven not executed, and the plan has ended",
    ("exhausted", "due"): "another card was given or this one renewed, or its customer pays",
    ("exhausted", "void"): "the plan ended",
    ("paid", "refunded"): "given back",
    ("paid", "disputed"): "the cardholder disputes it",
    ("paid", "lost"): "the dispute is lost",
    ("refunded", "paid"): "the gateway took the refund back",
    ("refunded", "disputed"): "the cardholder disputes it",
    ("refunded", "lost"): "the dispute is lost",
    ("disputed", "paid"): "the dispute is won",
    ("disputed", "refunded"): "the dispute is won, and it was given back",
    ("disputed", "lost"): "the dispute is lost",
}

ATTEMPT = {
    (START, "sent"): "written down before it is asked",
    ("sent", "succeeded"): "captured",
    ("sent", "declined"): "declined",
    ("sent", "requires_action"): "the customer must confirm",
    ("sent", "pending"): "under way at the gateway",
    ("sent", "in_doubt"): "no answer",
    ("sent", "not_executed"): "nothing happened",
    ("pending", "succeeded"): "captured",
    ("pending", "declined"): "declined",
    ("pending", "requires_action"): "the customer must confirm",
    ("pending", "in_doubt"): "no longer known",
    ("pending", "not_executed"): "nothing happened",
    ("requires_action", "succeeded"): "confirmed and captured",
    ("requires_action", "declined"): "refused",
    ("requires_action", "pending"): "under way at the gateway",
    ("requires_action", "in_doubt"): "no longer known",
    ("requires_action", "closed"): "closed at the gateway",
    ("requires_action", "not_executed"): "nothing happened",
    ("in_doubt", "succeeded"): "found captured",
    ("in_doubt", "declined"): "found declined",
    ("in_doubt", "requires_action"): "found waiting for the customer",
    ("in_doubt", "pending"): "found under way",
    ("in_doubt", "not_executed"): "proven absent",
    ("in_doubt", "closed"): "closed at the gateway",
}

REFUND = {
    (START, "due"): "asked for",
    ("due", "sent"): "written down before it is asked",
    ("due", "void"): "a dispute gave the money back",
    ("sent", "succeeded"): "given back",
    ("sent", "declined"): "refused",
    ("sent", "pending"): "under way at the gateway",
    ("sent", "in_doubt"): "no answer",
    ("sent", "not_executed"): "nothing happened",
    ("pending", "succeeded"): "given back",
    ("pending", "declined"): "refused",
    ("pending", "in_doubt"): "no longer known",
    ("pending", "not_executed"): "nothing happened",
    ("in_doubt", "succeeded"): "found given back",
    ("in_doubt", "declined"): "found refused",
    ("in_doubt", "pending"): "found under way",
    ("in_doubt", "not_executed"): "proven absent",
    ("succeeded", "reversed"): "it failed later at the gateway",
}

DISPUTE = {
    (START, "open"): "the bank took the money back",
    (START, "won"): "it was won before we heard of it",
    (START, "lost"): "it was lost before we heard of it",
    ("open", "won"): "the money came back",
    ("open", "lost"): "the money stays with the customer",
}

MESSAGE = {
    (START, "queued"): "written",
    (START, "suppressed"): "kept back for a reason",
    ("queued", "sent"): "taken by the mail server",
    ("queued", "suppressed"): "no longer wanted when its turn came",
    ("queued", "bounced"): "refused by the mail server",
    ("sent", "bounced"): "came back",
    ("bounced", "queued"): "tried again by a person",
}

OUT = {
    (START, "queued"): "to be told to the outside",
    ("queued", "sent"): "told",
    ("queued", "dropped"): "no longer wanted when its turn came",
    ("queued", "parked"): "a person must look",
    ("parked", "queued"): "tried again by a person",
}

ACCOUNT = {
    (START, "not_probed"): "added",
    ("not_probed", "probing"): "its promises are put to the test",
    ("probing", "waiting"): "charged, and not found yet",
    ("probing", "passed"): "it keeps its promises",
    ("probing", "failed"): "it breaks a promise",
    ("waiting", "passed"): "it keeps its promises",
    ("waiting", "failed"): "it breaks a promise",
    ("passed", "not_probed"): "to be probed again",
    ("failed", "not_probed"): "to be probed again",
}

ERASURE = {
    (START, "asked"): "nothing new begins",
    ("asked", "in_doubt"): "a gateway did not answer",
    ("asked", "shredded"): "the tokens are useless, and their keys destroyed",
    ("in_doubt", "shredded"): "the tokens are useless, or a day went by without an answer",
}

INQUIRY = {
    (START, "asked"): "a shopper asks in the shop's page",
    ("asked", "offered"): "there is an offer for his basket",
    ("asked", "refused"): "there is none, for a reason",
}

OPT_IN = {
    (START, "asked"): "the address is asked",
    ("asked", "confirmed"): "it says yes",
    ("asked", "expired"): "nobody answered",
}

CASE = {(START, "open"): "a person must decide", ("open", "resolved"): "decided"}

MACHINES = {
    "delivery": DELIVERY,
    "cart": CART,
    "offer": OFFER,
    "setup": SETUP,
    "plan": PLAN,
    "collection": COLLECTION,
    "attempt": ATTEMPT,
    "refund": REFUND,
    "dispute": DISPUTE,
    "message": MESSAGE,
    "out": OUT,
    "account": ACCOUNT,
    "key": KEY,
    "erasure": ERASURE,
    "handover": HANDOVER,
    "enrolment": ENROLMENT,
    "recall": RECALL,
    "secret": SECRET,
    "inquiry": INQUIRY,
    "opt_in": OPT_IN,
    "case": CASE,
}


class IllegalMove(RepriseError):
    """A state machine has no such edge: a fault of ours, never a case for trying again."""

    permanent = True


def check(noun: str, before: str, after: str) -> None:
    """``IllegalMove`` unless the noun's table has that edge."""
    if (before, after) not in MACHINES[noun]:
        raise IllegalMove(f"{noun}: {before or 'nothing'} does not become {after}")


def final(noun: str) -> set[str]:
    """States of the noun that nothing leads out of."""
    edges = MACHINES[noun]
    return {after for _, after in edges} - {before for before, _ in edges}
