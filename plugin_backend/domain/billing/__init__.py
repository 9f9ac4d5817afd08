"""Attempts: one try at one collection each. Prepare and commit, ask with nothing open, record under locks."""

from plugin_backend.domain.billing.attempts import (
    OPEN,
    Attempt,
    Initiator,
    Prepared,
    ask,
    attempts_of,
    by_reference,
    prepare,
    reference_of,
)
from plugin_backend.domain.billing.recording import record
from plugin_backend.domain.billing.refunding import (
    Refund,
    ask_refund,
    give_back,
    prepare_refund,
    record_refund,
)
from plugin_backend.domain.billing.resolving import absent, evidence, must_close, note_question, stop

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
    "by_reference",
    "evidence",
    "give_back",
    "must_close",
    "note_question",
    "prepare",
    "prepare_refund",
    "record",
    "record_refund",
    "reference_of",
    "stop",
]
