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
class FlawLine:
    """What is wrong with a gateway account. ``remedy`` is the menu to open at the gateway, in the reader's language;
    ``detail`` what the gateway said, or what it is about. Both may be ""."""

    reason: Reason
    remedy: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class GatewayLine:
    """A gateway account on the page of all. ``plans`` is how many run with it. Where its verbs are posted to begins with
    ``url``."""

    title: str
    name: str
    url: str
    mode: str
    active: bool
    paused: bool
    state: State
    reason: Reason
    plans: int
    callback_url: str
    flaws: tuple[FlawLine, ...] = ()
    checked_at: datetime | None = None
    checking: bool = False


@dataclass(frozen=True, slots=True)
class GatewaysView:
    """The accounts of a shop, the newest first, and the gateways at which it may have another: name and title of each.
    ``open_url`` leads to one that is being connected, "" where none is."""

    url: str
    accounts: tuple[GatewayLine, ...]
    gateways: tuple[tuple[str, str], ...]
    open_url: str = ""


@dataclass(frozen=True, slots=True)
class EnrolmentView:
    """An account that is being connected, or that gets other settings (``changing``)."""

    url: str
    title: str
    mode: str
    state: State
    form: "KeysForm"
    callback_url: str
    changing: bool = False
    problem: str = ""
    flaws: tuple[FlawLine, ...] = ()

    @property
    def busy(self) -> bool:
        """True while a worker is at it."""
        return self.state.state == "brought"


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
    ``nothing``, ``too_much`` or ``not_payable``; ``options`` are empty while there is nothing to confirm, one where both ways come to the
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
class AddressView:
    """The form for a new shop's address, as it was typed. ``problem`` is a code of ours, "" before it was tried."""

    action_url: str
    address: str = ""
    test: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A setting to be typed, to be ticked, or one of ``options``, each a value and what it means. ``label`` is in the
    reader's language; ``value`` is never that of a secret that is kept."""

    name: str
    label: str
    value: str = ""
    secret: bool = False
    required: bool = True
    options: tuple[tuple[str, str], ...] = ()
    tick: bool = False


@dataclass(frozen=True, slots=True)
class KeysForm:
    """A form by which keys come to us, and the steps that are told above it, in the reader's language."""

    steps: tuple[str, ...]
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class HandoverView:
    """A shop that is being connected. ``platform`` is the name of its platform, "" while nobody knows it; ``choices`` are
    all there are, by key and title. ``approve`` and ``paste`` are the two ways, where the platform has them; ``approval_url``
    is where the owner approves, once he has typed what that needs. ``problem`` is a code of ours or a connector's words,
    ``exchange`` what was said when it went wrong. ``connected`` True: the shop is connected and gets other keys."""

    url: str
    address: str
    state: State
    choices: tuple[tuple[str, str], ...]
    platform: str = ""
    platform_title: str = ""
    leads_to: str = ""
    problem: str = ""
    approve: KeysForm | None = None
    paste: KeysForm | None = None
    approval_url: str = ""
    exchange: str = ""
    test: bool = False
    connected: bool = False

    @property
    def busy(self) -> bool:
        """True while a worker is at it."""
        return self.state.state in ("recognising", "brought")


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One live check. ``remedy`` is the menu to open where it is not good, in the reader's language; ``reason`` a code of
    ours that says more, ``at`` when what it waits for was last seen."""

    name: str
    state: State
    remedy: str = ""
    reason: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SenderLine:
    """What our sender's domain says of ``kind`` (spf, dkim, dmarc) at ``name``."""

    kind: str
    state: State
    name: str


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A connected shop: its six checks, the switch, the way to other keys and the secret of its webhooks. ``would`` is what
    offers came to that were kept back because the shop only watches, ``would_count`` how many there were. ``why_not`` is why
    it cannot be switched on, "" where it can. ``secret`` is the state of a new secret on its way, None where there is none;
    ``secret_field`` is for typing one, where it is not ours to make. ``spare`` counts keys in the shop that nobody uses.
    ``part`` True: our part of the shop can be had as a file; ``storefront_url`` is where the shop's pages call,
    ``accounts_url`` the page of its gateway accounts."""

    url: str
    platform: str
    address: str
    webhook_url: str
    checks: tuple[CheckLine, ...]
    sender: tuple[SenderLine, ...]
    checked_at: datetime | None
    checking: bool
    state: State
    would_count: int
    would: tuple[Money, ...]
    why_not: str = ""
    mail_state: str = ""
    mail_problem: str = ""
    mail_from: str = ""
    secret: State | None = None
    secret_field: Field | None = None
    spare: int = 0
    exchange: str = ""
    problem: str = ""
    storefront_url: str = ""
    accounts_url: str = ""
    part: bool = False


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
