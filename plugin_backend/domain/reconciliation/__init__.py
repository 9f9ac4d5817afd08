"""Reconciliation: what we say was captured and given back, compared with what the gateway lists.

The list is asked for with nothing open, then compared (``compare``), and each difference is settled in a transaction of
its own (``settle``); ``finish`` keeps what was found. A run that dies leaves what it settled and starts over: settling
again changes nothing.
"""

from plugin_backend.domain.reconciliation.comparing import Comparison, Finding, compare
from plugin_backend.domain.reconciliation.lost import Origin, bring_back, origins, untold
from plugin_backend.domain.reconciliation.naming import named, take_in_disputes
from plugin_backend.domain.reconciliation.runs import (
    DAYS,
    Reconciliation,
    Run,
    begin,
    fail,
    finish,
    hold_on,
    reconcile_now,
)
from plugin_backend.domain.reconciliation.settling import Settled, settle

__all__ = [
    "DAYS",
    "Comparison",
    "Finding",
    "Origin",
    "Reconciliation",
    "Run",
    "Settled",
    "begin",
    "bring_back",
    "compare",
    "fail",
    "finish",
    "hold_on",
    "named",
    "origins",
    "reconcile_now",
    "settle",
    "take_in_disputes",
    "untold",
]
