"""Words for columns, buttons, lists and errors by the keys that views use for them, and ``Words``, which says these and
the codes of ``codes`` in a language. The tables hold English, marked for extraction with ``N_``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from plugin_backend.core.i18n import Translator
from plugin_backend.core.render.codes import CASES, HOLDS, KINDS, REASONS, STATES
from plugin_backend.sdk.wording import N_


@dataclass(frozen=True, slots=True)
class ListWords:
    """What stands around a list: its title, what it is for, and what an empty one says."""

    title: str
    purpose: str
    empty: str


NOUNS: Mapping[str, str] = {
    "attempt": N_("Attempt"),
    "cart": N_("Cart"),
    "case": N_("Case"),
    "collection": N_("Collection"),
    "delivery": N_("Webhook received"),
    "dispute": N_("Dispute"),
    "erasure": N_("Erasure"),
    "message": N_("Message"),
    "offer": N_("Offer"),
    "plan": N_("Plan"),
    "refund": N_("Refund"),
    "reconciliation": N_("Reconciliation"),
    "shop": N_("Shop"),
}

LISTS: Mapping[str, ListWords] = {
    "shops": ListWords(N_("Shops"), N_("The shops that you look after."), N_("No shop is connected yet.")),
    "run": ListWords(
        N_("Next run"),
        N_(
            "What will be taken within the next 24 hours from customers who are not there, and what would keep it back. "
            "Looking changes nothing."
        ),
        N_("Nothing falls due within the next 24 hours."),
    ),
    "accounts": ListWords(
        N_("Gateways"),
        N_("The accounts at payment providers by which the shop is paid."),
        N_("No account is connected yet: nothing can be offered before there is one."),
    ),
    "watch": ListWords(
        N_("What was lost"),
        N_("What the shop lost before it was connected, and what of that could have been offered."),
        N_("Nobody has looked back yet."),
    ),
    "carts": ListWords(
        N_("Carts"),
        N_("Baskets that shoppers filled, and what became of them."),
        N_("No cart yet. One appears with the first webhook from the shop."),
    ),
    "offers": ListWords(
        N_("Offers"),
        N_("What was proposed to customers, and why some offers were not sent."),
        N_("No offer yet. One is made when a cart is left or a payment is refused."),
    ),
    "plans": ListWords(
        N_("Plans"),
        N_("Accepted offers: instalment plans and subscriptions."),
        N_("No plan yet. One begins when a customer accepts an offer."),
    ),
    "collections": ListWords(
        N_("Collections"),
        N_("Every dated payment of every plan."),
        N_("No collection yet. A plan brings its own."),
    ),
    "refunds": ListWords(
        N_("Refunds"),
        N_("What goes back to customers, and how it stands."),
        N_("Nothing was given back yet."),
    ),
    "disputes": ListWords(
        N_("Disputes"),
        N_("Payments that cardholders had taken back by their bank."),
        N_("No payment is disputed."),
    ),
    "deliveries": ListWords(
        N_("Webhooks received"),
        N_("What the shop and the gateway sent, as it came in."),
        N_("Nothing was received yet."),
    ),
    "messages": ListWords(N_("Messages"), N_("Every mail to a customer."), N_("No message was written yet.")),
    "cases": ListWords(N_("Cases"), N_("What a person must decide."), N_("Nothing needs you.")),
    "reconciliations": ListWords(
        N_("Reconciliations"),
        N_("What we booked, compared with what the gateway lists: every night, and when you ask."),
        N_("Nothing was compared yet."),
    ),
    "erasures": ListWords(
        N_("Erasures"),
        N_("Customers who are forgotten, and cards whose use is over."),
        N_("Nobody was forgotten yet."),
    ),
}

LABELS: Mapping[str, str] = {
    "advice": N_("Advice of the network"),
    "about": N_("About"),
    "account": N_("Gateway account"),
    "accepted_at": N_("Accepted"),
    "amount": N_("Amount"),
    "at": N_("When"),
    "asked_by": N_("Asked by"),
    "attempts": N_("Attempts"),
    "captured": N_("Captured"),
    "both": N_("On both sides"),
    "card": N_("Card"),
    "card_expires": N_("Card valid until"),
    "cart": N_("Cart"),
    "cause": N_("Cause"),
    "changed_at": N_("Last news of it"),
    "code": N_("Code of the gateway"),
    "collection": N_("Collection"),
    "collections": N_("Collections"),
    "count": N_("Count"),
    "country": N_("Country"),
    "created_at": N_("Created"),
    "credit_first": N_("Taken from"),
    "credit_rest": N_("Schedule lowered"),
    "currency": N_("Currency"),
    "customer": N_("Customer"),
    "decision": N_("Decision"),
    "decline": N_("Refusal"),
    "declines": N_("Refusals"),
    "delivery_id": N_("Delivery id"),
    "dispute": N_("Dispute"),
    "disputed": N_("Taken back by banks"),
    "differs": N_("Another amount"),
    "due_at": N_("Next move"),
    "effect": N_("What it said"),
    "email": N_("E-mail"),
    "ended_at": N_("Ended"),
    "error": N_("Error"),
    "expires_at": N_("Expires"),
    "failed_at": N_("Last refusal"),
    "first_sent_at": N_("First sent"),
    "from_state": N_("State before"),
    "gateway": N_("Gateway"),
    "gateway_id": N_("Id at the gateway"),
    "given_back": N_("Given back"),
    "held": N_("Held back because"),
    "id": N_("Id"),
    "item": N_("Item"),
    "key": N_("Key in the shop"),
    "kind": N_("Kind"),
    "language": N_("Language"),
    "last_sent_at": N_("Last sent"),
    "last4": N_("Last four digits"),
    "mandate": N_("Mandate"),
    "missed": N_("Found only by asking"),
    "mode": N_("Mode"),
    "name": N_("Name"),
    "next_payment": N_("Next payment"),
    "number": N_("Number"),
    "offer": N_("Offer"),
    "order": N_("Order"),
    "outstanding": N_("Still to be paid"),
    "ours_only": N_("Only with us"),
    "paid": N_("Paid"),
    "paid_at": N_("Paid on"),
    "payment_method": N_("Payment method"),
    "plan": N_("Plan"),
    "platform": N_("Platform"),
    "price": N_("Price"),
    "quantity": N_("Quantity"),
    "question": N_("Question"),
    "reason": N_("Reason"),
    "received_at": N_("Received"),
    "reference": N_("Reference"),
    "refund": N_("Refund"),
    "refunded": N_("Refunded"),
    "scheduled_at": N_("Agreed for"),
    "sent_at": N_("Sent"),
    "settled": N_("Settled before"),
    "sha256": N_("SHA-256 of what was kept"),
    "shop": N_("Shop"),
    "since": N_("From"),
    "source": N_("Source"),
    "started_at": N_("Begun"),
    "state": N_("State"),
    "subject": N_("Subject"),
    "supplied_at": N_("Sent by the shop"),
    "taken_off": N_("Taken off"),
    "template": N_("Offer template"),
    "theirs_only": N_("Only at the gateway"),
    "timezone": N_("Time zone"),
    "to": N_("Recipient"),
    "to_state": N_("State after"),
    "topic": N_("Topic"),
    "topics": N_("Topics"),
    "total": N_("Total"),
    "tries": N_("Tries"),
    "until": N_("Until"),
    "updated_at": N_("Last change"),
    "url": N_("Address"),
    "value": N_("Value"),
    "verdict": N_("The law says"),
    "viewed_at": N_("First seen by the customer"),
    "webhook_url": N_("Webhook address"),
}

SECTIONS: Mapping[str, str] = {
    "attempts": N_("Attempts"),
    "cases": N_("Cases"),
    "collections": N_("Collections"),
    "credits": N_("Credits"),
    "deliveries": N_("Webhooks received"),
    "disputes": N_("Disputes"),
    "differences": N_("Differences"),
    "headers": N_("Headers"),
    "lines": N_("Basket"),
    "messages": N_("Messages"),
    "moves": N_("History"),
    "offers": N_("Offers"),
    "outbox": N_("To be told to the outside"),
    "payments": N_("Payments"),
    "plans": N_("Plans"),
    "refunds": N_("Refunds"),
}

ACTIONS: Mapping[str, str] = {
    "cancel": N_("Cancel the plan"),
    "charged": N_("It was charged"),
    "connect": N_("Connect a shop"),
    "credit": N_("Refund or lower"),
    "data": N_("All that is kept of the customer"),
    "erase": N_("Forget the customer"),
    "keep": N_("Keep as it is"),
    "lift": N_("Lift the quarantine"),
    "not_charged": N_("It was not charged"),
    "pause": N_("Pause the plan"),
    "refund": N_("Refund everything"),
    "reconcile": N_("Compare now"),
    "replay": N_("Replay"),
    "resolve": N_("Mark as settled"),
    "resume": N_("Resume the plan"),
    "retry": N_("Try again"),
    "same_here": N_("Do the same here"),
    "send_again": N_("Send again"),
    "withdraw": N_("Withdraw the offer"),
}

NOTICES: Mapping[str, str] = {
    "clock_moved": N_("The clock of the shop was moved."),
    "credited": N_("The credit was noted. What goes back to the card is on its way."),
    "done": N_("Done."),
    "erasing": N_("The customer is being forgotten."),
    "reconciling": N_("The accounts are being compared."),
    "replayed": N_("The webhook will be read again."),
}

_SORRY = N_("Something went wrong on our side. Nothing you did caused it. Please try again in a few minutes.")
ERRORS: Mapping[int, tuple[str, str]] = {
    400: (N_("This request cannot be read"), N_("Please go back and try again.")),
    401: (N_("Please sign in"), N_("This page is for people who are signed in.")),
    403: (N_("This page is not open to you"), N_("If you think it should be, please ask the shop.")),
    404: (
        N_("This page does not exist"),
        N_("The link may be incomplete. Please open it again from the mail."),
    ),
    405: (N_("This page cannot be used in this way"), N_("Please go back and try again.")),
    413: (N_("What was sent is too large"), N_("Please send less at once.")),
    422: (
        N_("Something in the form is not right"),
        N_("Please go back and check it. Never type a card number into a form of ours."),
    ),
    429: (N_("Too many requests"), N_("Please wait a minute, then try again.")),
    500: (N_("Something went wrong"), _SORRY),
}
"""Title and advice of an error page; a status that is not here is shown as 400 or 500."""

DECLINES: Mapping[str, str] = {
    "funds": N_("The amount may be above the limit of the card or the balance of the account."),
    "new_data": N_("The details of the card are not valid any more, for example because it has expired."),
    "authentication": N_("The payment was not confirmed with your bank."),
    "system": N_("The bank could not be reached."),
}
_NO_REASON = N_("The bank gave no reason.")


class Words:
    """The tables above in one language."""

    def __init__(self, said: Translator) -> None:
        self._said = said

    def state(self, noun: str, state: str) -> str:
        """The state of a ``noun`` in a word. ``KeyError`` for one that no table knows."""
        return self._said.pgettext(noun, STATES[noun][state])

    def reason(self, code: str) -> str:
        """The reason, or the kind of a thing, in words; the code itself where none are kept: an adapter may have brought
        it. ``a: b`` is a reason within a reason."""
        what, inside, why = code.partition(": ")
        if not inside:
            return self._known(code)
        return self._said.gettext("%(what)s: %(why)s") % {"what": self._known(what), "why": self.reason(why)}

    def decline(self, decline: str) -> str:
        """Why a bank refused, for the customer. It never tells him that fraud is suspected."""
        return self._said.gettext(DECLINES.get(decline, _NO_REASON))

    def noun(self, noun: str) -> str:
        return self._said.gettext(NOUNS[noun])

    def label(self, key: str) -> str:
        return self._said.gettext(LABELS[key])

    def section(self, key: str) -> str:
        return self._said.gettext(SECTIONS[key])

    def action(self, key: str) -> str:
        return self._said.gettext(ACTIONS[key])

    def notice(self, key: str) -> str:
        return self._said.gettext(NOTICES[key])

    def listing(self, noun: str) -> ListWords:
        words = LISTS[noun]
        return ListWords(*(self._said.gettext(text) for text in (words.title, words.purpose, words.empty)))

    def error(self, status: int) -> tuple[str, str]:
        """Title and advice for a status of HTTP."""
        title, advice = ERRORS.get(status, ERRORS[400 if 400 <= status < 500 else 500])
        return self._said.gettext(title), self._said.gettext(advice)

    def _known(self, code: str) -> str:
        message = REASONS.get(code) or HOLDS.get(code) or CASES.get(code) or KINDS.get(code)
        return self._said.gettext(message) if message else code
