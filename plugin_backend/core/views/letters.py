"""What each mail is given. Every ``*_link`` is absolute and opens without a login."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from plugin_backend.core.views.customer import Card, Ending, OfferView, Part, PlanView, ShopView
from plugin_backend.sdk.money import Money


@dataclass(frozen=True, slots=True)
class OfferMail:
    """For ``offer`` (advertising: consent rules) and ``offer_after_decline`` (service: a payment was refused)."""

    shop: ShopView
    offer: OfferView
    link: str = field(repr=False)
    unsubscribe_link: str = field(repr=False)
    name: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class PlanMail:
    """For ``plan_confirmed``: the contract on a durable medium."""

    shop: ShopView
    plan: PlanView
    portal_link: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReceiptMail:
    """For ``receipt``. ``count`` None: a subscription without an end. The next payment is ``plan.next``."""

    shop: ShopView
    plan: PlanView
    part: Part
    paid_at: datetime
    portal_link: str = field(repr=False)
    cancel_link: str = field(repr=False)
    count: int | None = None


@dataclass(frozen=True, slots=True)
class FailedMail:
    """For ``payment_failed``: refused, tried again at ``part.retry_at``, nothing to do. ``decline`` is a value of
    ``sdk.gateway.Decline``."""

    shop: ShopView
    plan: PlanView
    part: Part
    decline: str
    portal_link: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ActionNeededMail:
    """For ``payment_action_needed``: the customer gives another card or confirms with his bank at ``link``."""

    shop: ShopView
    plan: PlanView
    part: Part
    need: Literal["card", "authentication"]
    link: str = field(repr=False)
    portal_link: str = field(repr=False)
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class NoticeMail:
    """For ``payment_notice``: a payment will be taken in a few days, without the customer. ``expires`` True where the card
    will have expired by then."""

    shop: ShopView
    plan: PlanView
    part: Part
    portal_link: str = field(repr=False)
    cancel_link: str = field(repr=False)
    expires: bool = False


@dataclass(frozen=True, slots=True)
class CardNeededMail:
    """For ``card_needed``: the card cannot pay ``part``, which is not due yet. ``why``: it will have expired, or its bank
    has refused it for good (``stopped``)."""

    shop: ShopView
    plan: PlanView
    part: Part
    why: Literal["expires", "stopped"]
    link: str = field(repr=False)
    portal_link: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CompletedMail:
    """For ``plan_completed``."""

    shop: ShopView
    plan: PlanView
    portal_link: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CancelledMail:
    """For ``plan_cancelled``: the proof of a cancellation or withdrawal. ``at`` is when it was received."""

    shop: ShopView
    plan: PlanView
    ending: Ending
    at: datetime
    portal_link: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CreditMail:
    """For ``plan_credited`` (``taken_off`` payments to come, ``given_back`` on its way, None: nothing) and for
    ``refund_made`` (``given_back`` arrived at ``card``)."""

    shop: ShopView
    plan: PlanView
    portal_link: str = field(repr=False)
    taken_off: Money | None = None
    given_back: Money | None = None
    card: Card | None = None


@dataclass(frozen=True, slots=True)
class OptInMail:
    """For ``opt_in``: an address that was typed into a shop's page is asked whether it wants to be reminded."""

    shop: ShopView
    link: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AlertMail:
    """For ``alert``: whoever sees to a shop is told of a case, whose ``kind`` says what it is, before he happens to look."""

    shop: ShopView
    kind: str
    since: datetime
    link: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignInMail:
    """For ``sign_in``: an operator asked for a link that works once. ``address`` is where the installation answers."""

    link: str = field(repr=False)
    minutes: int
    address: str


@dataclass(frozen=True, slots=True)
class CheckMail:
    """For ``check``: an operator asked for a mail, to see that one arrives. ``shop`` is the shop's name."""

    link: str = field(repr=False)
    shop: str


Mail = (
    AlertMail
    | OfferMail
    | PlanMail
    | ReceiptMail
    | FailedMail
    | ActionNeededMail
    | NoticeMail
    | CardNeededMail
    | CompletedMail
    | CancelledMail
    | CreditMail
    | OptInMail
    | SignInMail
    | CheckMail
)
