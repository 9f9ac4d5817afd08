"""Where the story is played: the shoppers, the operator, and the doors of all the processes."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from dateutil.relativedelta import relativedelta

from plugin_backend.core import i18n
from plugin_backend.core.render.words import Words
from plugin_backend.demo.expecting import Unexpected, expect
from plugin_backend.demo.places import Places
from plugin_backend.demo.seed import ZONES
from plugin_backend.demo.visitor import Page, Visitor, plain
from plugin_backend.domain import probing, schedules
from plugin_backend.sdk.http import HttpClient, Request, raise_for_status

Found = TypeVar("Found")
Json = dict[str, Any]
_PATIENCE = 20.0
_LOOK_AGAIN = 0.1
_STEPS: dict[str, timedelta | relativedelta] = {"hour": timedelta(hours=1), "month": relativedelta(months=1)}
# What the shop's clock may show less than it was moved by: it is read and moved by two requests.
_GRACE = timedelta(seconds=5)


class Stage:
    """The demo as the story has it in hand. ``pulse`` is called while it waits, and raises where waiting is in vain."""

    def __init__(self, places: Places, email: str, password: str, pulse: Callable[[], None]) -> None:
        self.places = places
        self.words = Words(i18n.translator("en"))
        self._email, self._password = email, password
        self._pulse = pulse
        self._http = HttpClient(allow_private=True)
        self._operator = Visitor("en")
        self._shops: dict[str, str] = {}

    def until(self, probe: Callable[[], Found | None], what: str, seconds: float = _PATIENCE) -> Found:
        """What ``probe`` finds, as soon as it finds anything; ``Unexpected`` where that takes too long."""
        deadline = time.monotonic() + seconds
        while True:
            self._pulse()
            if found := probe():
                return found
            if time.monotonic() > deadline:
                raise Unexpected(f"{what}: not within {seconds:g} s")
            time.sleep(_LOOK_AGAIN)

    def ask(self, url: str, body: Json | None = None) -> Any:
        """The JSON that an address answers, to a POST where there is a body."""
        raw = b"" if body is None else json.dumps(body).encode()
        asked = Request("GET" if body is None else "POST", url, {"Content-Type": "application/json"}, raw)
        return json.loads(raise_for_status(self._http.send(asked), url).body)

    # The shops' side

    def visit(self, dialect: str, email: str, outcome: str, **more: Any) -> Json:
        """A shopper's whole visit, and the shop's webhooks delivered."""
        asked = {"dialect": dialect, "email": email, "name": "Ana Ruiz", "outcome": outcome, **more}
        seen: Json = self.ask(self.places.url("shop", "/_control/shopper"), asked)
        self.deliveries_left()
        return seen

    def deliveries_left(self) -> None:
        """Wait until the shop has nothing more to send."""
        idle = self.places.url("shop", "/_control/idle")
        self.until(lambda: self.ask(idle)["idle"], "the shop delivers its webhooks")

    def shop_state(self, dialect: str) -> Json:
        state: Json = self.ask(self.places.url("shop", "/_control/state"))[dialect]
        return state

    # The mailbox and the gateway

    def mails(self, to: str) -> list[Json]:
        """Every mail to an address, or ("") to anybody, the oldest first."""
        found: list[Json] = self.ask(self.places.url("mailbox", f"/api/messages?to={to}"))
        return sorted(found, key=lambda mail: str(mail["received_at"]))

    def mail(self, to: str, number: int) -> Json:
        """The ``number``-th mail (from 1) to an address, waited for."""
        return self.until(lambda: self.mails(to)[number - 1 :], f"mail {number} to {to}")[0]

    def ledger(self, *kinds: str) -> list[Json]:
        """The gateway's entries of these kinds, in order, but for those of the accounts' probes."""
        entries: list[Json] = self.ask(self.places.url("gateway", "/_test/ledger"))["entries"]
        customers = [entry for entry in entries if not probing.is_probe(str(entry.get("reference", "")))]
        return [entry for entry in customers if entry["kind"] in kinds]

    def captures(self) -> list[Json]:
        """The gateway's entries by which money came in."""
        return [entry for entry in self.ledger("charge.made", "charge.captured") if "moved" in entry]

    # The dashboard

    def sign_in(self) -> Json:
        """The operator comes in by his password, and sees his shops."""
        form = self._operator.open(self.places.url("web", "/login")).form("/login")
        page = self._operator.send(form, email=self._email, password=self._password)
        expect(page.url.endswith("/shops"), f"signing in led to {page.url} ({page.status})")
        self._shops = {link.words: link.url for link in page.links if "/shops/" in link.url}
        return self._shops

    def session(self) -> tuple[str, ...]:
        """The cookies by which the dashboard knows the operator."""
        return self._operator.cookies()

    def shop_id(self, shop: str) -> str:
        return self._shops[shop].rstrip("/").rpartition("/")[2]

    def look(self, shop: str, noun: str) -> Page:
        """A list of the dashboard; a full address is opened as it is."""
        page = self._operator.open(f"{self._shops[shop].rstrip('/')}/{noun}")
        expect(page.status == 200, f"{noun} of {shop} answered {page.status}")
        return page

    def row(self, shop: str, noun: str, *parts: str, seconds: float = _PATIENCE) -> str:
        """A row of a list of the dashboard that holds all of these, waited for."""
        return self.until(
            lambda: self.look(shop, noun).row(*parts), f"{noun} with {' and '.join(parts)}", seconds
        )

    def open_all(self, shop: str, noun: str) -> list[Page]:
        """The page of each object of a list, the newest first."""
        page = self.look(shop, noun)
        urls = dict.fromkeys(link.url for link in page.links if f"/{noun}/" in link.url)
        return [self._operator.open(url) for url in urls]

    def later(self, shop: str, step: str, times: int = 1) -> Json:
        """Move the shop's clock by the clock bar, and wait until the shop's time is there."""
        before = self._shop_time(shop)
        goal = before
        for _ in range(times):
            span = _STEPS[step]
            goal = (
                goal + span if isinstance(span, timedelta) else schedules.by_calendar(goal, span, ZONES[shop])
            )
            self._operator.send(self.look(shop, "").form("/clock", step=step))
        self.until(
            lambda: self._shop_time(shop) >= goal - _GRACE, f"the clock of {shop} moves by {step}", 60.0
        )
        return {"from": before.isoformat(), "to": self._shop_time(shop).isoformat()}

    def _shop_time(self, shop: str) -> datetime:
        return datetime.fromisoformat(self.look(shop, "").moments[-1])

    # The command line

    def command(self, *words: str) -> "subprocess.Popen[str]":
        """A command of ours about the running demo, started."""
        asked = [sys.executable, "-m", "plugin_backend.cli", *words, "--data", str(self.places.data)]
        return subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603


def mail_text(mail: Json) -> str:
    return plain(str(mail["text"]))


def header(mail: Json, name: str) -> str:
    return next((str(value) for key, value in mail["headers"] if key.lower() == name.lower()), "")


def link_in(mail: Json, part: str) -> str:
    """The first link of a mail whose address holds ``part``."""
    for link in mail["links"]:
        if part in link["url"]:
            return str(link["url"])
    raise Unexpected(f"the mail {mail['subject']!r} has no link with {part}")
