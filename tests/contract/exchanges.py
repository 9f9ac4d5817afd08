"""Golden exchanges of gateways: JSON files in ``golden/`` of an adapter's folder, replayed without a network."""

import dataclasses
import enum
import importlib
import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from plugin_backend.core.registry import gateways
from plugin_backend.sdk import gateway as sdk
from plugin_backend.sdk.errors import NoAnswer, NotSent
from plugin_backend.sdk.gateway import ChargeRequest, Gateway, PaidWith, RefundRequest, SetupRequest
from plugin_backend.sdk.http import Delivery, Request, Response
from plugin_backend.sdk.money import Money

_REQUESTS = {"charge": ChargeRequest, "refund": RefundRequest, "begin_setup": SetupRequest}
_DEFAULTS = {"email": "", "return_url": ""}


def golden(name: str) -> Path:
    """The golden folder of a gateway."""
    where = importlib.import_module(gateways()[name].__module__.rpartition(".")[0]).__file__
    assert where is not None
    return Path(where).parent / "golden"


def files(pattern: str) -> list[tuple[str, Path]]:
    """Every golden file of every gateway whose name fits, with the gateway's name."""
    return [(name, path) for name in gateways() for path in sorted(golden(name).glob(pattern))]


def read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def steps(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The exchanges of a golden file, in order: most verbs take one, and some take more."""
    found = told["exchange"]
    return found if isinstance(found, list) else [found]


def answers(told: dict[str, Any]) -> list[Any]:
    return [step["answer"] for step in steps(told)]


class Replay:
    """A ``Client`` that gives the recorded answers in order, the last one for ever, and keeps what it was asked."""

    def __init__(self, *answers: dict[str, Any] | str) -> None:
        self.asked: list[Request] = []
        self._answers = answers

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        if request.not_after is not None and time.monotonic() >= request.not_after:
            raise NotSent("it was too late to send")
        answer = self._answers[min(len(self.asked), len(self._answers) - 1)]
        self.asked.append(request)
        if answer == "not_sent":
            raise NotSent("the connection was refused")
        if not isinstance(answer, dict):
            raise NoAnswer("the answer did not come")
        body = answer["body"]
        content = body if isinstance(body, str) else json.dumps(body)
        return Response(answer["status"], answer.get("headers", {}), content.encode())


def ask(gateway: Gateway, verb: str, fields: dict[str, Any]) -> object:
    """Call a verb with the fields of a golden file."""
    if verb in _REQUESTS:
        kind = _REQUESTS[verb]
        names = {field.name for field in dataclasses.fields(kind)}
        given = {name: value for name, value in _DEFAULTS.items() if name in names} | fields
        amount = Money(fields["amount"]["amount"], fields["amount"]["currency"])
        return getattr(gateway, verb)(kind(**{**given, "amount": amount}))
    made: dict[str, Any] = {}
    if "since" in fields:
        made["since"] = datetime.fromisoformat(fields["since"])
    if "paid" in fields:
        made["paid"] = PaidWith(**fields["paid"])
    return getattr(gateway, verb)(**fields | made)


def whole(outcome: Any) -> Any:
    """The outcome of a golden file with what it, or a part of it, does not name at its default."""
    if isinstance(outcome, list):
        return [whole(one) for one in outcome]
    if not isinstance(outcome, dict) or "type" not in outcome:
        return outcome
    kind = getattr(sdk, outcome["type"])
    unnamed = (field for field in dataclasses.fields(kind) if field.default is not dataclasses.MISSING)
    named = {name: whole(value) for name, value in outcome.items()}
    return {field.name: plain(field.default) for field in unnamed} | named


def plain(value: object) -> Any:
    """A value of the port as JSON, the way golden files write it."""
    if isinstance(value, Money):
        return value.as_json()
    if isinstance(value, enum.Enum):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value):
        shown = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"type": type(value).__name__, **shown}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    if isinstance(value, frozenset):
        return sorted(plain(one) for one in value)
    return value


def delivery(told: dict[str, Any], body: bytes | None = None) -> Delivery:
    """The callback of a golden file, with another body where one is given."""
    content = told["body"].encode() if body is None else body
    return Delivery(told["headers"], content, datetime.fromisoformat(told["received_at"]))
