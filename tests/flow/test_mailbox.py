"""The demo's mailbox takes every message over real SMTP and shows what a reader wants to see of it."""

import json
import smtplib
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_backend.demo.mailbox.box import Box, Failure
from plugin_backend.demo.mailbox.reading import read
from plugin_backend.launcher.ports import free_ports
from plugin_backend.launcher.supervisor import Program, Supervisor, base_environment
from plugin_backend.sdk.errors import NoAnswer, NotSent
from plugin_backend.sdk.http import HttpClient, Request, Response

CLIENT = HttpClient(allow_private=True)
MARKUP = '<html lang="fr"><body><h1>Votre panier</h1><a href="http://127.0.0.1:9/o/abc?x=1&amp;y=2">Voir <b>l’offre</b></a>'


@dataclass(frozen=True, slots=True)
class Mailbox:
    http_port: int
    smtp_port: int

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return CLIENT.send(Request(method, f"http://127.0.0.1:{self.http_port}{path}", named, body))

    def page(self, path: str) -> str:
        answer = self.ask("GET", path)
        assert answer.status == 200
        return answer.body.decode()

    def api(self, method: str, path: str, **given: Any) -> Any:
        answer = self.ask(method, path, json.dumps(given).encode(), Content_Type="application/json")
        assert answer.status == 200
        return json.loads(answer.body)

    def post(self, message: EmailMessage) -> None:
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=10) as smtp:
            smtp.send_message(message)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    http_port, smtp_port = free_ports([None, None])
    mailbox = Mailbox(http_port, smtp_port)
    with Supervisor(tmp_path_factory.mktemp("mailbox")) as supervisor:
        child = supervisor.start(Program("mailbox", command(mailbox), base_environment()))
        supervisor.wait_for(child, lambda: answers(mailbox), seconds=20)
        yield mailbox
        supervisor.stop()
        assert child.process.returncode == 0


@pytest.fixture
def mailbox(running: Mailbox) -> Mailbox:
    running.api("POST", "/api/fail", count=0)
    running.api("DELETE", "/api/messages")
    return running


def command(mailbox: Mailbox) -> list[str]:
    ports = ["--http-port", str(mailbox.http_port), "--smtp-port", str(mailbox.smtp_port)]
    return [sys.executable, "-m", "plugin_backend.demo.mailbox", *ports]


def answers(mailbox: Mailbox) -> bool:
    try:
        return mailbox.ask("GET", "/health").status == 200
    except (NotSent, NoAnswer):
        return False


def offer_mail(to: str = "Anna@Example.org") -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "Votre panier vous attend – en 3 fois"
    message["From"] = "Boutique Élan <shop@example.org>"
    message["To"] = to
    message["Message-ID"] = "<offer.1@example.org>"
    message.set_content("Bonjour Anna,\nvotre panier: 100,00 €\n")
    message.add_alternative(MARKUP, subtype="html")
    return message


def test_a_message_over_smtp_is_listed_with_all_a_script_needs(mailbox: Mailbox) -> None:
    mailbox.post(offer_mail())
    (kept,) = mailbox.api("GET", "/api/messages?to=anna@example.org")
    assert kept["to"] == ["anna@example.org"]
    assert kept["from"] == "Boutique Élan <shop@example.org>"
    assert kept["subject"] == "Votre panier vous attend – en 3 fois"
    assert kept["text"] == "Bonjour Anna,\nvotre panier: 100,00 €\n"
    assert kept["html"].startswith('<html lang="fr">')
    assert kept["language"] == "fr"
    assert ["Message-ID", "<offer.1@example.org>"] in kept["headers"]
    assert kept["links"] == [{"url": "http://127.0.0.1:9/o/abc?x=1&y=2", "words": "Voir l’offre"}]
    assert kept["received_at"].endswith("+00:00")
    assert mailbox.api("GET", f"/api/messages/{kept['id']}") == kept
    assert mailbox.api("GET", "/api/messages?to=berta@example.org") == []


def test_the_newest_message_comes_first_and_deleting_leaves_none(mailbox: Mailbox) -> None:
    for name in ("one@example.org", "two@example.org"):
        mailbox.post(offer_mail(name))
    assert [kept["to"] for kept in mailbox.api("GET", "/api/messages")] == [
        ["two@example.org"],
        ["one@example.org"],
    ]
    assert mailbox.api("DELETE", "/api/messages") == {"removed": 2}
    assert mailbox.api("GET", "/api/messages") == []


def test_the_pages_show_the_message_and_keep_its_markup_in_a_sandbox(mailbox: Mailbox) -> None:
    message = offer_mail()
    message.replace_header("Subject", "<script>alert(1)</script>")
    mailbox.post(message)
    (kept,) = mailbox.api("GET", "/api/messages")
    inbox, shown = mailbox.page("/"), mailbox.page(f"/messages/{kept['id']}")
    for page in (inbox, shown):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in shown
    assert 'href="http://127.0.0.1:9/o/abc?x=1&amp;y=2"' in shown
    frame = mailbox.ask("GET", f"/messages/{kept['id']}/html")
    assert "sandbox allow-popups" in frame.headers["content-security-policy"]
    assert "script-src" not in frame.headers["content-security-policy"]
    source = mailbox.ask("GET", f"/messages/{kept['id']}/source")
    assert source.headers["content-type"].startswith("text/plain")
    assert b"Message-ID: <offer.1@example.org>" in source.body
    assert mailbox.ask("GET", "/messages/m0").status == 404


