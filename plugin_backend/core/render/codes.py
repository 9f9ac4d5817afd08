"""States, reasons and kinds of cases in English, by the codes that tables keep; ``words`` says them in a language.

``C_`` marks a state with its noun, since "Active" is not said of a plan as it is of a shop.
"""

from collections.abc import Mapping

from plugin_backend.core.i18n import C_, N_

STATES: Mapping[str, Mapping[str, str]] = {
    "delivery": {
        "received": C_("delivery", "Received"),
        "read": C_("delivery", "Read"),
        "unreadable": C_("delivery", "Unreadable"),
        "ignored": C_("delivery", "Ignored"),
    },
    "cart": {
        "active": C_("cart", "Active"),
        "abandoned": C_("cart", "Abandoned"),
        "declined": C_("cart", "Payment refused"),
        "offered": C_("cart", "Offer made"),
        "recovered": C_("cart", "Recovered"),
        "ordered": C_("cart", "Ordered"),
        "lost": C_("cart", "Lost"),
    },
    "offer": {
        "draft": C_("offer", "Draft"),
        "open": C_("offer", "Open"),
        "accepting": C_("offer", "Being accepted"),
        "accepted": C_("offer", "Accepted"),
        "withdrawn": C_("offer", "Withdrawn"),
        "expired": C_("offer", "Expired"),
        "not_sent": C_("offer", "Not sent"),
    },
    "plan": {
        "pending": C_("plan", "Being set up"),
        "active": C_("plan", "Active"),
        "paused": C_("plan", "Paused"),
        "completed": C_("plan", "Completed"),
        "cancelled": C_("plan", "Cancelled"),
        "withdrawn": C_("plan", "Withdrawn"),
    },
    "collection": {
        "scheduled": C_("collection", "Planned"),
        "due": C_("collection", "Due"),
        "in_flight": C_("collection", "Being taken"),
        "in_doubt": C_("collection", "Being checked"),
        "requires_action": C_("collection", "Waiting for the customer"),
        "retry_wait": C_("collection", "Will be tried again"),
        "paid": C_("collection", "Paid"),
        "exhausted": C_("collection", "Not paid"),
        "void": C_("collection", "Stopped"),
        "refunded": C_("collection", "Refunded"),
    },
    "attempt": {
        "sent": C_("attempt", "Sent"),
        "pending": C_("attempt", "Under way"),
        "requires_action": C_("attempt", "Waiting for the customer"),
        "in_doubt": C_("attempt", "Being checked"),
        "succeeded": C_("attempt", "Succeeded"),
        "declined": C_("attempt", "Refused"),
        "not_executed": C_("attempt", "Not carried out"),
        "closed": C_("attempt", "Closed"),
    },
    "setup": {
        "begun": C_("setup", "Begun"),
        "waiting": C_("setup", "Waiting for the card"),
        "completed": C_("setup", "Card stored"),
        "failed": C_("setup", "Failed"),
        "expired": C_("setup", "Expired"),
    },
    "out": {
        "queued": C_("out", "Waiting"),
        "sent": C_("out", "Told"),
        "dropped": C_("out", "No longer wanted"),
        "parked": C_("out", "Waiting for a person"),
    },
    "message": {
        "queued": C_("message", "Waiting"),
        "sent": C_("message", "Sent"),
        "bounced": C_("message", "Bounced"),
        "suppressed": C_("message", "Held back"),
    },
    "case": {
        "open": C_("case", "To be decided"),
        "resolved": C_("case", "Settled"),
    },
    "shop": {
        "active": C_("shop", "Active"),
        "watch_only": C_("shop", "Watching only"),
        "disconnected": C_("shop", "Disconnected"),
        "test": C_("shop", "Test"),
        "live": C_("shop", "Live"),
    },
}

ICONS: Mapping[str, str] = {"good": "✓", "wait": "…", "bad": "!", "plain": "•"}

TONES: Mapping[str, str] = {
    **dict.fromkeys(("read", "recovered", "ordered", "accepted", "active", "completed", "paid"), "good"),
    **dict.fromkeys(("succeeded", "resolved", "live"), "good"),
    **dict.fromkeys(("received", "offered", "accepting", "pending", "due", "in_flight", "queued"), "wait"),
    **dict.fromkeys(("in_doubt", "requires_action", "retry_wait", "paused", "begun", "waiting"), "wait"),
    **dict.fromkeys(
        ("unreadable", "declined", "exhausted", "bounced", "disconnected", "failed", "parked"), "bad"
    ),
}
"""The tone of a state; those not named are plain. ``open`` is plain for an offer and a case alike: the word says it."""

