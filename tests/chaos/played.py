"""A gateway as the proof plays it: what every gateway that is to be proven brings.

``GATEWAY=stripe`` names a module of this folder, ``tests/chaos/stripe.py``, whose ``PLAYED`` is one of these; nothing else
lists it. The fake gateway is a process of its own over a file of its own. All that the proof needs of either goes through
here, so that it does not matter how the fake keeps its books, nor how late it tells of them.
"""

import importlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from plugin_backend.sdk.money import Money
from tests.story import CardPages

GATEWAY = "GATEWAY"
# Makes of a text in which the names of a plan stand the texts of all its copies, in order.
Copies = Callable[[str], Iterator[str]]
# Makes a text of a copy's, given what gives the copy's name for one of the plan's.
Derived = Callable[[Callable[[str], str]], str]


@dataclass(frozen=True, slots=True)
class Capture:
    """Money that came in at the gateway. ``collection`` is "" where the gateway was not told it: then the reference
    tells."""

    collection: str
    reference: str
    amount: Money


class ByChance(Protocol):
    """The faults of a running fake: drawn from a seed, so that the same request meets the same ones in every run."""

    def counted(self) -> Counter[str]:
        """How many there were of each kind, up to when the fake was last asked. Never raises for a fake that refuses
        connections as it was told: it is asked again."""
        ...

    def missing(self) -> list[str]:
        """The kinds that it knows and that never were, by the last count."""
        ...

    def stop(self) -> None:
        """From now on the gateway is well; what was counted stays counted."""
        ...


class Driver(CardPages, Protocol):
    """The ``PROCESS`` of the contract tests, for a fake that runs already, with an account that nobody used."""

    def settings(self, callback_url: str = "") -> dict[str, str]: ...


class Played(Protocol):
    """``limits`` are, for each variant of the account that can be played (``default`` is one), the seconds that a
    thousand collections and ten thousand may take: a gateway without keys, or one that tells late, needs longer, since
    nothing is sent again before silence has proven itself."""

    name: str
    limits: ClassVar[Mapping[str, tuple[float, float]]]

    def scale(self, factor: float) -> None:
        """In every process of the proof, the fake's too: make what the adapter declares and cannot be set by settings,
        and what the fake does of that, ``factor`` of what it is (how long a key is kept)."""
        ...

    def main(self) -> int:
        """Be the fake's process; ``sys.argv`` has ``--port N --ledger FILE``. It listens on loopback, and its file is all
        that it knows: killed and started again it goes on."""
        ...

    def driver(self, ledger: Path, url: str) -> Driver: ...

    def settings(self, variant: str, factor: float) -> dict[str, str]:
        """Added to those of every account of the proof. What is declared of the gateway's delays is ``factor`` of what it
        is, as the fake's own delays are."""
        ...

    def names(self, ledger: Path, account: Mapping[str, str]) -> set[str]:
        """Every name that the gateway gave to something of the account with these settings: charges, cards, customers,
        set-ups. Each has 16 characters at least, of which the twelve before the last four may be any digits, and none is
        part of another."""
        ...

    def derived(self, ledger: Path, account: Mapping[str, str]) -> Mapping[str, Derived]:
        """Texts in our rows that the adapter made of the gateway's names, and how each is made for a copy."""
        ...

    def copy(self, ledger: Path, account: Mapping[str, str], copies: Copies) -> None:
        """While the fake does not run: let it know everything of the account once more for each copy, as if the same had
        happened under other names. ``copies`` replaces names and our references within any text, such as a row as JSON."""
        ...

    def captures(self, ledger: Path) -> list[Capture]:
        """All money that came in, in order, by the fake's own file."""
        ...

    def history(self, ledger: Path, collection: str, references: list[str]) -> list[str]:
        """Whatever the file says of a collection, or of the references it was charged under: for whoever must find a
        cause."""
        ...

    def faults(self, url: str, seed: int, factor: float) -> ByChance:
        """Let the fake that listens there misbehave from now on, towards everybody."""
        ...


def played(name: str) -> Played:
    """The gateway of that name; ``ValueError`` names those that there are."""
    found = names()
    if name not in found:
        raise ValueError(f"no gateway {name}: {', '.join(found)}")
    it: Played = importlib.import_module(f"tests.chaos.{name}").PLAYED
    return it


def names() -> list[str]:
    """The gateways that can be played."""
    modules = sorted(Path(__file__).parent.glob("*.py"))
    return [path.stem for path in modules if "\nPLAYED" in path.read_text()]


def chosen() -> Played:
    """The one that the environment names; the sandbox where it names none."""
    return played(os.environ.get(GATEWAY) or "sandbox")
