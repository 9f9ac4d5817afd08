"""What a restore was looked at for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was compared, or looked at, after a restore."""

    what: str
    ok: bool
    said: str = ""
