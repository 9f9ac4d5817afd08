"""Looking for the payment method by which a customer paid an earlier order of the shop, where the shop's own account at the
gateway is the very same: he can then accept an offer with one click and his bank's question, without typing a card again.

Only what his bank card is called is kept of it. Its token is asked for anew when he accepts, so that none is ever kept of
whom nobody charges. A card that was only declined is never looked for: it paid nothing.
"""

from dataclasses import dataclass

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core import due
from plugin_backend.core.db import Base, assert_no_transaction
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.domain import carts, dunning, merchants, moves, vault
from plugin_backend.domain.merchants import GatewayAccount, Shop
from plugin_backend.domain.offers import CHECKOUT, OPEN_STATES, Offer
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import Connector
from plugin_backend.sdk.errors import RepriseError
from plugin_backend.sdk.gateway import CardStored, Gateway


class Recall(moves.Stateful, Due, Row, Base):
    """One look, for an offer: at how the order ``order_key`` was paid, and whether the account knows that payment method.
    ``kind``, ``brand`` and ``last4`` are those of the one that was ``found``."""

    __tablename__ = "recalls"
    prefix = "rcl"
    noun = "recall"
    bell = "recall"

    offer_id: Mapped[str]
    account_id: Mapped[str]
    order_key: Mapped[str]
    kind: Mapped[str] = mapped_column(default="")
    brand: Mapped[str] = mapped_column(default="")
    last4: Mapped[str] = mapped_column(default="")

    __table_args__ = (
        due_index("recalls"),
        UniqueConstraint("shop_id", "offer_id"),
        ForeignKeyConstraint(["shop_id", "offer_id"], ["offers.shop_id", "offers.id"]),
    )


@dataclass(frozen=True, slots=True)
class Ask:
    """Whom to ask about which order."""

    row_id: str
    order_key: str
    connector: Connector
    gateway: Gateway


def begin(session: Session, shop: Shop, offer: Offer) -> None:
    """Have the card of the customer's last paid order looked for, where it could be known again. Nothing is done twice."""
    if (
        offer.customer_id is None
        or offer.kind == CHECKOUT
        or of_offer(session, shop.id, offer.id) is not None
    ):
        return
    account = merchants.usable_account(session, shop.id)
    if account is None or not merchants.door_capabilities(account).recognises:
        return
    sale = carts.last_sale(session, shop.id, offer.customer_id)
    if sale is None or not merchants.connection_of(session, shop.id).can_write:
        return
    row = Recall(shop_id=shop.id, offer_id=offer.id, account_id=account.id, order_key=sale.order_key)
    row.rest(clock.now())
    moves.begin(session, row, "asked")


def of_offer(session: Session, shop_id: str, offer_id: str) -> Recall | None:
    return session.scalar(select(Recall).where(Recall.shop_id == shop_id, Recall.offer_id == offer_id))


def found(session: Session, shop_id: str, offer_id: str, account_id: str) -> Recall | None:
    """What the customer of an offer may pay with by one click; None where nothing was found, or the shop has moved to
    another account since."""
    row = of_offer(session, shop_id, offer_id)
    return row if row is not None and row.state == "found" and row.account_id == account_id else None


def take(session: Session, shop_id: str) -> list[str]:
    return due.take(session, Recall, shop_id)


def prepare(session: Session, shop: Shop, row_id: str) -> Ask | None:
    """Whom to ask; None where the offer is over."""
    row = session.get_one(Recall, (shop.id, row_id), with_for_update=True)
    offer = session.get_one(Offer, (shop.id, row.offer_id))
    if row.state != "asked" or offer.state not in OPEN_STATES:
        _end(session, row, None)
        return None
    connection = merchants.connection_of(session, shop.id)
    account = session.get_one(GatewayAccount, (shop.id, row.account_id))
    return Ask(
        row.id,
        row.order_key,
        merchants.connector_of(session, shop, connection, vault.Use("shop_call", row.id)),
        merchants.gateway_of(session, shop, account, vault.Use("gateway_call", row.id)),
    )


def ask(asked: Ask) -> CardStored | None:
    """Ask the shop, then the gateway, with no transaction open. No answer is no card: the customer types one."""
    try:
        return recall(asked.connector, asked.gateway, asked.order_key)
    except RepriseError:
        return None


def recall(connector: Connector, gateway: Gateway, order_key: str) -> CardStored | None:
    """The payment method by which an order was paid, where the account has it. Raises ``NotSent``, ``NoAnswer``,
    ``Refused``."""
    assert_no_transaction()
    paid = connector.paid_with(order_key)
    return None if paid is None else gateway.recognise(paid)


def record(session: Session, shop: Shop, asked: Ask, card: CardStored | None) -> None:
    """Keep what the card is called, where it can pay a plan."""
    row = session.get_one(Recall, (shop.id, asked.row_id), with_for_update=True)
    usable = card is not None and not dunning.good_for_one_payment(card.advice)
    if card is not None and usable:
        usable = not vault.stopped_before(session, shop.id, row.account_id, card)
    _end(session, row, card if usable else None)


def _end(session: Session, row: Recall, card: CardStored | None) -> None:
    row.rest(None)
    if row.state != "asked":
        return
    if card is not None:
        row.kind, row.brand, row.last4 = card.kind, card.brand, card.last4
    moves.move(session, row, "none" if card is None else "found")
