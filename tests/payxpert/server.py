"""The fake's HTTP side: Connect2Pay's calls, the customer's page, and a test side that lets it misbehave."""

import base64
import json
import re
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from plugin_backend.demo.gateway.faults import ALL, ON_LOOK_UPS, ON_MOVES, REFUSED, Faults
from tests.payxpert import callbacks, moving, pages
from tests.payxpert.book import Book, No, Row, shown

_PATH = re.compile(r"/transaction/([A-Za-z0-9-]+)/(\w+)")
_STATUS = re.compile(r"/payment/([A-Za-z0-9_-]+)/status")
_PAGE = re.compile(r"/payment/([A-Za-z0-9_-]+)(/challenge)?")
_TEST = re.compile(r"/_test/(\w+)")


class Gone(Exception):
    """Nothing more is answered."""


class Fake(ThreadingHTTPServer):
    """Listens on loopback. ``switches`` hold until they are used up: ``lost_answer`` and its like."""

    request_queue_size = 128
    daemon_threads = True

    def __init__(self, port: int, book: Book) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.book, self.faults = book, Faults()
        self.lost_answers = 0

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return not self.faults.draw(ALL, (REFUSED,), "connection")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Fake
    originator = ""
    facts: dict[str, Any]

    def do_GET(self) -> None:
        self._serve(self._get)

    def do_POST(self) -> None:
        self._serve(self._post)

    def do_DELETE(self) -> None:
        self._serve(self._delete)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _serve(self, work: Callable[[str, dict[str, Any]], None]) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.raw = self.rfile.read(length)
        with suppress(Gone, BrokenPipeError, ConnectionResetError):
            try:
                work(urlsplit(self.path).path, self._body())
            except No as no:
                # Whatever is wrong with a request stands under HTTP 200.
                self._json({"apiVersion": "002.70", "code": no.code, "message": str(no)})

    def _body(self) -> dict[str, Any]:
        if "json" not in self.headers.get("Content-Type", ""):
            return {name: values[0] for name, values in parse_qs(self.raw.decode()).items()}
        with suppress(ValueError):
            read = json.loads(self.raw)
            return read if isinstance(read, dict) else {}
        return {}

    def _get(self, path: str, body: dict[str, Any]) -> None:
        if _TEST.fullmatch(path):
            self._json(self.server.faults.shown(ALL))
        elif (found := _PAGE.fullmatch(path)) and not _STATUS.fullmatch(path):
            self._html(pages.page(self.server.book, found[1], challenge=bool(found[2])))
        elif self._known():
            self._unlucky_look_up(path)
            self._json(self._looked_up(path))

    def _looked_up(self, path: str) -> dict[str, Any]:
        book, query = self.server.book, parse_qs(urlsplit(self.path).query)
        if path == "/account":
            currencies = self.facts.get("currencies") or ["EUR", "USD", "JPY", "KWD"]
            methods = [{"paymentMethod": "CreditCard", "currencies": currencies, "defaultOperation": "sale"}]
            return {"apiVersion": "002.70", "name": "Test originator", "paymentMethods": methods}
        if found := _STATUS.fullmatch(path):
            return self._told(book.payment(found[1], self.originator))
        if path == "/transactions/export":
            start, end = int(query["startTime"][0]), int(query["endTime"][0])
            operation = query.get("operation", [""])[0]
            rows = book.between(self.originator, start, end)
            return {"transactions": [self._shown(row) for row in rows if operation in ("", row["operation"])]}
        found = _PATH.fullmatch(path)
        if found is None or found[2] != "info":
            raise No("404", "No such call")
        return self._shown(book.transaction(found[1], self.originator))

    def _post(self, path: str, body: dict[str, Any]) -> None:
        if found := _TEST.fullmatch(path):
            self._test(found[1], body)
        elif found := _PAGE.fullmatch(path):
            if path == "/payment/prepare":
                if self._known():
                    self._moved(path, body, lambda: self._prepared(body))
            else:
                self._html(self._submitted(found[1], body, challenge=bool(found[2])))
        elif (found := _PATH.fullmatch(path)) and found[2] in moving.MOVES and self._known():
            self._moved(
                f"{path}|{body.get('orderId', '')}", body, lambda: self._operated(found[1], found[2], body)
            )
        elif self._known():
            raise No("404", "No such call")

    def _submitted(self, customer: str, form: dict[str, Any], *, challenge: bool) -> str:
        book = self.server.book
        self.facts = book.facts(book.page(customer)["originator"])
        return pages.submit(book, self.tell, customer, form, self.lag, challenge=challenge)

    def _delete(self, path: str, body: dict[str, Any]) -> None:
        self.server.faults.stop(ALL)
        self._json({})

    def _prepared(self, asked: dict[str, Any]) -> dict[str, Any]:
        for name in ("amount", "currency", "paymentMode", "operation", "order", "ctrlRedirectURL"):
            if not asked.get(name):
                raise No("400", f"{name}: missing")
        if asked["currency"] not in (self.facts.get("currencies") or [asked["currency"]]):
            raise No("400", "currency: not taken by this account")
        made = self.server.book.prepare(self.originator, asked)
        tokens = {"merchantToken": made["merchant"], "customerToken": made["customer"]}
        return {"code": "200", "message": "Successfully prepared", **tokens}

    def _operated(self, transaction: str, verb: str, asked: dict[str, Any]) -> dict[str, Any]:
        book = self.server.book
        with book.lock:
            origin = book.transaction(transaction, self.originator)
            made = moving.MOVES[verb](book, origin, asked, self.lag)
        code = made["code"] or "000"
        return {"code": code, "message": "", "transactionID": made["id"], "operation": made["operation"]}

    def _moved(self, about: str, body: dict[str, Any], work: Callable[[], dict[str, Any]]) -> None:
        """Do it, or do not, and say so, or do not."""
        fault = self._fault(about)
        match fault:
            case "lost_before":
                self._drop()
            case "error_before":
                self._json({"message": "Internal error"}, 500)
            case "too_many":
                self._json({"message": "Too many requests"}, 429)
            case "in_progress" if not self.server.faults.coin(self.originator, about):
                self._json({"message": "Conflict"}, 409)
            case _:
                if fault == "slow":
                    time.sleep(self.server.faults.late(self.originator))
                self._answer(fault, work())

    def _answer(self, fault: str, answer: dict[str, Any]) -> None:
        match fault:
            case "lost_answer":
                self._drop()
            case "error_after":
                self._json({"message": "Internal error"}, 500)
            case "in_progress":
                self._json({"message": "Conflict"}, 409)
            case "garbage":
                self._html("<html><body>Maintenance</body></html>")
            case "reset":
                self._reset(answer)
            case _:
                self._json(answer)

    def _fault(self, about: str) -> str:
        with self.server.book.lock:
            if self.server.lost_answers and about.startswith("/transaction/"):
                self.server.lost_answers -= 1
                return "lost_answer"
        return self.server.faults.draw(self.originator, ON_MOVES, about)

    def _unlucky_look_up(self, path: str) -> None:
        match self.server.faults.draw(self.originator, ON_LOOK_UPS, path):
            case "look_up_error":
                self._json({"message": "Internal error"}, 500)
                raise Gone
            case "look_up_lost":
                self._drop()

    def _known(self) -> bool:
        """Whose credentials are these? A wrong password is 401, an account that was closed 403."""
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        with suppress(ValueError):
            originator, _, password = base64.b64decode(given).decode().partition(":")
            facts = self.server.book.account(originator, password)
            if scheme == "Basic" and facts is not None:
                self.originator, self.facts = originator, facts
                if facts.get("revoked"):
                    self._json({"message": "Forbidden"}, 403)
                    return False
                return True
        self._json({"message": "Unauthorized"}, 401)
        return False

    @property
    def lag(self) -> float:
        return float(self.facts.get("lag") or 0)

    def _test(self, what: str, body: dict[str, Any]) -> None:
        book, server = self.server.book, self.server
        match what:
            case "accounts":
                book.add_account(body["originator"], body["password"], body.get("facts") or {})
            case "faults":
                server.faults.plan(ALL, body)
            case "lose":
                server.lost_answers = int(body["count"])
            case "settle":
                book.settle(body["id"], body["code"])
            case "expire":
                book.expire(book.page(body["customer"])["merchant"])
            case "chargeback":
                self.facts = {}
                made = moving.chargeback(book, book.transaction(body["id"]), body["operation"], 0.0)
                self._json({"id": made["id"]})
                return
        self._json(server.faults.shown(ALL))

    def _shown(self, row: Row) -> dict[str, Any]:
        return shown(row, test=bool(self.facts.get("test", True)))

    def _told(self, payment: Row) -> dict[str, Any]:
        rows = self.server.book.of_payment(payment["merchant"])
        return moving.told(self.server.book, payment, [self._shown(row) for row in rows])

    def tell(self, merchant: str) -> dict[str, Any]:
        """Call back about a payment; what was said."""
        payment = self.server.book.payment(merchant)
        told, asked = self._told(payment), json.loads(payment["asked"])
        callbacks.post(self.server.faults, payment["originator"], asked.get("ctrlCallbackURL", ""), told)
        return told

    def _json(self, value: dict[str, Any], status: int = 200) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _html(self, text: str) -> None:
        self._send(text.encode(), "text/html; charset=utf-8", 200)

    def _send(self, body: bytes, kind: str, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.server.faults.refuses():
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def _drop(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        raise Gone

    def _reset(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        with suppress(OSError):
            self.connection.sendall(head.encode() + body[: len(body) // 2])
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._drop()
