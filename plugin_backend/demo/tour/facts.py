"""What the tour shows: how far its visitor has come, and the two ledgers beside one another."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from plugin_backend.core.db import transaction
from plugin_backend.core.house import house
from plugin_backend.core.views import LedgerLine, PlugState, TourStep, TourView
from plugin_backend.demo.places import Places
from plugin_backend.demo.seed import Seed
from plugin_backend.domain import billing, messages, probing
from plugin_backend.domain.billing import Attempt
from plugin_backend.domain.carts import Cart
from plugin_backend.domain.messages import Message
from plugin_backend.domain.offers import Offer
from plugin_backend.domain.plans import Collection
from plugin_backend.sdk.http import HttpClient, Request, raise_for_status
from plugin_backend.sdk.money import Money
from plugin_backend.sdk.payload import read_object

_SHOWN = 30
# How the gateway's states are called here.
_STATES = {"captured": "succeeded", "declined": "declined", "closed": "closed", "pending": "pending"}


def view(places: Places, seed: Seed, *, plug: PlugState, unplug_url: str) -> TourView:
    """The tour as it stands now."""
    ours = [line for shop_id in (seed.luna, seed.nordlys) for line in _ours(shop_id)]
    theirs = _theirs(places)
    return TourView(
        steps=_steps(places, seed.luna),
        plug=plug,
        unplug_url=unplug_url,
        ours=_newest(ours),
        gateway=_newest(theirs),
        agree=agree(ours, theirs),
        timezone="Europe/Paris",
    )


def agree(ours: list[LedgerLine], theirs: list[LedgerLine]) -> bool | None:
    """Do both say the same of every payment that arrived, each once, with nothing of ours still open? None where
    there is nothing yet."""
    if not ours and not theirs:
        return None
    same = _arrived(ours) == _arrived(theirs) and set(_arrived(theirs).values()) <= {1}
    return same and not any(line.state in billing.OPEN for line in ours)


def _arrived(lines: Iterable[LedgerLine]) -> Counter[tuple[str, Money]]:
    return Counter((line.reference, line.amount) for line in lines if line.state == "succeeded")


def _newest(lines: list[LedgerLine]) -> tuple[LedgerLine, ...]:
    return tuple(sorted(lines, key=lambda line: line.at, reverse=True)[:_SHOWN])


def _steps(places: Places, shop_id: str) -> tuple[TourStep, ...]:
    dashboard = places.url("web", f"/shops/{shop_id}/")
    with transaction(shop_id) as session:
        offer = _offer_url(session, shop_id) or places.url("mailbox", "/")
        return (
            TourStep(places.url("shop", "/woo/"), _any(session, Cart, shop_id)),
            TourStep(dashboard, _any(session, Offer, shop_id)),
            TourStep(places.url("mailbox", "/"), _any(session, Message, shop_id, Message.state == "sent")),
            TourStep(offer, _any(session, Offer, shop_id, Offer.viewed_at.is_not(None))),
            TourStep(offer, _any(session, Collection, shop_id, Collection.state == "paid")),
            TourStep(
                f"{dashboard}collections",
                _any(session, Collection, shop_id, Collection.state == "paid", Collection.number == 2),
            ),
            TourStep(
                dashboard,
                _any(session, Collection, shop_id, Collection.state == "paid", Collection.number == 3),
            ),
        )


def _any(session: Session, model: type[Any], shop_id: str, *conditions: ColumnElement[bool]) -> bool:
    return session.scalar(select(model.id).where(model.shop_id == shop_id, *conditions).limit(1)) is not None


def _offer_url(session: Session, shop_id: str) -> str:
    """The newest offer that a customer can still open or look at, "" where there is none."""
    found = select(Offer.id).where(
        Offer.shop_id == shop_id, Offer.state.in_(("open", "accepting", "accepted"))
    )
    offer_id = session.scalar(found.order_by(Offer.id.desc()).limit(1))
    return house().url(messages.secret_path("o", shop_id, offer_id)) if offer_id else ""


def _ours(shop_id: str) -> list[LedgerLine]:
    with transaction(shop_id) as session:
        attempts = session.scalars(select(Attempt).where(Attempt.shop_id == shop_id))
        return [LedgerLine(row.reference, row.money, row.first_sent_at, row.state) for row in attempts]


def _theirs(places: Places) -> list[LedgerLine]:
    """A line for each charge in the gateway's ledger, in the state that its last entry left it in."""
    asked = Request("GET", places.url("gateway", "/_test/ledger"))
    answer = raise_for_status(HttpClient(allow_private=True).send(asked), "the sandbox gateway")
    charges: dict[str, LedgerLine] = {}
    for entry in read_object(answer.body)["entries"]:
        match entry["kind"]:
            case "charge.made" if not probing.is_probe(entry["reference"]):
                amount = Money(entry["amount"]["amount"], entry["amount"]["currency"])
                state = _STATES.get(entry["state"], entry["state"])
                charges[entry["id"]] = LedgerLine(entry["reference"], amount, _at(entry), state)
            case "charge.captured" | "charge.declined" | "charge.closed" as kind:
                before = charges.get(entry["id"])
                if before is None:
                    continue
                state = _STATES[kind.partition(".")[2]]
                charges[entry["id"]] = LedgerLine(before.reference, before.amount, before.at, state)
    return list(charges.values())


def _at(entry: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["at"])
