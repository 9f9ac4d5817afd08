"""Mails to customers and merchants: written once, kept as sent but without the secret ends of their links."""

import re
from datetime import datetime

from sqlalchemy.orm import Mapped, Session, mapped_column

from plugin_backend.core.db import Base
from plugin_backend.core.due import Row
from plugin_backend.core.house import house
from plugin_backend.core.ids import new_id
from plugin_backend.core.render import Rendered
from plugin_backend.domain import merchants, moves

# A link in a stored copy: the page it leads to and the row it is about. The secret end is put in when it is sent.
_LINK = re.compile(r"/(o|p|u|c)/~([a-z]+_[0-9a-z]{26})")
PAGES = {"o": "offer", "p": "plan", "u": "unsubscribe", "c": "opt_in"}


class Message(moves.Stateful, Row, Base):
    """One mail. ``marketing`` mails are checked again when their turn comes and carry a one-click unsubscribe link;
    ``not_after`` is when it is no longer worth sending. ``subject_id`` is the offer, plan or case it is about. One to the
    merchant's people is no customer's: ``customer_id`` is ""."""

    __tablename__ = "messages"
    prefix = "msg"
    noun = "message"

    kind: Mapped[str]
    subject_id: Mapped[str] = mapped_column(index=True)
    customer_id: Mapped[str] = mapped_column(index=True)
    recipient: Mapped[str]
    locale: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str]
    html: Mapped[str]
    marketing: Mapped[bool]
    not_after: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]


def write(
    session: Session,
    shop_id: str,
    kind: str,
    *,
    about: str,
    customer_id: str,
    recipient: str,
    locale: str,
    rendered: Rendered,
    marketing: bool = False,
    not_after: datetime | None = None,
) -> Message:
    """A mail that waits for its turn in the outbox."""
    message = Message(
        shop_id=shop_id,
        id=new_id(Message.prefix),
        kind=kind,
        subject_id=about,
        customer_id=customer_id,
        recipient=recipient,
        locale=locale,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        marketing=marketing,
        not_after=not_after,
    )
    moves.begin(session, message, "queued")
    return message


def link(session: Session, page: str, shop_id: str, row_id: str) -> str:
    """Open the door that a link leads to, and give the link as it stands in a stored copy."""
    secret = secret_path(page, shop_id, row_id).rpartition("/")[2]
    merchants.open_door(session, PAGES[page], secret, shop_id, row_id)
    return house().url(f"/{page}/~{row_id}")


def secret_path(page: str, shop_id: str, row_id: str) -> str:
    """The path that really leads there. It is derived, so it need not be stored anywhere."""
    return f"/{page}/{house().keys.link(PAGES[page], shop_id, row_id)}"


def with_links(shop_id: str, text: str) -> str:
    """The text with the secret ends put into its links: for the moment of sending only."""
    return _LINK.sub(lambda match: secret_path(match[1], shop_id, match[2]), text)
