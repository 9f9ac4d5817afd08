"""What operators see: lists, details and the home of a shop."""

from dataclasses import dataclass
from datetime import datetime

from plugin_backend.sdk.money import Money


@dataclass(frozen=True, slots=True)
class State:
    """The state of a row, shown as icon, word and colour. ``noun`` is the singular: ``cart``, ``plan``, ``shop``."""

    noun: str
    state: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a row is as it is, as a code of ours; shown in words where it has some, else as it is."""

    code: str


@dataclass(frozen=True, slots=True)
class Link:
    """A way to another page."""

    label: str
    url: str


Cell = str | int | Money | datetime | State | Reason | Link | None
"""What a table cell or a fact may hold; None shows as a dash. A ``str`` is shown as it is, without translation."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a list. ``url`` is its detail page ("": none) and is linked from its first cell."""

    cells: tuple[Cell, ...]
    url: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """A button that POSTs to ``url``. ``label`` is a key of ``render.words.ACTIONS``; ``danger`` True: money moves or
    something ends; ``leads`` True: it is a way to a page on which that is shown first, and nothing is sent; ``asks``
    True: it is not done without a ``reason`` in words."""

    label: str
    url: str
    danger: bool = False
    leads: bool = False
    asks: bool = False


@dataclass(frozen=True, slots=True)
class ListView:
    """A page of rows. ``noun`` (plural, a key of ``render.words.LISTS``) gives title, purpose and the sentence for an
    empty list; ``columns`` are keys of ``render.words.LABELS``, as many as each row has cells. ``next_url`` is the next
    page of the keyset, "" on the last."""

    noun: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    next_url: str = ""
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing said of an object. ``label`` is a key of ``render.words.LABELS``."""

    label: str
    value: Cell


@dataclass(frozen=True, slots=True)
class Section:
    """A table within a detail page: the attempts of a collection, the lines of a cart. ``title`` is a key of
    ``render.words.SECTIONS``; an empty one shows that there is nothing."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class DetailView:
    """One object. ``noun`` is the singular, a key of ``render.words.NOUNS``; ``title`` what tells it from others (its
    id); ``raw`` is shown as it is in a box (the body of a delivery, the text of a message), "" for none. ``preview_url`` is shown in a frame that can run and
    send nothing, "" for none."""

    noun: str
    title: str
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...] = ()
    actions: tuple[Action, ...] = ()
    back_url: str = ""
    raw: str = ""
    preview_url: str = ""


@dataclass(frozen=True, slots=True)
class AccountLine:
    """A gateway account: how its probe went, and why."""

    gateway: str
    state: State
    reason: Reason


@dataclass(frozen=True, slots=True)
class CreditLine:
    """A line of the basket that can be credited as a whole; ``key`` is what the form calls it."""

    key: str
    title: str
    quantity: str
    total: Money
    chosen: bool


@dataclass(frozen=True, slots=True)
class CreditStep:
    """One payment of the plan, before the credit and after it, either way."""

    number: int
    due: datetime
    state: State
    before: Money
    from_the_end: Money
    spread: Money


@dataclass(frozen=True, slots=True)
class CreditOption:
    """One way to do it (``end`` or ``spread``), and the fingerprint of what is shown for it."""

    rest: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class CreditView:
    """The form of a credit on a plan, and, once there is an amount, what it comes to. ``amount`` is as typed, ``problem`` "", ``unreadable``,
    ``nothing`` or ``too_much``; ``options`` are empty while there is nothing to confirm, one where both ways come to the
    same. ``refunds`` is what goes back of each captured payment, ``case`` the case that led here."""

    plan: str
    most: Money
    amount: str
    first: str
    url: str
    back_url: str
    lines: tuple[CreditLine, ...] = ()
    options: tuple[CreditOption, ...] = ()
    steps: tuple[CreditStep, ...] = ()
    refunds: tuple[Money, ...] = ()
    taken_off: Money | None = None
    given_back: Money | None = None
    under_way: bool = False
    changed: bool = False
    problem: str = ""
    case: str = ""

    @property
    def credited(self) -> Money | None:
        """What is credited in all."""
        return self.taken_off + self.given_back if self.taken_off and self.given_back else None


@dataclass(frozen=True, slots=True)
class ErasureView:
    """What forgetting a customer means, before it is done. ``runs`` True: a plan of his runs; ``problem`` is why it could not
    be done, as a code of ours, "" before it was tried."""

    email: str
    url: str
    back_url: str
    runs: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class HomeView:
    """The answers of the first page. Each tuple has at most one amount per currency: currencies are never summed.
    ``cases`` are those that wait for a person, ``accounts`` the shop's at gateways."""

    recovered: tuple[Money, ...]
    expected: tuple[Money, ...]
    at_risk: tuple[Money, ...]
    cases: tuple[Link, ...] = ()
    collections_url: str = ""
    accounts: tuple[AccountLine, ...] = ()


@dataclass(frozen=True, slots=True)
class RunAccount:
    """A gateway account, and where its pausing or resuming is posted to."""

    gateway: str
    paused: bool
    url: str


@dataclass(frozen=True, slots=True)
class RunView:
    """What will be charged next, and holding it back. ``days`` are the spans that can be chosen; ``held_until`` None:
    nothing is held."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    action_url: str
    days: tuple[int, ...]
    held_until: datetime | None
    accounts: tuple[RunAccount, ...]


@dataclass(frozen=True, slots=True)
class WatchView:
    """What the shop lost in its last ``days``. While it is ``running``, ``done`` of ``total`` orders were read (None: nobody
    knows how many there are). ``problem`` says why nothing was found, "" where nothing was wrong. ``page_url`` and
    ``mail_url`` show the last lost basket in frames that can run and send nothing, "" where there is none."""

    action_url: str
    days: int
    running: bool = False
    done: int = 0
    total: int | None = None
    problem: Reason = Reason("")
    found: bool = False
    unpaid: int = 0
    declined: int = 0
    amounts: tuple[Money, ...] = ()
    offerable: int = 0
    by_mail: int = 0
    offerable_amounts: tuple[Money, ...] = ()
    page_url: str = ""
    mail_url: str = ""


@dataclass(frozen=True, slots=True)
class SettingsView:
    """How refused payments are tried again, as it was typed or is set, and the bounds. ``wrong`` True: it was typed
    beyond them."""

    action_url: str
    retry_days: str
    visa_retries: str
    most_steps: int
    most_days: int
    most_visa_retries: int
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Tab:
    """One page of a shop; ``noun`` is ``home``, ``settings`` or a key of ``render.words.LISTS``."""

    noun: str
    url: str


@dataclass(frozen=True, slots=True)
class ClockBar:
    """The clock of a test shop: its time now, and where ``step`` = ``hour``, ``day`` or ``month`` is POSTed."""

    now: datetime
    url: str


@dataclass(frozen=True, slots=True)
class DashboardView:
    """What surrounds every page of the dashboard. ``tab`` is the noun of the page one is on. ``timezone`` is that of
    the shop, or UTC. ``shop`` is "" outside a shop. ``quarantine`` True: an account of the shop is held."""

    user: str
    shops_url: str
    logout_url: str
    shop: str = ""
    timezone: str = "UTC"
    tabs: tuple[Tab, ...] = ()
    tab: str = ""
    test: bool = False
    clock: ClockBar | None = None
    notice: str = ""
    quarantine: bool = False
