"""A visitor without a browser: keeps cookies, follows links, and fills in the forms that pages really have."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

from plugin_backend.demo.expecting import Unexpected
from plugin_backend.sdk.http import HttpClient, Request, Response

_HOPS = 10


@dataclass(slots=True)
class Form:
    """A form as it stands in a page. ``fields`` are what a browser would send untouched; ``buttons`` are its named
    buttons, of which only the pressed one is sent."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    boxes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Link:
    url: str
    words: str


@dataclass(frozen=True, slots=True)
class Page:
    """An answer, read. ``text`` is what a person sees, its narrow and unbreakable blanks as plain ones; ``rows`` are
    the rows of its tables; ``hops`` the addresses that led here, ``url`` last."""

    status: int
    url: str
    hops: tuple[str, ...]
    headers: Mapping[str, str]
    html: str
    text: str
    links: tuple[Link, ...]
    forms: tuple[Form, ...]
    rows: tuple[str, ...]
    moments: tuple[str, ...]

    def form(self, ending: str, **having: str) -> Form:
        """The form that posts to an address with this ending and has these fields; ``Unexpected`` where there is none."""
        for form in self.forms:
            same = all(form.fields.get(name) == value for name, value in having.items())
            if urlsplit(form.action).path.endswith(ending) and same:
                return form
        raise Unexpected(f"{self.url} has no form for {ending}")

    def link(self, part: str) -> Link:
        """The first link whose address holds ``part``."""
        for link in self.links:
            if part in link.url:
                return link
        raise Unexpected(f"{self.url} has no link with {part}")

    def row(self, *parts: str) -> str | None:
        """The first row of a table that holds all of these, else None."""
        return next((row for row in self.rows if all(part in row for part in parts)), None)


class Visitor:
    """One person with one set of cookies, who reads ``language``."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._http = HttpClient(allow_private=True)
        self._cookies: dict[tuple[str, str, str], str] = {}

    def open(self, url: str) -> Page:
        """Go to an address and wherever it leads."""
        return self._go("GET", url, {})

    def send(self, form: Form, **typed: str) -> Page:
        """Send a form with what was typed into it, and go wherever that leads."""
        return self._go(form.method, form.action, {**form.fields, **typed})

    def peek(self, method: str, url: str, fields: Mapping[str, str] | None = None) -> Page:
        """One request, without going where it leads."""
        return self._page(url, (url,), self._ask(method, url, fields or {}))

    def _go(self, method: str, url: str, fields: Mapping[str, str]) -> Page:
        hops: tuple[str, ...] = ()
        for _ in range(_HOPS):
            hops += (url,)
            answer = self._ask(method, url, fields)
            if answer.status not in (302, 303):
                return self._page(url, hops, answer)
            method, url, fields = "GET", urljoin(url, answer.headers["location"]), {}
        raise Unexpected(f"{hops[0]} leads in circles")

    def _ask(self, method: str, url: str, fields: Mapping[str, str]) -> Response:
        headers = {"Accept": "text/html", "Accept-Language": self._language}
        if cookies := "; ".join(self._cookies_for(url)):
            headers["Cookie"] = cookies
        body = b""
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(fields).encode()
        answer = self._http.send(Request(method, url, headers, body))
        self._remember(url, answer.headers.get("set-cookie", ""))
        return answer

    def cookies(self) -> tuple[str, ...]:
        """The values of all that he was given."""
        return tuple(self._cookies.values())

    def _cookies_for(self, url: str) -> Iterator[str]:
        parts = urlsplit(url)
        for (netloc, path, name), value in self._cookies.items():
            if netloc == parts.netloc and parts.path.startswith(path):
                yield f"{name}={value}"

    def _remember(self, url: str, header: str) -> None:
        for name, morsel in SimpleCookie(header).items():
            self._cookies[urlsplit(url).netloc, morsel["path"] or "/", name] = morsel.value

    def _page(self, url: str, hops: tuple[str, ...], answer: Response) -> Page:
        html = answer.body.decode(errors="replace")
        read = _Reading(url)
        read.feed(html)
        read.close()
        text = plain(" ".join(read.text))
        return Page(
            answer.status,
            url,
            hops,
            answer.headers,
            html,
            text,
            tuple(read.links),
            tuple(read.forms),
            tuple(plain(" ".join(row)) for row in read.rows),
            tuple(read.moments),
        )


def plain(text: str) -> str:
    """The text with every run of blanks as one blank, narrow and unbreakable ones included."""
    return " ".join(text.split())


class _Reading(HTMLParser):
    """Finds links, forms, table rows, machine-readable moments and the text of a page."""

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.links: list[Link] = []
        self.forms: list[Form] = []
        self.rows: list[list[str]] = []
        self.moments: list[str] = []
        self._url = url
        self._open_link = ""
        self._words = ""
        self._select = ""
        self._form: Form | None = None
        self._row: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        match tag:
            case "a" if "href" in given:
                self._open_link, self._words = urljoin(self._url, given["href"]), ""
            case "form":
                action = urljoin(self._url, given.get("action", ""))
                self._form = Form(action, given.get("method", "get").upper())
                self.forms.append(self._form)
            case "tr":
                self._row = []
                self.rows.append(self._row)
            case "time":
                self.moments.append(given.get("datetime", ""))
            case "input" | "select" | "option" | "textarea" if self._form is not None:
                self._field(self._form, tag, given)

    def _field(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "select":
            self._select = name
        elif tag == "option":
            if "selected" in given or self._select not in form.fields:
                form.fields[self._select] = value
        elif given.get("type") in ("checkbox", "radio"):
            form.boxes[name] = value or "on"
            if "checked" in given:
                form.fields[name] = value or "on"
        elif name:
            form.fields[name] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._open_link:
            self.links.append(Link(self._open_link, plain(self._words)))
            self._open_link = ""
        elif tag == "form":
            self._form = None
        elif tag == "tr":
            self._row = None

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        self._words += data
        if self._row is not None:
            self._row.append(data)
