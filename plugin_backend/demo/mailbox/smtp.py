"""The SMTP side: takes every message for everybody, or refuses as many as the switch says."""

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from plugin_backend.demo.mailbox.box import Box

SIZE_LIMIT_BYTES = 10_000_000
_HOST = "127.0.0.1"


class _Keeper:
    """The names of the methods are aiosmtpd's."""

    def __init__(self, box: Box) -> None:
        self._box = box

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refused = self._box.take_failure("rcpt")
        if refused is not None:
            return refused
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        refused = self._box.take_failure("data")
        if refused is not None:
            return refused
        mail = self._box.keep(list(envelope.rcpt_tos), _bytes(envelope.content))
        return f"250 2.0.0 OK kept as {mail.id}"


def serve(box: Box, port: int) -> Controller:
    """Start to listen, in a thread of its own; the caller stops it."""
    controller = Controller(
        _Keeper(box), hostname=_HOST, port=port, data_size_limit=SIZE_LIMIT_BYTES, enable_SMTPUTF8=True
    )
    controller.start()
    return controller


def _bytes(content: bytes | str | None) -> bytes:
    return content.encode() if isinstance(content, str) else content or b""
