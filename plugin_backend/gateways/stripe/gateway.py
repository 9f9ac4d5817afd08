"""Stripe's adapter: a payment is created, then confirmed, so that it has an id before any bank is asked."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Literal

from marshmallow import Schema

from plugin_backend.gateways.stripe import accounts, asks, events, payload, promises
from plugin_backend.gateways.stripe.amounts import NotTaken
from plugin_backend.gateways.stripe.api import Answer, Api
from plugin_backend.gateways.stripe.asks import Call
from plugin_backend.gateways.stripe.settings import GUIDE, StripeSettings, mode_of
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import NoAnswer, NotSent, Refused
from plugin_backend.sdk.gateway import (
    Absent,
    AccountGuide,
    Captured,
    CapturedPage,
    CardStored,
    ChargeRequest,
    Checked,
    Closed,
    GatewayEvent,
    InDoubt,
    Mode,
    NotExecuted,
    Outcome,
    PaidWith,
    RefundRequest,
    SetupFailed,
    SetupPage,
    SetupPending,
    SetupRequest,
    Trace,
)
from plugin_backend.sdk.http import Client, Delivery

# How far Stripe's clock may be from ours.
_APART = timedelta(minutes=5)
# What a request that creates something is answered while another one with the same key is under way, or after one with other
# words was: there may be something that somebody goes on with.
_SOMEBODY_ELSE = "idempotency_error"


class Stripe:
    """One account of Stripe's."""

    name: ClassVar[str] = "stripe"
    title: ClassVar[str] = "Stripe"
    test_only = False
    settings: ClassVar[type[Schema]] = StripeSettings
    guide: ClassVar[AccountGuide] = GUIDE

    def __init__(self, settings: Mapping[str, str], http: Client) -> None:
        self._api = Api(settings.get("api_key", ""), settings.get("url", ""), http)
        self._webhook_secret = settings.get("webhook_secret", "")
        self._mode = mode_of(settings)
        self._sepa_debit = settings.get("sepa_debit") == "True"
        self.capabilities = promises.capabilities(sepa_debit=self._sepa_debit)

    @staticmethod
    def door(settings: Mapping[str, str]) -> Mapping[str, str]:
        """The secret that callbacks are signed with, from which no key can be had, and of which mode they must be."""
        return {
            "webhook_secret": settings["webhook_secret"],
            "mode": mode_of(settings),
            "sepa_debit": settings.get("sepa_debit", "False"),
        }

    @staticmethod
    def mode_of(settings: Mapping[str, str]) -> Mode | Literal[""]:
        return mode_of(settings)

    def begin_setup(self, request: SetupRequest) -> SetupPage:
        customer = payload.name_of(payload.good(self._api.ask(asks.customer(request)), "customer"))
        return payload.setup_page(payload.good(self._api.ask(asks.page(request, customer)), "set-up"))

    def complete_setup(self, reference: str, gateway_id: str) -> CardStored | SetupPending | SetupFailed:
        answer = payload.good(self._api.ask(asks.page_again(gateway_id)), "set-up")
        return payload.setup_state(answer, reference)

    def charge(self, request: ChargeRequest) -> Outcome:
        """Create, then confirm. Creating moves no money: where it fails, nothing was executed, unless somebody else is at
        it under the same key. A payment can be confirmed once only, whatever is sent how often."""
        try:
            create = asks.create(request)
        except NotTaken as error:
            return NotExecuted(str(error), permanent=True)
        try:
            created = self._api.ask(create, not_after=request.deadline)
        except (NotSent, NoAnswer) as error:
            return NotExecuted(f"not created: {error}")
        if not created.good:
            return _not_created(created)
        intent = payload.intent_of(created, request.reference)
        if intent is None:
            return NotExecuted("not created: the answer could not be read")
        if created.replayed:
            # What was answered when it was made: how it stands now is another question.
            stands = self._standing(intent["id"], request.reference)
            return self._confirmed(request, intent["id"]) if isinstance(stands, Absent) else stands
        return self._confirmed(request, intent["id"])

    def find(
        self,
        reference: str,
        gateway_id: str = "",
        since: datetime | None = None,
        trace: Trace | None = None,
    ) -> Outcome | Absent:
        """By its id with one question; without one, among the payments that its customer made since then, where the set-up of
        his card still says who he is, else among all."""
        if gateway_id:
            return self._standing(gateway_id, reference)
        try:
            intents = partial(asks.intents, customer=self._customer(trace))
            intent = self._listed(intents, payload.Intent, reference, since)
        except (NotSent, NoAnswer, Refused) as error:
            return InDoubt(str(error))
        return Absent() if intent is None else payload.standing(intent)

    def close(self, reference: str, gateway_id: str = "") -> Closed | Outcome:
        """A payment that Stripe does not know is in doubt, not closed: it may still be on its way there."""
        name = gateway_id
        try:
            if not name:
                intent = self._listed(asks.intents, payload.Intent, reference, None)
                if intent is None:
                    return InDoubt("the gateway does not know it yet")
                name = intent["id"]
            answer = self._api.ask(asks.cancel(name, reference))
        except (NotSent, NoAnswer, Refused) as error:
            return InDoubt(str(error), name)
        if answer.good:
            intent = payload.intent_of(answer, reference)
            outcome = payload.standing(intent) if intent else Absent()
        else:
            outcome = self._standing(name, reference)
        if isinstance(outcome, Absent):
            return InDoubt("it is neither closed nor ended", name)
        return Closed() if outcome == payload.CLOSED else outcome

    def refund(self, request: RefundRequest) -> Outcome:
        try:
            answer = self._api.ask(asks.refund(request), not_after=request.deadline)
        except NotTaken as error:
            return NotExecuted(str(error), permanent=True)
        except NotSent as error:
            return NotExecuted(str(error))
        except NoAnswer as error:
            return InDoubt(str(error))
        if not answer.good:
            return payload.refused(answer)
        read = payload.refund_of(answer, request.reference)
        return payload.refund_standing(read) if read else InDoubt("the answer could not be read")

    def find_refund(
        self,
        reference: str,
        gateway_id: str = "",
        since: datetime | None = None,
        trace: Trace | None = None,
    ) -> Outcome | Absent:
        try:
            if gateway_id:
                read = payload.refund_of(self._api.ask(asks.refund_again(gateway_id)), reference)
                return payload.refund_standing(read) if read else InDoubt("the answer could not be read")
            refunds = partial(asks.refunds, intent=trace.charge if trace is not None else "")
            read = self._listed(refunds, payload.Refunded, reference, since)
        except (NotSent, NoAnswer, Refused) as error:
            return InDoubt(str(error))
        return payload.refund_standing(read) if read else Absent()

    def verify(self, delivery: Delivery) -> None:
        events.verify(delivery, self._webhook_secret)

    def identify(self, delivery: Delivery) -> str:
        return events.identify(delivery.body) or hashlib.sha256(delivery.body).hexdigest()

    def topic(self, delivery: Delivery) -> str:
        return events.topic(delivery.body)

    def parse(self, delivery: Delivery) -> list[GatewayEvent]:
        return events.parse(delivery.body, self._mode)

    def list_since(self, since: datetime, cursor: str = "") -> CapturedPage:
        """Payments first, then refunds; both by when they were made, which is never after the money moved."""
        movements: list[Captured | None] = []
        if not cursor or cursor.startswith("pi_"):
            found, more = self._page(asks.intents, since, cursor)
            movements += [payload.movement(told, payload.Intent) for told in found]
            if more:
                return _page_of(movements, payload.last_of(found))
            cursor = ""
        found, more = self._page(asks.refunds, since, cursor)
        movements += [payload.movement(told, payload.Refunded) for told in found]
        return _page_of(movements, payload.last_of(found) if more else "")

    def detach(self, token: str) -> None:
        """Doing it again changes nothing: a method that is nobody's, or that Stripe does not know, is as good as gone."""
        answer = self._api.ask(asks.detach(token))
        if answer.good:
            return
        shown = self._api.ask(asks.method(token))
        if shown.status == 404 and shown.says("code") == "resource_missing":
            return
        method = payload.load(payload.Method, shown.body)
        if not shown.good or method is None or method["customer"]:
            payload.good(answer, "detach")

    def test_token(self) -> str:
        return "pm_card_visa"

    def recognise(self, paid: PaidWith) -> CardStored | None:
        return accounts.recognise(self._api, paid)

    def checks(self) -> Checked:
        try:
            return accounts.checked(self._api, self._mode, sepa_debit=self._sepa_debit)
        except (NotSent, NoAnswer):
            return Checked((accounts.UNREACHABLE,))

    def _confirmed(self, request: ChargeRequest, name: str) -> Outcome:
        """Let the bank be asked. From here on a silence is a doubt. An error that was kept under the key says how it once was:
        a payment that is still not confirmed is confirmed under another, since Stripe does that once whatever the key."""
        try:
            answer = self._api.ask(asks.confirm(request, name), not_after=request.deadline)
            if answer.replayed and answer.status >= 500:
                again = asks.confirm(request, name, again=True)
                answer = self._api.ask(again, not_after=request.deadline)
        except NotSent as error:
            return NotExecuted(f"not confirmed: {error}")
        except NoAnswer as error:
            return InDoubt(str(error), name)
        if answer.good:
            intent = payload.intent_of(answer, request.reference)
            outcome = payload.standing(intent) if intent else Absent()
        elif answer.says("code") == "payment_intent_unexpected_state":
            # Somebody else confirmed it, or closed it.
            outcome = self._standing(name, request.reference)
        else:
            return payload.refused(answer, name)
        return InDoubt("confirmed, and not known to be", name) if isinstance(outcome, Absent) else outcome

    def _standing(self, name: str, reference: str) -> Outcome | Absent:
        try:
            answer = self._api.ask(asks.intent_again(name))
        except (NotSent, NoAnswer) as error:
            return InDoubt(str(error), name)
        intent = payload.intent_of(answer, reference) if answer.good else None
        if intent is None:
            return InDoubt(f"answered {answer.status}, and nothing of this payment", name)
        return payload.standing(intent)

    def _customer(self, trace: Trace | None) -> str:
        """Whose card it was that was charged. A thousand payments fall due at once, and of these a list of all shows each one
        that looks for its own: it is read only where Stripe knows no such set-up, and not where it has no time to say."""
        if trace is None or not trace.setup:
            return ""
        answer = self._api.ask(asks.page_again(trace.setup))
        return "" if answer.status == 404 else payload.customer_of(payload.good(answer, "set-up"))

    def _listed(
        self,
        listed: Callable[[int | None, str], Call],
        schema: type[Schema],
        reference: str,
        since: datetime | None,
    ) -> dict[str, Any] | None:
        """What was made under a reference, None where nothing was. Newest first, as Stripe lists them."""
        for told in self._all(listed, since):
            read = payload.load(schema, told) if payload.reference_of(told) == reference else None
            if read is not None:
                return read
            if payload.reference_of(told) == reference:
                raise NoAnswer("list: what was asked for could not be read")
        return None

    def _all(
        self, listed: Callable[[int | None, str], Call], since: datetime | None
    ) -> Iterator[Mapping[str, Any]]:
        cursor, seen, more = "", {""}, True
        while more:
            found, more = self._page(listed, since, cursor)
            yield from found
            cursor = payload.last_of(found) if more else ""
            if more and cursor in seen:
                raise NoAnswer("list: it has no end")
            seen.add(cursor)

    def _page(
        self, listed: Callable[[int | None, str], Call], since: datetime | None, cursor: str
    ) -> tuple[list[dict[str, Any]], bool]:
        made_since = None if since is None else _real(since)
        return payload.page_of(payload.good(self._api.ask(listed(made_since, cursor)), "list"))


def _not_created(answer: Answer) -> Outcome:
    outcome = payload.refused(answer)
    somebody_else = answer.status == 409 or answer.says("type") == _SOMEBODY_ELSE
    if isinstance(outcome, InDoubt) and not somebody_else:
        return NotExecuted(f"not created: {outcome.reason}")
    return outcome


def _page_of(movements: list[Captured | None], cursor: str) -> CapturedPage:
    return CapturedPage(tuple(moved for moved in movements if moved is not None), cursor)


def _real(since: datetime) -> int:
    """Seconds by Stripe's clock, which knows nothing of a test shop's. That one only moves forward, so what it was ahead by
    at ``since`` is no more than what it is ahead by now."""
    ahead = round((clock.now() - clock.real_now()).total_seconds())
    return int((since - _APART).timestamp()) - ahead
