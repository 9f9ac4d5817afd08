"""Logs: one JSON object a line, ids and never names, scrubbed of what must not be there."""

import logging
import re
import sys
import threading
import unicodedata
from collections.abc import MutableMapping
from itertools import accumulate
from types import TracebackType
from typing import Any

import structlog

_log = structlog.get_logger(__name__)

_RUN = re.compile(r"[0-9]+(?:[ -]{1,3}[0-9]+)*")
_GROUP = re.compile(r"[0-9]+")
_DIGIT = re.compile(r"\d")
# Mastercard's and Mir's numbers that begin with 2. Any other long number that does is a date: 20261122100005.
_TWO_SERIES = re.compile(r"220[0-4]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720")
_LINK = re.compile(r"/(o|p|u|c|hooks|login|inquiries|handover|mail)/[A-Za-z0-9_-]{20,}")
_SECRET = re.compile(
    r"(whsec_|whsk_|ck_|cs_|[sr]k_(?:test|live)_|shp(?:at|ca|pa|ss)_|tok_|pm_|seti_|Bearer |Basic )"
    r"[A-Za-z0-9+/=_\-.]{6,}"
)
# What a header, a form, JSON or a Python dict says under a name that is known to be secret, to the end of its line or
# quotation; and the name as it stands in our own events.
_NAMES = (
    r"(?:proxy-)?authorization|(?:set-)?cookie|x-shopify-access-token|x-api-key|api[_-]?key|consumer_(?:key|secret)"
    r"|pass(?:word|wd)|secret|token|network_transaction_id"
)
_NAMED = re.compile(
    rf"\b({_NAMES})((?:\\?['\"])?\s*[:=]\s*)(?:\\?['\"])?(?!\.\.\.)[^'\"\\\r\n&]+", re.IGNORECASE
)
_NAME = re.compile(_NAMES, re.IGNORECASE)
_USERINFO = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
# PostgreSQL tells the values of the row that it refuses.
_DETAIL = re.compile(r"\b(DETAIL|CONTEXT):[^\r\n]*")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z0-9.-]+")


class _Plain(dict[int, str]):
    """Every digit, blank and dash of any script as ASCII has it: people write their card's number as they write."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        kind = unicodedata.category(char)
        if kind == "Nd":
            return str(unicodedata.decimal(char))
        return " " if kind == "Zs" else "-" if kind == "Pd" else char


_PLAIN = _Plain()


def looks_like_card(digits: str) -> bool:
    """True for 13 to 19 digits (blanks and dashes aside) that pass Luhn's check and begin as card numbers do."""
    plain = digits.replace(" ", "").replace("-", "")
    if not plain.isascii() or not plain.isdecimal() or not 13 <= len(plain) <= 19 or plain[0] not in "23456":
        return False
    if plain[0] == "2" and not (len(plain) == 16 and _TWO_SERIES.match(plain)):
        return False
    doubled = [int(d) * 2 - 9 * (int(d) > 4) if i % 2 else int(d) for i, d in enumerate(reversed(plain))]
    return sum(doubled) % 10 == 0 and len(set(plain)) > 1


def find_cards(text: str) -> list[tuple[int, int]]:
    """Where card numbers stand in a text, as (start, end): whole groups of digits, parted by up to three blanks or
    dashes. Digits that run on without a gap are one group: a longer number that happens to hold a card number is none."""
    text = text if text.isascii() else text.translate(_PLAIN)
    found = []
    for run in _RUN.finditer(text):
        if len(run.group()) >= 13:
            found += _cards_in([group.span() for group in _GROUP.finditer(text, *run.span())], text)
    return found


