"""The six live checks of a shop's connection: what is asked of the shop, of our books and of the DNS, and what came of it.

reach, rights       the connector asks the shop
webhooks            they are there, and one came with a right signature
storefront          our part of the shop was heard of
gateway             a test charge was made and given back
mail                a mail arrived, and the sender's domain vouches for us
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core import due, mail, sender
from plugin_backend.core.db import Base, assert_no_transaction
from plugin_backend.core.due import Due, Row, due_index
from plugin_backend.core.house import house
from plugin_backend.core.ids import new_id
from plugin_backend.core.render import mail as rendered
from plugin_backend.core.views import CheckMail
from plugin_backend.domain import exchanges, merchants, polls, vault
from plugin_backend.domain.inbox import DeliveryRow
from plugin_backend.domain.merchants import Connection, Shop
from plugin_backend.sdk import clock
from plugin_backend.sdk.connector import Check, Connector, WebhookState
from plugin_backend.sdk.errors import RepriseError
from plugin_backend.sdk.http import Exchange, overheard

log = structlog.get_logger(__name__)

NAMES = ("reach", "rights", "webhooks", "storefront", "gateway", "mail")


class Checkup(Due, Row, Base):
    """What the checks that ask the outside found when they were last made. ``found`` has ``{"good", "remedy"}`` for each
    by its name, ``sender`` ``{"there", "name"}`` for each thing that the sender's domain may say (None: there is no
    telling). ``mail_to`` is whom the test mail goes to, "" where none waits to be sent; ``mail_problem`` why the last one
    did not leave. A test mail's link is known by ``mail_number``."""

    __tablename__ = "checkups"
    prefix = "chk"
    bell = "check"

    connection_id: Mapped[str]
    found: Mapped[dict[str, Any]] = mapped_column(default=dict)
    sender: Mapped[dict[str, Any]] = mapped_column(default=dict)
    checked_at: Mapped[datetime | None]
    mail_to: Mapped[str] = mapped_column(default="")
    mail_locale: Mapped[str] = mapped_column(default="")
    mail_number: Mapped[int] = mapped_column(default=0)
    mail_problem: Mapped[str] = mapped_column(default="")
    mailed_at: Mapped[datetime | None]
    mail_seen_at: Mapped[datetime | None]

    __table_args__ = (due_index("checkups"), UniqueConstraint("shop_id", "connection_id"))


@dataclass(frozen=True, slots=True)
class Ask:
    """A connection to be checked: the address of its webhooks, and the test mail to be sent."""

    checkup_id: str
    connector: Connector
    hook: str
    letter: mail.Letter | None


@dataclass(frozen=True, slots=True)
class Found:
    """What the outside said. ``mailed`` None: no mail was to be sent; else "" or why it did not leave."""

    hooks: Sequence[WebhookState]
    checks: Sequence[Check]
    heard: Sequence[Exchange]
    sender: Sequence[sender.Said]
    mailed: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """One of the six as it stands: ``good`` None where it is not known yet. ``remedy`` is what the adapter says of the menu to
    open; ``facts`` what else there is to tell."""

    name: str
    good: bool | None
    remedy: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def again(session: Session, shop: Shop, *, mail_to: str = "", locale: str = "") -> Checkup:
    """Have the connection checked now; with ``mail_to`` a test mail is sent there too."""
    connection = merchants.connection_of(session, shop.id)
    row = of(session, shop.id, lock=True)
    if row is None:
        row = Checkup(shop_id=shop.id, id=new_id(Checkup.prefix), connection_id=connection.id)
        session.add(row)
    if mail_to:
        row.mail_to, row.mail_locale, row.mail_seen_at = mail_to, locale, None
        row.mail_number = (row.mail_number or 0) + 1
    row.rest(clock.now())
    return row


def of(session: Session, shop_id: str, *, lock: bool = False) -> Checkup | None:
    """The checkup of the shop's connection; None where it was never checked."""
    found = select(Checkup).where(Checkup.shop_id == shop_id)
    return session.scalar(found.with_for_update() if lock else found)


def mail_code(row: Checkup) -> str:
    """The secret end of the link in the test mail."""
    return house().keys.link("check mail", row.shop_id, row.id, str(row.mail_number))


def mail_arrived(session: Session, shop_id: str, code: str) -> bool:
    """The link of the last test mail was followed, and confirmed. False for any other."""
    row = of(session, shop_id, lock=True)
    if row is None or not row.mail_number or code != mail_code(row):
        return False
    row.mail_seen_at = row.mail_seen_at or clock.real_now()
    return True


def take(session: Session, shop_id: str) -> list[str]:
    """The checkup that is due, leased to the caller."""
    return due.take(session, Checkup, shop_id, limit=1)


def prepare(session: Session, shop: Shop, row_id: str) -> Ask:
    """Open the settings, and write the test mail where one is wanted."""
    row = session.get_one(Checkup, (shop.id, row_id))
    connection = session.get_one(Connection, (shop.id, row.connection_id))
    connector = merchants.connector_of(session, shop, connection, vault.Use("shop_call", row.id))
    hook = house().url(merchants.hook_path(connection.id, shop.id))
    return Ask(row.id, connector, hook, _letter(shop, row) if row.mail_to else None)


