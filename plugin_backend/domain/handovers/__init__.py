"""How a shop's keys come to us: its address is typed, its platform recognised, its keys handed over or pasted, and tried at
that very address before they are kept. ``steps`` is what the owner does, ``asking`` what a worker asks of the outside."""

from plugin_backend.domain.handovers.asking import Answer, Ask, ask, prepare, record, take
from plugin_backend.domain.handovers.rows import Handover, newest
from plugin_backend.domain.handovers.steps import (
    MistypedAddress,
    address_of,
    again,
    approval_url,
    approve,
    begin,
    bring,
    choose,
    door_path,
    made_secret,
    paste,
    retype,
)

__all__ = [
    "Answer",
    "Ask",
    "Handover",
    "MistypedAddress",
    "address_of",
    "again",
    "approval_url",
    "approve",
    "ask",
    "begin",
    "bring",
    "choose",
    "door_path",
    "made_secret",
    "newest",
    "paste",
    "prepare",
    "record",
    "retype",
    "take",
]
