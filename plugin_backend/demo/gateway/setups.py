"""A card being taken: what the customer typed, and how the set-up moves on. The number is looked at and let go."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from plugin_backend.demo.gateway.book import card_data, new_id
from plugin_backend.demo.gateway.cards import BY_NUMBER, SandboxCard
from plugin_backend.demo.gateway.parts import parts, tell
from plugin_backend.demo.gateway.records import Account, Card, Setup
from plugin_backend.sdk import clock
from plugin_backend.sdk.signing import hmac_sha256

_REFUSALS = 3


@dataclass(frozen=True, slots=True)
class Typed:
    """A test card with a future expiry, or a test bank account."""

    behaviour: SandboxCard
    month: int
    year: int


def read_form(method: str, form: Mapping[str, str]) -> Typed | dict[str, str]:
    """The card or bank account in a form, or what is wrong: field name to the name of a text."""
    return _read_card(form) if method == "card" else _read_account(form)


def _read_account(form: Mapping[str, str]) -> Typed | dict[str, str]:
    """A bank account has no expiry."""
    account = BY_NUMBER.get("".join(form.get("iban", "").upper().split()))
    if account is None or account.method == "card":
        return {"iban": "error_iban"}
    return Typed(account, 0, 0)


def _read_card(form: Mapping[str, str]) -> Typed | dict[str, str]:
    errors = {}
    card = BY_NUMBER.get("".join(form.get("number", "").replace("-", " ").split()))
    if card is None or card.method != "card":
        errors["number"] = "error_number"
    expiry = _expiry(form.get("expiry", ""))
    if expiry is None:
        errors["expiry"] = "error_expiry"
    code = form.get("code", "").strip()
    if not (code.isascii() and code.isdecimal() and len(code) in (3, 4)):
        errors["code"] = "error_code"
    if card is None or expiry is None or errors:
        return errors
    return Typed(card, *expiry)


def _expiry(text: str) -> tuple[int, int] | None:
    """Month and four-digit year of ``12/34``, ``12 / 2034`` or ``1234``; None where it is none, or is over."""
    digits = "".join(text.replace("/", " ").split())
    if not (digits.isascii() and digits.isdecimal() and len(digits) in (4, 6)):
        return None
    month, year = int(digits[:2]), int(digits[2:]) + (2000 if len(digits) == 4 else 0)
    today = clock.real_now()
    return (month, year) if 1 <= month <= 12 and (year, month) >= (today.year, today.month) else None


def submit(setup: Setup, typed: Typed) -> str:
    """Take the typed card: stored at once, or after a challenge, or refused. The state the set-up is in afterwards."""
    with parts().book.lock:
        if setup.state != "open":
            return setup.state
        card = _card(account_of(setup), typed, setup.callback_url)
        match typed.behaviour.at_setup:
            case "stored":
                _complete(setup, card)
            case "requires_action":
                _note(setup, "setup.challenged", card=card_data(card))
            case _:
                refuse(setup)
        return setup.state


def approve(setup: Setup) -> None:
    """The customer passed the challenge; a second click changes nothing."""
    with parts().book.lock:
        if setup.state == "challenge" and setup.card is not None:
            _complete(setup, setup.card)


def refuse(setup: Setup) -> None:
    """The card was refused. Another may be tried, until the third refusal ends the set-up."""
    with parts().book.lock:
        if setup.state not in ("open", "challenge"):
            return
        _note(setup, "setup.refused")
        if setup.refusals >= _REFUSALS:
            fail(setup, "declined")


def fail(setup: Setup, reason: str) -> None:
    """End an unfinished set-up: ``declined``, ``expired`` or ``left``."""
    with parts().book.lock:
        if setup.state in ("open", "challenge"):
            _note(setup, "setup.failed", reason=reason)
            tell(account_of(setup), setup, "setup.failed", setup.callback_url)


def expire(setup: Setup) -> None:
    """Fail a set-up whose page was open for too long, by the machine's clock."""
    lifetime = timedelta(seconds=parts().switches.get(setup.account, "setup_seconds"))
    if clock.real_now() - setup.begun > lifetime:
        fail(setup, "expired")


def account_of(setup: Setup) -> Account:
    return parts().book.accounts[setup.account]


def _complete(setup: Setup, card: Card) -> None:
    _note(setup, "setup.completed", card=card_data(card))
    tell(account_of(setup), setup, "setup.completed", setup.callback_url)


def _note(setup: Setup, kind: str, **data: object) -> None:
    parts().book.write(account_of(setup), kind, id=setup.id, reference=setup.reference, **data)


def _card(account: Account, typed: Typed, callback_url: str) -> Card:
    number = typed.behaviour.number
    return Card(
        token=new_id("tok"),
        behaviour=typed.behaviour.name,
        brand=typed.behaviour.brand,
        last4=number[-4:],
        expiry_month=typed.month,
        expiry_year=typed.year,
        fingerprint=hmac_sha256(account.callback_key, number.encode()).hex()[:32],
        network_transaction_id=new_id("ntx"),
        callback_url=callback_url,
        method=typed.behaviour.method,
    )
