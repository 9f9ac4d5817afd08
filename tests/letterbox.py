"""A real SMTP server in the test's own process, which keeps what it gets."""

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from plugin_backend.launcher.ports import free_port


class Letterbox:
    """What was delivered, oldest first. ``refuse`` is an answer to give instead of taking the next message."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.refuse = ""
        self.url = ""

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        if self.refuse:
            answer, self.refuse = self.refuse, ""
            return answer
        parsed = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.messages.append(parsed)
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in self.messages if message["To"] == address]


@contextmanager
def letterbox() -> Iterator[Letterbox]:
    box = Letterbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    box.url = f"smtp://127.0.0.1:{controller.port}"
    try:
        yield box
    finally:
        controller.stop()


def text_of(message: EmailMessage) -> str:
    """The plain text part, with every kind of blank as a blank."""
    part = message.get_body(("plain",))
    assert part is not None
    return " ".join(str(part.get_content()).split())
