"""Mail out: one SMTP server, a fixed Message-ID per message, so that a second copy can be known as one."""

import smtplib
import ssl
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

from plugin_backend.sdk import clock
from plugin_backend.sdk.errors import NoAnswer, NotSent, Refused

_TIMEOUT = 15.0


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as it leaves. ``unsubscribe`` is the address that ends mails of this kind by one POST, "" where the
    mail is no advertising."""

    message_id: str
    sender: str
    sender_name: str
    to: str
    locale: str
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    unsubscribe: str = field(default="", repr=False)
    reply_to: str = ""


def send(url: str, letter: Letter) -> None:
    """Hand the mail to the server. ``NotSent``: it was not taken; ``NoAnswer``: it may have been; ``Refused``: the
    server says no, permanently with a 5xx."""
    parsed = urlsplit(url)
    try:
        server = _connect(parsed.scheme, parsed.hostname or "localhost", parsed.port)
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"mail server: {type(error).__name__}") from None
    try:
        if parsed.username:
            server.login(unquote(parsed.username), unquote(parsed.password or ""))
        server.send_message(_built(letter))
    except smtplib.SMTPRecipientsRefused as error:
        raise _refused(next(iter(error.recipients.values()))[0]) from None
    except smtplib.SMTPResponseException as error:
        raise _refused(error.smtp_code) from None
    except (OSError, smtplib.SMTPException) as error:
        raise NoAnswer(f"mail server: {type(error).__name__}") from None
    finally:
        server.close()


def _connect(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=_TIMEOUT, context=ssl.create_default_context())
    server = smtplib.SMTP(host, port or 25, timeout=_TIMEOUT)
    server.ehlo()
    if server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
        server.ehlo()
    return server


def _refused(code: int) -> Refused:
    return Refused(f"mail server answered {code}", status=code, permanent=500 <= code < 600)


def _built(letter: Letter) -> EmailMessage:
    mail = EmailMessage()
    mail["Message-ID"] = letter.message_id
    mail["Date"] = format_datetime(clock.real_now())
    mail["From"] = Address(letter.sender_name, addr_spec=letter.sender)
    mail["To"] = Address(addr_spec=letter.to)
    mail["Subject"] = letter.subject
    mail["Auto-Submitted"] = "auto-generated"
    if letter.reply_to:
        mail["Reply-To"] = Address(addr_spec=letter.reply_to)
    if letter.unsubscribe:
        mail["List-Unsubscribe"] = f"<{letter.unsubscribe}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(letter.text)
    mail.add_alternative(letter.html, subtype="html")
    # Last: setting the content takes away every header that speaks of content.
    mail["Content-Language"] = letter.locale
    return mail
