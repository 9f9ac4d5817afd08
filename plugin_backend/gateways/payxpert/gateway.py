"""PayXpert's adapter. It keeps no keys and signs nothing, so that everything is read again and nothing is sent twice."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from marshmallow import Schema

from plugin_backend.gateways.payxpert import listing, payload, reading, requests, taking
from plugin_backend.gateways.payxpert.api import Api
from plugin_backend.gateways.payxpert.checking import checked
from plugin_backend.gateways.payxpert.handles import TRANSACTION, Page, page_of
from plugin_backend.gateways.payxpert.payload import Payment
from plugin_backend.gateways.payxpert.settings import CONNECT2PAY, GUIDE, PayXpertSettings
from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import NoAnswer, NotSent, Refused
from plugin_backend.sdk.gateway import (
    Absent,
    AccountGuide,
    CapturedPage,
    CardStored,
    ChargeRequest,
    Checked,
    Closed,
    GatewayCapabilities,
    GatewayEvent,
    InDoubt,
    Mode,
    Outcome,
    PaidWith,
    RefundRequest,
    SetupFailed,
    SetupPage,
    SetupPending,
    SetupRequest,
    Succeeded,
    Trace,
)
from plugin_backend.sdk.http import Client, Delivery

# How far before our own sending PayXpert may date the same thing: two clocks are never one.
_APART = timedelta(minutes=2)


class PayXpert:
    """One originator of PayXpert's."""

    name: ClassVar[str] = "payxpert"
    title: ClassVar[str] = "PayXpert"
    test_only = False
    settings: ClassVar[type[Schema]] = PayXpertSettings
    guide: ClassVar[AccountGuide] = GUIDE

    def __init__(self, settings: Mapping[str, str], http: Client) -> None:
        self._password = settings.get("password", "")
        url = (settings.get("url") or CONNECT2PAY).rstrip("/")
        self._api = Api(url, settings.get("originator", ""), self._password, http)
        self._live = settings.get("mode") == "live"
        self._words = requests.Words(
            settings.get("callback_url", ""), settings.get("theme", ""), settings.get("context_place", "")
        )
        lag = timedelta(seconds=int(settings.get("lag_seconds", 900)))
        absent = timedelta(seconds=int(settings.get("absent_seconds", 1800)))
        self.capabilities = GatewayCapabilities(
            idempotency_window=None,
            look_up="list",
            absent_after=max(absent, lag),
            key_length=100,
            async_refunds=True,
            signed_events=False,
            unattended=True,
            detach=False,
            close=False,
            list_lag=lag,
            traces=True,
        )

    @staticmethod
    def door(settings: Mapping[str, str]) -> Mapping[str, str]:
        """Nothing: callbacks carry no signature, and what they are about is read by whoever asks."""
        return {}

    @staticmethod
    def mode_of(settings: Mapping[str, str]) -> Mode | Literal[""]:
        return "live" if settings.get("mode") == "live" else "test"

    def begin_setup(self, request: SetupRequest) -> SetupPage:
        """A page that authorises the first payment with 3-D Secure and takes nothing yet. Begun twice it is two pages, of
        which nobody sees the first: PayXpert keeps no keys, and lists no payment before somebody pays."""
        prepared = self._api.prepare(self._words.setup(request))
        page = Page(prepared.merchant, prepared.customer)
        return SetupPage(self._api.page(page.customer), page.sealed(self._password))

    def complete_setup(self, reference: str, gateway_id: str) -> CardStored | SetupPending | SetupFailed:
        """A card is stored by the authorisation that its page made; a test card on a live account is none."""
        page = page_of(gateway_id, self._password)
        if page is None:
            return SetupFailed("unknown")
        payment = self._api.payment(page.merchant)
        found = reading.authorised(payment)
        if found is None:
            return reading.why_no_card(payment)
        if found.order != reference or (found.test is not None and found.test is self._live):
            return SetupFailed("unknown")
        return reading.stored(self._api.transaction(found.id), page.merchant)

    def charge(self, request: ChargeRequest) -> Outcome:
        return taking.charge(self._api, self._words, self._password, request)

    def find(
        self,
        reference: str,
        gateway_id: str = "",
        since: datetime | None = None,
        trace: Trace | None = None,
    ) -> Outcome | Absent:
        try:
            return self._found(reference, gateway_id, _sent(since), trace)
        except (NotSent, NoAnswer, Refused) as error:
            return InDoubt(str(error))

    def close(self, reference: str, gateway_id: str = "") -> Closed | Outcome:
        """A page cannot be closed: it ends by itself, within the hour that it was prepared for."""
        found = self.find(reference, gateway_id)
        return InDoubt("PayXpert does not know it yet") if isinstance(found, Absent) else found

    def refund(self, request: RefundRequest) -> Outcome:
        return taking.refund(self._api, request)

    def find_refund(
        self,
        reference: str,
        gateway_id: str = "",
        since: datetime | None = None,
        trace: Trace | None = None,
    ) -> Outcome | Absent:
        try:
            if TRANSACTION.fullmatch(gateway_id):
                return reading.standing(self._api.transaction(gateway_id))
            sent = _sent(since)
            if (
                sent is None
                or trace is None
                or trace.amount is None
                or not TRANSACTION.fullmatch(trace.charge)
            ):
                return InDoubt("a refund cannot be found without its charge")
            payment = self._api.payment(self._api.transaction(trace.charge).merchant)
            return reading.given_back(payment, trace.charge, trace.amount, sent, trace.others)
        except (NotSent, NoAnswer, Refused) as error:
            return InDoubt(str(error))

    def verify(self, delivery: Delivery) -> None:
        """Nobody signed it: it is evidence, and all of it is read again."""

    def identify(self, delivery: Delivery) -> str:
        """A callback has no name of its own; one that is sent again has the same bytes."""
        return hashlib.sha256(delivery.body).hexdigest()

    def topic(self, delivery: Delivery) -> str:
        return payload.topic(delivery.body)

    def parse(self, delivery: Delivery) -> list[GatewayEvent]:
        return payload.events(delivery.body)

    def list_since(self, since: datetime, cursor: str = "") -> CapturedPage:
        return listing.page(self._api, since, cursor)

    def detach(self, token: str) -> None:
        """PayXpert forgets no card; what its page authorised and nobody captured is let go of."""
        taking.let_go(self._api, token)

    def recognise(self, paid: PaidWith) -> CardStored | None:
        """None: a rebill of an earlier order's transaction has no customer who confirms, and PayXpert's page takes no
        stored card; the first payment of a plan without strong authentication is none."""
        return None

    def test_token(self) -> str:
        return ""

    def checks(self) -> Checked:
        return checked(self._api, live=self._live)

    def _found(
        self, reference: str, gateway_id: str, since: datetime | None, trace: Trace | None
    ) -> Outcome | Absent:
        """By what we were told, then by the payment that stored the card, then in the list of the time it was sent."""
        page = page_of(gateway_id, self._password)
        origin = page_of(trace.setup, self._password) if trace is not None else None
        if page is not None:
            payment = self._api.payment(page.merchant)
            outcome = reading.on_page(payment, self._api.page(page.customer), gateway_id)
            return self._renewed(outcome, payment, origin)
        if TRANSACTION.fullmatch(gateway_id):
            return reading.standing(self._api.transaction(gateway_id))
        if trace is not None and origin is not None:
            found = self._in_payment(origin, reference, since, opening=trace.opening)
            if trace.opening or not isinstance(found, Absent) or not self._counts(since):
                return found
        return listing.look(self._api, reference, since, self.capabilities.absent_after + _APART)

    def _counts(self, since: datetime | None) -> bool:
        """Was it sent so long ago that its absence may be believed? Only then the list is worth its length. ``since`` is the
        earliest moment that it may have: rather asked for nothing than believed without having asked."""
        return since is None or clock.real_now() - since >= self.capabilities.absent_after

    def _renewed(self, outcome: Outcome, payment: Payment, origin: Page | None) -> Outcome:
        """What a customer confirmed on a page, with the card that pays his plan, is what later payments refer to."""
        if not isinstance(outcome, Succeeded) or origin is None:
            return outcome
        before = reading.authorised(self._api.payment(origin.merchant))
        paid = next(one for one in payment.transactions if one.id == outcome.gateway_id)
        same = before is not None and bool(paid.means.last4) and before.means == paid.means
        return replace(outcome, network_transaction_id=paid.id) if same else outcome

    def _in_payment(
        self, origin: Page, reference: str, since: datetime | None, *, opening: bool
    ) -> Outcome | Absent:
        payment = self._api.payment(origin.merchant)
        named = reading.taken(payment.transactions, reference)
        return reading.opening(payment, since) if opening and isinstance(named, Absent) else named


def _sent(since: datetime | None) -> datetime | None:
    """The earliest moment at which PayXpert may have dated what we sent then."""
    return None if since is None else listing.real(since) - _APART
