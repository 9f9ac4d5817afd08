"""Reads HTML strictly: every tag that opens is closed, in order."""

from html.parser import HTMLParser

VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())


class Page(HTMLParser):
    """What a page holds. Raises ``AssertionError`` for a tag that is closed and was not opened, or the reverse."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.tables: list[tuple[dict[str, str], bool]] = []
        self._open: list[str] = []
        self._tables: list[int] = []
        self.feed(source)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    def count(self, tag: str) -> int:
        return sum(1 for found, _ in self.elements if found == tag)

    def root(self, tag: str) -> dict[str, str]:
        return self.all(tag)[0]

    def all(self, *tags: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag in tags]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>"
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag == "table":
            self._tables.append(len(self.tables))
            self.tables.append((attributes, False))
        if tag == "caption":
            attributes_of, _ = self.tables[self._tables[-1]]
            self.tables[self._tables[-1]] = (attributes_of, True)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1] == tag, f"</{tag}> closes <{self._open[-1]}>"
        self._open.pop()
        if tag == "table":
            self._tables.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def well_formed(source: str) -> Page:
    return Page(source)


def text_of(source: str) -> str:
    """The text of a page, blanks and line breaks as one space (a no-break space stays one)."""
    return " ".join(
        "".join(Page(source).text).replace("\u00a0", "\ue000").replace("\u202f", "\ue001").split()
    ).translate({0xE000: "\u00a0", 0xE001: "\u202f"})