def _letter(shop: Shop, row: Checkup) -> mail.Letter:
    address = house().config.mail_from
    link = house().url(f"/shops/{shop.id}/connection/mail/{mail_code(row)}")
    written = rendered("check", row.mail_locale, CheckMail(link, shop.name))
    return mail.Letter(
        message_id=f"<{row.id}.{row.mail_number}@{address.rpartition('@')[2]}>",
        sender=address,
        sender_name=shop.name,
        to=row.mail_to,
        locale=row.mail_locale,
        subject=written.subject,
        text=written.text,
        html=written.html,
    )


def ask(asked: Ask) -> Found:
    """Make the webhooks, ask the shop, the DNS and the mail server, with no transaction open."""
    assert_no_transaction()
    with overheard() as heard:
        hooks, checks = _made(asked), _checks(asked)
    config = house().config
    domain = sender.domain_of(config.mail_from)
    said = sender.look_up(domain, config.dkim_selector, sender.resolver(config.nameserver)) if domain else []
    return Found(hooks, checks, heard, said, None if asked.letter is None else _sent(asked.letter))


def _made(asked: Ask) -> Sequence[WebhookState]:
    """How the webhooks stand, now that they were made; a shop in which none can be says by its checks why that is."""
    try:
        return asked.connector.ensure_webhooks(asked.hook) if asked.connector.can_write else ()
    except RepriseError as error:
        log.info("webhooks_not_made", checkup=asked.checkup_id, error=str(error))
        return ()


def _checks(asked: Ask) -> Sequence[Check]:
    try:
        return asked.connector.checks()
    except RepriseError as error:
        log.info("shop_not_checked", checkup=asked.checkup_id, error=str(error))
        return [Check("reach", good=False)]


def _sent(letter: mail.Letter) -> str:
    try:
        mail.send(house().config.mail_url, letter)
    except RepriseError as error:
        return str(error)[:300]
    return ""


def record(session: Session, shop: Shop, asked: Ask, found: Found) -> None:
    """Keep what was found, and, where something is not good, what was said."""
    row = session.get_one(Checkup, (shop.id, asked.checkup_id), with_for_update=True, populate_existing=True)
    if found.hooks:
        polls.webhooks_made(session, shop.id, [{"topic": it.topic, "state": it.state} for it in found.hooks])
    row.found = {check.name: {"good": check.good, "remedy": check.remedy} for check in found.checks}
    row.sender = {said.kind: {"there": said.there, "name": said.name} for said in found.sender}
    row.checked_at = clock.real_now()
    if found.mailed is not None:
        row.mail_to, row.mail_problem, row.mailed_at = "", found.mailed, clock.real_now()
    bad = not all(check.good for check in found.checks)
    exchanges.keep(session, shop.id, row.id, found.heard if bad else ())
    # Asked for again meanwhile: then it stays due.
    if row.taken:
        row.rest(None)


def lines(session: Session, shop: Shop, row: Checkup | None, shop_side: str) -> list[Line]:
    """The six as they stand now. ``shop_side`` is the menu at which our part is put into the shop."""
    connection = merchants.connection_of(session, shop.id)
    found = row.found if row is not None else {}
    return [
        _asked_line("reach", found),
        _asked_line("rights", found),
        _webhooks(session, connection, found),
        _storefront(shop, shop_side),
        _gateway(session, shop),
        _mail(row),
    ]


def _asked_line(name: str, found: dict[str, Any]) -> Line:
    said = found.get(name)
    return Line(name, None) if said is None else Line(name, said["good"], said["remedy"])


def _webhooks(session: Session, connection: Connection, found: dict[str, Any]) -> Line:
    """Only what was signed by our secret was kept."""
    newest = (
        select(DeliveryRow.received_at)
        .where(DeliveryRow.shop_id == connection.shop_id, DeliveryRow.source == connection.id)
        .order_by(DeliveryRow.received_at.desc())
        .limit(1)
    )
    came = session.scalar(newest)
    said = found.get("webhooks", {"good": True, "remedy": ""})
    good = False if not said["good"] else True if came else None
    return Line("webhooks", good, said["remedy"], {"at": came})


def _storefront(shop: Shop, shop_side: str) -> Line:
    seen = shop.storefront_seen_at
    return Line("storefront", True if seen else None, "" if seen else shop_side, {"at": seen})


def _gateway(session: Session, shop: Shop) -> Line:
    """The newest account's probe. A live account is not probed, since that would move money."""
    accounts = [row for row in merchants.accounts_of(session, shop.id) if row.active]
    if not accounts:
        return Line("gateway", False, facts={"reason": "no_gateway"})
    account = accounts[0]
    good = {"passed": True, "failed": False}.get(account.state)
    return Line(
        "gateway", good, facts={"reason": account.reason, "gateway": account.gateway, "state": account.state}
    )


def _mail(row: Checkup | None) -> Line:
    """Good where the mail was seen and the domain says all three, as far as that can be told."""
    if row is None:
        return Line("mail", None)
    missing = [kind for kind, said in row.sender.items() if said["there"] is False]
    facts = {
        "sender": row.sender,
        "sent": row.mailed_at,
        "seen": row.mail_seen_at,
        "problem": row.mail_problem,
    }
    good = False if missing or row.mail_problem else True if row.mail_seen_at else None
    return Line("mail", good, facts=facts)