def _cards_in(groups: list[tuple[int, int]], text: str) -> list[tuple[int, int]]:
    """The card numbers in one run of groups, the longest at each place. Linear in the run's length, since anybody may
    send us a long one."""
    digits = "".join(text[start:end] for start, end in groups)
    starts = [0, *accumulate(end - start for start, end in groups)]
    ends = {offset: number for number, offset in enumerate(starts[1:])}
    odd, even = _luhn_sums(digits)
    found, free = [], 0
    for number, first in enumerate(starts[:-1]):
        for last in range(first + 19, first + 12, -1) if first >= free else ():
            sums = odd if last % 2 else even
            if last in ends and (sums[last] - sums[first]) % 10 == 0 and looks_like_card(digits[first:last]):
                found.append((groups[number][0], groups[ends[last]][1]))
                free = last
                break
    return found


def _luhn_sums(digits: str) -> tuple[list[int], list[int]]:
    """Luhn's sums from the beginning to every place: for numbers of which the last digit is the first, the third, ...
    of ``digits``, and for those that end in between. The difference of two of them is the sum of what lies between."""
    plain = [int(digit) for digit in digits]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in plain]
    odd = [doubled[at] if at % 2 else plain[at] for at in range(len(plain))]
    even = [plain[at] if at % 2 else doubled[at] for at in range(len(plain))]
    return [0, *accumulate(odd)], [0, *accumulate(even)]


def mask_cards(text: str) -> str:
    """The text with the digits of every card number in it replaced; its length stays."""
    parts, at = [], 0
    for start, end in find_cards(text):
        parts += [text[at:start], _DIGIT.sub("*", text[start:end])]
        at = end
    return "".join([*parts, text[at:]])


def scrub(text: str) -> str:
    """The text without card numbers, keys, tokens, secret ends of links, e-mail addresses, and what else is named as
    secret or as a row's own values."""
    text = _LINK.sub(r"/\1/...", mask_cards(text))
    text = _NAMED.sub(r"\1\2...", _SECRET.sub(r"\1...", text))
    return _EMAIL.sub("(e-mail)", _USERINFO.sub(r"\1...@", _DETAIL.sub(r"\1: ...", text)))


def _scrub_event(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    # What begins with "_" is structlog's own and never printed.
    return {key: value if key.startswith("_") else _under(key, value) for key, value in event.items()}


def _under(name: str, value: Any) -> Any:
    return "..." if _NAME.fullmatch(name) else _scrubbed(value)


def _scrubbed(value: Any) -> Any:
    match value:
        case str():
            return scrub(value)
        case None | bool() | int() | float():
            return value
        case dict():
            return {scrub(str(key)): _under(str(key), inner) for key, inner in value.items()}
        case list() | tuple() | set():
            return [_scrubbed(inner) for inner in value]
        case _:
            return scrub(repr(value))


def configure(level: str) -> None:
    """Send our logs and those of the libraries to standard error, as JSON."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _scrub_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        # Asked anew for each logger: whoever changes standard error meanwhile finds our lines there too.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processor=structlog.processors.JSONRenderer()
        )
    )
    logging.basicConfig(
        handlers=[handler], level=max(logging.WARNING, logging.getLevelNamesMapping()[level]), force=True
    )
    _hear_the_uncaught()


def _hear_the_uncaught() -> None:
    """What nobody catches is logged like everything else: Python would write it out as it is. A hook that somebody else
    has put there, such as a debugger, stays."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _process_ends
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _thread_ends
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _passed_over


def _process_ends(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _log.critical("process_ends", exc_info=(kind, error, trace))


def _thread_ends(ended: threading.ExceptHookArgs) -> None:
    # A thread may leave like a process, and that is no error.
    if not issubclass(ended.exc_type, SystemExit):
        name = ended.thread.name if ended.thread else ""
        _log.error(
            "thread_ends", thread=name, exc_info=(ended.exc_type, ended.exc_value, ended.exc_traceback)
        )


def _passed_over(error: "sys.UnraisableHookArgs") -> None:
    """An error where none can be raised, as when an object is given up."""
    _log.error("error_passed_over", exc_info=(error.exc_type, error.exc_value, error.exc_traceback))
