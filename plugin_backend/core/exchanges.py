"""What was last said between us and a shop, for the person who must find out why it cannot be understood."""

from urllib.parse import urlsplit

from plugin_backend.core.log import scrub
from plugin_backend.sdk.http import Client, Request, Response

_MOST = 1000


class Overheard:
    """A client that remembers the last exchange: ``told`` is its request without the query, where some platforms want
    keys, and the answer, scrubbed. What a shop answers in good JSON is data of its customers and is not repeated."""

    def __init__(self, http: Client) -> None:
        self._http = http
        self.told = ""

    def send(self, request: Request, *, timeout: float | None = None) -> Response:
        address = urlsplit(request.url)
        asked = f"{request.method} {address.scheme}://{address.hostname}{address.path}"
        self.told = scrub(f"{asked}\n\n(no answer)")
        answer = self._http.send(request, timeout=timeout)
        self.told = scrub(f"{asked}\n\n{answer.status}\n{_body(answer)}")
        return answer


def _body(answer: Response) -> str:
    text = answer.body.decode("utf-8", "replace").strip("\ufeff \t\r\n").replace("\0", "")
    if 200 <= answer.status < 300 and text.startswith(("{", "[")):
        return f"(JSON, {len(answer.body)} bytes)"
    return text[:_MOST]