@pytest.mark.parametrize(("code", "stage"), [(451, "data"), (550, "data"), (452, "rcpt"), (550, "rcpt")])
def test_the_switch_refuses_as_many_as_it_says(mailbox: Mailbox, code: int, stage: str) -> None:
    assert mailbox.api("POST", "/api/fail", count=2, code=code, stage=stage) == {
        "count": 2,
        "code": code,
        "stage": stage,
    }
    for _ in range(2):
        with pytest.raises((smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused)) as refused:
            mailbox.post(offer_mail())
        assert str(code) in str(refused.value)
    mailbox.post(offer_mail())
    assert len(mailbox.api("GET", "/api/messages")) == 1
    assert mailbox.api("GET", "/api/fail")["count"] == 0


@pytest.mark.parametrize("given", [{"count": -1}, {"code": 250}, {"stage": "helo"}, {"count": "many"}, []])
def test_a_switch_that_makes_no_sense_is_refused(mailbox: Mailbox, given: object) -> None:
    answer = mailbox.ask("POST", "/api/fail", json.dumps(given).encode(), Content_Type="application/json")
    assert answer.status == (200 if given == [] else 400)


class _Unsubscribe(BaseHTTPRequestHandler):
    asked: tuple[str, str, bytes] | None = None

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).asked = (self.path, self.headers["Content-Type"], body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


def test_the_button_unsubscribes_as_a_mail_program_does(mailbox: Mailbox) -> None:
    with HTTPServer(("127.0.0.1", 0), _Unsubscribe) as listening:
        threading.Thread(target=listening.handle_request, daemon=True).start()
        message = offer_mail()
        message["List-Unsubscribe"] = (
            f"<mailto:stop@example.org>, <http://127.0.0.1:{listening.server_port}/u/token>"
        )
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mailbox.post(message)
        (kept,) = mailbox.api("GET", "/api/messages")
        assert "Unsubscribe with one click" in mailbox.page(f"/messages/{kept['id']}")
        answer = mailbox.ask("POST", f"/messages/{kept['id']}/unsubscribe")
        assert answer.status == 303
        assert "the answer was 200" in mailbox.page(answer.headers["location"])
    assert _Unsubscribe.asked == (
        "/u/token",
        "application/x-www-form-urlencoded",
        b"List-Unsubscribe=One-Click",
    )


def test_the_button_asks_nobody_outside_this_machine(mailbox: Mailbox) -> None:
    message = offer_mail()
    message["List-Unsubscribe"] = "<https://example.org/u/token>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mailbox.post(message)
    (kept,) = mailbox.api("GET", "/api/messages")
    answer = mailbox.ask("POST", f"/messages/{kept['id']}/unsubscribe")
    assert "not asked" in mailbox.page(answer.headers["location"])


def test_another_site_can_neither_read_nor_post(mailbox: Mailbox) -> None:
    assert mailbox.ask("GET", "/", Host="evil.example").status == 403
    assert mailbox.ask("POST", "/clear", Sec_Fetch_Site="cross-site").status == 403


def test_it_serves_loopback_only(mailbox: Mailbox) -> None:
    listing = subprocess.run(["cat", "/proc/net/tcp"], capture_output=True, text=True, check=True).stdout
    wanted = {f"{mailbox.http_port:04X}", f"{mailbox.smtp_port:04X}"}
    local = [line.split()[1] for line in listing.splitlines()[1:] if line.split()[3] == "0A"]
    assert {address for address in local if address.split(":")[1] in wanted} == {
        f"0100007F:{port}" for port in wanted
    }


def test_the_oldest_message_gives_way_when_the_box_is_full() -> None:
    box = Box(kept=2)
    for number in range(3):
        box.keep(["a@example.org"], b"Subject: %d\r\n\r\n" % number)
    assert [mail.reading.subject for mail in box.list()] == ["2", "1"]


def test_messages_kept_in_a_file_are_there_again(tmp_path: Path) -> None:
    file = tmp_path / "mail.jsonl"
    first = Box(file)
    first.keep(["A@example.org"], b"Subject: \xc3\xa9t\xc3\xa9\r\n\r\nbytes \xff\r\n")
    again = Box(file)
    assert again.list() == first.list()
    assert again.keep(["b@example.org"], b"").id == "m2"
    again.clear()
    assert Box(file).list() == []


def test_the_switch_is_only_for_its_stage() -> None:
    box = Box()
    box.fail_next(Failure(1, 550, "rcpt"))
    assert box.take_failure("data") is None
    assert (box.take_failure("rcpt") or "").startswith("550 ")
    assert box.take_failure("rcpt") is None


@given(st.binary())
def test_any_bytes_can_be_read(source: bytes) -> None:
    assert read(source).links == ()


@given(
    st.sampled_from(["Subject", "From", "To", "Message-ID", "Content-Type", "List-Unsubscribe", "Date"]),
    st.text(alphabet='<>@,;:"()[]\\=?. aé\n'),
    st.binary(),
)
def test_any_header_can_be_read(name: str, value: str, body: bytes) -> None:
    line = " ".join(value.splitlines()).encode("utf-8", "replace")
    read(name.encode() + b": " + line + b"\r\n\r\n" + body)
