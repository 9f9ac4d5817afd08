"""Asking a platform whose API is GraphQL: a document goes out under its operation's name, so that a proxy or a test shop need
not read it, and what comes back is data or one of ``sdk.errors``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from plugin_backend.sdk.errors import NoAnswer, Refused, RepriseError, Unreadable
from plugin_backend.sdk.http import Client, Request, raise_for_status
from plugin_backend.sdk.payload import read_json, text_of


class TooCostly(Refused):
    """The platform counts what a document may have to answer, and this is more than it answers at once."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a platform says no. ``code`` is the way to an error's code in its ``extensions``; codes of ``later`` ask us to come
    back, those of ``silent`` say nothing about what was done, those of ``denied`` that we may not, those of ``costly`` that so much is
    not answered at once. ``complaints`` is what a mutation calls its own list of errors."""

    complaints: str
    code: tuple[str, ...] = ("code",)
    later: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    costly: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class GraphQL:
    """One shop's API at ``url``, asked with these headers."""

    http: Client
    url: str
    dialect: Dialect
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def ask(
        self, document: str, variables: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> dict[str, Any]:
        """The ``data`` of an answer. ``Refused`` where the platform says no, not permanently where it says later; what a
        mutation complains of is no too."""
        name = document.split("(")[0].split("{")[0].split()[1]
        body = {"query": document, "operationName": name, "variables": dict(variables or {})}
        headers = {"Content-Type": "application/json", "Accept": "application/json", **self.headers}
        request = Request("POST", self.url, headers, json.dumps(body).encode())
        response = raise_for_status(self.http.send(request, timeout=timeout), name)
        try:
            answer = read_json(response.body)
        except Unreadable:
            raise NoAnswer(f"{name}: the answer is not JSON") from None
        return self._data(answer if isinstance(answer, dict) else {}, name)

    def listed(
        self, document: str, name: str, variables: Mapping[str, Any], first: int
    ) -> tuple[list[dict[str, Any]], str]:
        """A page of the connection ``name``, as ``nodes`` reads it: of at most ``first``, the document's variable, and of fewer
        where those cost too much."""
        while True:
            try:
                return nodes(self.ask(document, {**variables, "first": first}), name)
            except TooCostly:
                if first == 1:
                    raise
                first = max(first // 4, 1)

    def _data(self, answer: dict[str, Any], name: str) -> dict[str, Any]:
        if answer.get("errors"):
            raise self._error(answer["errors"], name)
        data = answer.get("data")
        if not isinstance(data, dict):
            raise NoAnswer(f"{name}: the answer has no data")
        for payload in data.values():
            raise_complaint(payload, self.dialect.complaints, name)
        return data

    def _error(self, errors: Any, name: str) -> RepriseError:
        value: Any = part(_first(errors), "extensions")
        for step in self.dialect.code:
            value = value.get(step) if isinstance(value, dict) else None
        code = text_of(value)[:60]
        if code in self.dialect.later:
            return Refused(f"{name}: asked to come back later", status=429, permanent=False)
        if code in self.dialect.silent:
            return NoAnswer(f"{name}: {code}")
        if code in self.dialect.costly:
            return TooCostly(f"{name}: too much at once")
        status = 403 if code in self.dialect.denied else 0
        return Refused(f"{name}: refused {code or 'by the schema'}", status=status)


def raise_complaint(payload: Any, complaints: str, name: str) -> None:
    """``Refused`` where a mutation's own list of errors, called ``complaints``, is not empty. It says where the field is, and
    why by its code only: the message may repeat what was sent."""
    errors = payload.get(complaints) if isinstance(payload, dict) else None
    if not isinstance(errors, list) or not errors:
        return
    first = _first(errors)
    path = first.get("field")
    where = ".".join(map(text_of, path)) if isinstance(path, list) else text_of(path)
    where = where or text_of(first.get("path"))
    raise Refused(f"{name}: {text_of(first.get('code')) or 'refused'} {where}".strip()[:200])


def nodes(data: Mapping[str, Any], name: str) -> tuple[list[dict[str, Any]], str]:
    """The objects of a connection, given as ``nodes`` or as ``edges``, and the cursor behind which there are more, ``""`` where
    there are none."""
    connection = part(data, name)
    edges, found = connection.get("edges"), connection.get("nodes")
    if found is None and isinstance(edges, list):
        found = [edge.get("node") for edge in edges if isinstance(edge, dict)]
    if not isinstance(found, list):
        raise NoAnswer(f"{name}: the answer has no list")
    info = part(connection, "pageInfo")
    cursor = text_of(info.get("endCursor")) if info.get("hasNextPage") is True else ""
    return [node for node in found if isinstance(node, dict)], cursor


def part(value: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object of that name within an object; an empty one where there is none."""
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def _first(errors: Any) -> dict[str, Any]:
    first = errors[0] if isinstance(errors, list) and errors else None
    return first if isinstance(first, dict) else {}
