"""Attempts: one try at one collection each. Prepare and commit, ask with nothing open, record under locks."""

from plugin_backend.domain.billing import budgets
from plugin_backend.domain.billing.attempts import (
    OPEN,
    Attempt,
    Initiator,
    Prepared,
    ask,
    attempts_of,
    by_reference,
    reference_of,
)
from plugin_backend.domain.billing.declining import change_card
from plugin_backend.domain.billing.preparing import prepare, prepare_all
from plugin_backend.domain.billing.recording import record, record_all
from plugin_backend.domain.billing.refunding import (
    Refund,
    ask_refund,
    give_back,
    prepare_refund,
    record_refund,
)
from plugin_backend.domain.billing.resolving import (
    absent,
    evidence,
    must_close,
    note_question,
    prepare_replay,
    stop,
)

__all__ = [
    "OPEN",
    "Attempt",
    "Initiator",
    "Prepared",
    "Refund",
    "absent",
    "ask",
    "ask_refund",
    "attempts_of",
    "budgets",
    "by_reference",
    "change_card",
    "evidence",
    "give_back",
    "must_close",
    "note_question",
    "prepare",
    "prepare_all",
    "prepare_refund",
    "prepare_replay",
    "record",
    "record_all",
    "record_refund",
    "reference_of",
    "stop",
]
