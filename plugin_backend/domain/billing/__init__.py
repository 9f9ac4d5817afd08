"""Attempts: one try at one collection each. Prepare and commit, ask with nothing open, record under locks."""

from plugin_backend.domain.billing import budgets
from plugin_backend.domain.billing.attempts import (
    OPEN,
    Attempt,
    Initiator,
    Prepared,
    accounts_of,
    ask,
    attempts_of,
    by_reference,
    reference_of,
    trace_of,
)
from plugin_backend.domain.billing.crediting import (
    CreditNote,
    PlanChanged,
    Standing,
    credit,
    credit_notes_of,
    refunded_in_shop,
    standing,
)
from plugin_backend.domain.billing.declining import change_card
from plugin_backend.domain.billing.disputes import Dispute
from plugin_backend.domain.billing.disputing import dispute_changed
from plugin_backend.domain.billing.preparing import prepare, prepare_all
from plugin_backend.domain.billing.recording import record, record_all
from plugin_backend.domain.billing.refunding import (
    RefundAsk,
    ask_refund,
    prepare_refund,
    prepare_refund_again,
    record_refund,
    refund_evidence,
)
from plugin_backend.domain.billing.refunds import (
    HELD,
    UNSETTLED,
    Refund,
    give_back,
    give_back_again,
    give_back_stray,
    refund_by_reference,
)
from plugin_backend.domain.billing.resolving import (
    Look,
    absent,
    charge_changed,
    evidence,
    must_close,
    note_questions,
    prepare_replays,
    stop,
)
from plugin_backend.domain.billing.strays import Stray, keep_stray

__all__ = [
    "HELD",
    "OPEN",
    "UNSETTLED",
    "Attempt",
    "CreditNote",
    "Dispute",
    "Initiator",
    "Look",
    "PlanChanged",
    "Prepared",
    "Refund",
    "RefundAsk",
    "Standing",
    "Stray",
    "absent",
    "accounts_of",
    "ask",
    "ask_refund",
    "attempts_of",
    "budgets",
    "by_reference",
    "change_card",
    "charge_changed",
    "credit",
    "credit_notes_of",
    "dispute_changed",
    "evidence",
    "give_back",
    "give_back_again",
    "give_back_stray",
    "keep_stray",
    "must_close",
    "note_questions",
    "prepare",
    "prepare_all",
    "prepare_refund",
    "prepare_refund_again",
    "prepare_replays",
    "record",
    "record_all",
    "record_refund",
    "reference_of",
    "refund_by_reference",
    "refund_evidence",
    "refunded_in_shop",
    "standing",
    "stop",
    "trace_of",
]
