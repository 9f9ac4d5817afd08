"""Asking in pages: how many objects a platform answers at once, the platform says."""

import json
from typing import Any

import pytest

from plugin_backend.sdk.graphql import Dialect, GraphQL, TooCostly
from plugin_backend.sdk.http import Request, Response

LIST = "query Things($first: Int!) { things(first: $first) { nodes { id } } }"
COSTLY = Dialect(complaints="errors", costly=frozenset({"MAX_COST_EXCEEDED"}))


class Miser:
    """A platform that answers at most ``most`` objects at once."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.asked: list[int] = []

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        first = json.loads(request.body)["variables"]["first"]
        self.asked.append(first)
        answer: dict[str, Any] = {
            "errors": [{"message": "Query cost is too high.", "extensions": {"code": "MAX_COST_EXCEEDED"}}]
        }
        if first <= self.most:
            info = {"hasNextPage": True, "endCursor": "c"}
            answer = {"data": {"things": {"pageInfo": info, "nodes": [{"id": n} for n in range(first)]}}}
        return Response(200, {}, json.dumps(answer).encode())


@pytest.mark.parametrize(("most", "asked"), [(250, [100]), (30, [100, 25]), (1, [100, 25, 6, 1])])
def test_a_page_is_made_smaller_until_it_is_answered(most: int, asked: list[int]) -> None:
    platform = Miser(most)
    found, cursor = GraphQL(platform, "https://shop.example", COSTLY).listed(LIST, "things", {}, 100)
    assert (platform.asked, len(found), cursor) == (asked, asked[-1], "c")


def test_what_costs_too_much_by_itself_is_refused_for_good() -> None:
    platform = Miser(0)
    with pytest.raises(TooCostly) as raised:
        GraphQL(platform, "https://shop.example", COSTLY).listed(LIST, "things", {}, 100)
    assert raised.value.permanent
    assert platform.asked == [100, 25, 6, 1]
