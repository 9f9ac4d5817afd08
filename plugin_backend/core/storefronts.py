"""How a shop looks from outside: its name, its logo and its colour, as its front page tells them to everybody."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from plugin_backend.sdk.errors import RepriseError
from plugin_backend.sdk.http import Client, Request
from plugin_backend.sdk.payload import clean

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
# WordPress' own names for a theme's first colours, as they stand in the page.
_PRESET = re.compile(r"--wp--preset--color--(?:primary|accent|accent-1):\s*(#[0-9a-fA-F]{6})")
_MOST = 400_000


@dataclass(frozen=True, slots=True)
class Look:
    """What is not told is "". ``logo_url`` is https, or on the shop's own host; ``color`` is ``#rrggbb``."""

    name: str = ""
    logo_url: str = ""
    color: str = ""


def look_at(address: str, http: Client) -> Look:
    """Ask for the front page; nothing where it does not answer, or not with one."""
    try:
        answer = http.send(Request("GET", f"{address.rstrip('/')}/", {"Accept": "text/html"}), timeout=10)
    except RepriseError:
        return Look()
    if answer.status != 200:
        return Look()
    return read(answer.body.decode("utf-8", "replace")[:_MOST], address)


def read(html: str, address: str) -> Look:
    """The look of a page that was had from ``address``."""
    head = _Head()
    head.feed(html)
    preset = _PRESET.search(html)
    return Look(
        name=clean(head.meta.get("og:site_name", ""), 100),
        logo_url=_usable(address, head.logo or head.icon),
        color=next(
            filter(_COLOR.fullmatch, (head.meta.get("theme-color", ""), preset[1] if preset else "")), ""
        ),
    )


def _usable(address: str, link: str) -> str:
    try:
        url = urljoin(f"{address.rstrip('/')}/", link) if link else ""
        same = urlsplit(url).netloc == urlsplit(address).netloc
    except ValueError:
        return ""
    return url if url.startswith("https://") or (same and url.startswith("http://")) else ""


class _Head(HTMLParser):
    """What of a page tells who it is. The logo is the first picture that says it is one."""

    def __init__(self) -> None:
        super().__init__()
        self.meta: dict[str, str] = {}
        self.logo = ""
        self.icon = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "meta":
            self.meta.setdefault(said.get("property") or said.get("name") or "", said.get("content", ""))
        elif tag == "link" and said.get("rel", "").lower() in ("apple-touch-icon", "icon"):
            self.icon = self.icon or said.get("href", "")
        elif (
            tag == "img"
            and not self.logo
            and "logo" in f"{said.get('class', '')} {said.get('id', '')}".lower()
        ):
            self.logo = said.get("src", "")
