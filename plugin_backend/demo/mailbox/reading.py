"""What a person wants to see of a message, read from the bytes that came over SMTP."""

from dataclasses import dataclass
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from html.parser import HTMLParser
from urllib.parse import urlsplit

ONE_CLICK = "List-Unsubscribe=One-Click"


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the HTML part. ``words`` is its text, the address itself where it has none."""

    url: str
    words: str


@dataclass(frozen=True, slots=True)
class Reading:
    """``headers`` are decoded and in order. ``language`` is "" where the message says none, ``unsubscribe_url`` ""
    where it offers no one-click unsubscribe as RFC 8058 has it: an https or http address and the Post header."""

    subject: str
    sender: str
    language: str
    text: str
    html: str
    headers: tuple[tuple[str, str], ...]
    links: tuple[Link, ...]
    unsubscribe_url: str


def read(source: bytes) -> Reading:
    """Any bytes can be read: what is not there is ""."""
    # The newer policies of the email package raise IndexError and worse on headers that are only a little wrong.
    message = message_from_bytes(source)
    headers = tuple((name, _decoded(value)) for name, value in message.raw_items())
    first = {name.lower(): value for name, value in reversed(headers)}
    markup = _body(message, "text/html")
    page = _Page()
    page.feed(markup)
    page.close()
    return Reading(
        subject=first.get("subject", ""),
        sender=first.get("from", ""),
        language=first.get("content-language", "") or page.language,
        text=_body(message, "text/plain"),
        html=markup,
        headers=headers,
        links=tuple(page.links),
        unsubscribe_url=_unsubscribe(first),
    )


def in_a_frame(markup: str) -> str:
    """The HTML part for a sandboxed frame: its links open in a page of their own, where they can work."""
    return f'<!doctype html><base target="_blank">{markup}'


def only_web(url: str) -> bool:
    """True for an address that a browser can open, false for any other and for what is none."""
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False


def _decoded(value: str) -> str:
    plain = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    unfolded = " ".join(line.strip() for line in plain.splitlines())
    try:
        return str(make_header(decode_header(unfolded)))
    except (HeaderParseError, LookupError, ValueError):
        return unfolded


def _body(message: Message, kind: str) -> str:
    """The first part of this type that is no attachment, decoded."""
    for part in message.walk():
        if part.get_content_type() == kind and part.get_filename() is None and not part.is_multipart():
            payload = part.get_payload(decode=True)
            return _text(payload if isinstance(payload, bytes) else b"", part.get_content_charset("utf-8"))
    return ""


def _text(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset, errors="replace").replace("\r\n", "\n")
    except (LookupError, ValueError):
        return data.decode("utf-8", errors="replace")


def _unsubscribe(first: dict[str, str]) -> str:
    if first.get("list-unsubscribe-post", "") != ONE_CLICK:
        return ""
    listed = first.get("list-unsubscribe", "").split(",")
    urls = [entry.strip().removeprefix("<").removesuffix(">") for entry in listed]
    return next((url for url in urls if only_web(url)), "")


class _Page(HTMLParser):
    """Finds the language and the links of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.language = ""
        self.links: list[Link] = []
        self._url = ""
        self._words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.language = found.get("lang", "")
        if tag == "a" and only_web(found.get("href", "")):
            self._url, self._words = found["href"], ""

    def handle_data(self, data: str) -> None:
        self._words += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._url:
            self.links.append(Link(self._url, " ".join(self._words.split()) or self._url))
            self._url = ""
