"""The messages that are kept: in memory, capped, and in a file where one is named."""

import base64
import json
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from plugin_backend.demo.mailbox.reading import Reading, read
from plugin_backend.sdk.clock import real_now

KEPT = 1000


@dataclass(frozen=True, slots=True)
class Mail:
    """One message as it came in. ``to`` are the recipients of the envelope, lower-cased; ``received_at`` is UTC."""

    number: int
    received_at: datetime
    to: tuple[str, ...]
    source: bytes = field(repr=False)
    reading: Reading = field(repr=False)

    @property
    def id(self) -> str:
        return f"m{self.number}"


@dataclass(frozen=True, slots=True)
class Failure:
    """What the server answers instead of taking a message: ``code`` is 4xx for "later" and 5xx for "never"."""

    count: int
    code: int
    stage: str


class Box:
    """Safe to use from several threads. The oldest message gives way when ``kept`` are there."""

    def __init__(self, file: Path | None = None, *, kept: int = KEPT) -> None:
        self._lock = threading.Lock()
        self._mails: deque[Mail] = deque(maxlen=kept)
        self._file = file
        self._last = 0
        self._failure = Failure(0, 451, "data")
        if file is not None and file.exists():
            self._load(file)

    def keep(self, to: list[str], source: bytes) -> Mail:
        with self._lock:
            self._last += 1
            recipients = tuple(address.strip().lower() for address in to)
            mail = Mail(self._last, real_now(), recipients, source, read(source))
            self._mails.append(mail)
            self._append(mail)
            return mail

    def list(self, to: str = "") -> list[Mail]:
        """The newest first; with ``to`` only those that were sent to this address."""
        wanted = to.strip().lower()
        with self._lock:
            return [mail for mail in reversed(self._mails) if not wanted or wanted in mail.to]

    def get(self, mail_id: str) -> Mail | None:
        with self._lock:
            return next((mail for mail in self._mails if mail.id == mail_id), None)

    def clear(self) -> int:
        """Throw all messages away; how many there were. Their ids are not given again."""
        with self._lock:
            count = len(self._mails)
            self._mails.clear()
            if self._file is not None:
                self._file.unlink(missing_ok=True)
            return count

    def fail_next(self, failure: Failure) -> None:
        with self._lock:
            self._failure = failure

    def failing(self) -> Failure:
        with self._lock:
            return self._failure

    def take_failure(self, stage: str) -> str | None:
        """The SMTP answer that refuses this message at this stage, where the switch is on; counts it down."""
        with self._lock:
            due = self._failure
            if not due.count or due.stage != stage:
                return None
            self._failure = Failure(due.count - 1, due.code, due.stage)
        word = "try again later" if due.code < 500 else "not here"
        return f"{due.code} {due.code // 100}.2.0 The switch says: {word}"

    def _append(self, mail: Mail) -> None:
        if self._file is None:
            return
        record = {
            "number": mail.number,
            "received_at": mail.received_at.isoformat(),
            "to": mail.to,
            "source": base64.b64encode(mail.source).decode(),
        }
        with self._file.open("a") as file:
            file.write(json.dumps(record) + "\n")

    def _load(self, file: Path) -> None:
        for line in file.read_text().splitlines():
            record = json.loads(line)
            source = base64.b64decode(record["source"])
            received_at = datetime.fromisoformat(record["received_at"])
            self._mails.append(Mail(record["number"], received_at, tuple(record["to"]), source, read(source)))
            self._last = record["number"]