REASONS: Mapping[str, str] = {
    "no_consent": N_("The customer has not agreed to reminders"),
    "consent_refused": N_("The customer refused reminders"),
    "no_email": N_("No e-mail address is known"),
    "unsubscribed": N_("The customer asked for no more mails"),
    "not interested": N_("The customer is not interested"),
    "redacted": N_("The customer asked to be forgotten"),
    "bounced": N_("Mails to this address come back"),
    "by the customer": N_("Asked for by the customer"),
    "bought": N_("The customer bought in the meantime"),
    "bought_meanwhile": N_("The customer bought in the meantime"),
    "bought in the shop": N_("The customer bought in the shop"),
    "removed in the shop": N_("The basket was removed in the shop"),
    "mailed_lately": N_("A mail was sent a short while ago"),
    "below_minimum": N_("The amount is below the minimum"),
    "another_offer_open": N_("Another offer to this customer is open"),
    "watch_only": N_("The shop only watches for now"),
    "not_lawful": N_("This plan may not be offered"),
    "no_rule_for_country": N_("no rule is known for the country of the customer"),
    "longer_than_14_days": N_("the last payment would come more than 14 days after the sale"),
    "longer_than_50_days": N_("the last payment would come more than 50 days after the sale"),
    "fees_make_it_credit": N_("a fee would make it a credit"),
    "at_most_four_instalments": N_("at most four payments are allowed"),
    "own_plan_12_in_12_months": N_("at most twelve payments within twelve months are allowed"),
    "idle": N_("Nothing happened for too long"),
    "expired": N_("The time ran out"),
    "its offer stands": N_("Its offer still stands"),
    "its offer expired": N_("Its offer has expired"),
    "a card is stored": N_("A card is stored"),
    "first payment": N_("The first payment arrived"),
    "another card was given": N_("Another card was given"),
    "not confirmed in time": N_("The customer did not confirm in time"),
    "replayed": N_("Replayed by a person"),
    "tried again by a person": N_("Tried again by a person"),
    "limit": N_("Above the limit of the card"),
    "funds": N_("Not enough money, or above the limit of the card"),
    "never": N_("Refused for good by the bank"),
    "new_data": N_("The card details are not valid any more"),
    "authentication": N_("The customer must confirm with the bank"),
    "system": N_("The bank could not be reached"),
    "configuration": N_("The gateway account is not set up for this payment"),
    "fraud": N_("Refused: fraud is suspected"),
    "other": N_("Refused by the bank"),
    "unknown": N_("Refused without a reason"),
}
"""Why a row is as it is: what the house and its ports write, in words."""

CASES: Mapping[str, str] = {
    "amount_differs": N_("The amount taken is not the amount that was asked for"),
    "bought_twice": N_("The basket was also bought in the shop"),
    "captured_after_all": N_("A payment that was given up was taken after all"),
    "charged_after_end": N_("A payment arrived after the plan had ended"),
    "collection_exhausted": N_("A collection could not be taken"),
    "customer_redacted": N_("A customer asks to be forgotten"),
    "data_requested": N_("A customer asks for the data kept about him"),
    "disconnected": N_("The shop has disconnected us"),
    "dispute_lost": N_("A dispute was lost"),
    "dispute_open": N_("A customer disputes a payment"),
    "dispute_won": N_("A dispute was won"),
    "gateway_refuses": N_("The gateway refuses our requests"),
    "in_doubt_for_a_week": N_("A payment has been in doubt for a week"),
    "more_than_agreed": N_("A payment would go beyond what was agreed"),
    "no_card_page": N_("The gateway gave no page for the card"),
    "order_by_hand": N_("An order must be made by hand in the shop"),
    "order_not_held": N_("The order could not be held in the shop"),
    "order_stopped": N_("The order was cancelled or refunded in the shop"),
    "refund_due": N_("A refund is due"),
    "shop_not_told": N_("The shop could not be told"),
    "work_failed": N_("A piece of work failed"),
}
"""What a case asks a person about, by its kind."""
