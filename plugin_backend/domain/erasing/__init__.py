"""Erasures: a customer who is to be forgotten, or a card whose use is over. Begun in one transaction, the gateways asked
with nothing open, the end in one transaction again."""

from plugin_backend.domain.erasing.beginning import NotNow, Why, begin, of_customer
from plugin_backend.domain.erasing.clearing import again
from plugin_backend.domain.erasing.detaching import PATIENCE, Asked, ask, detach, prepare, record
from plugin_backend.domain.erasing.retention import sweep
from plugin_backend.domain.erasing.rows import BY_HAND, PLATFORM, RETENTION, UNANSWERED, Erasure, Tombstone

__all__ = [
    "BY_HAND",
    "PATIENCE",
    "PLATFORM",
    "RETENTION",
    "UNANSWERED",
    "Asked",
    "Erasure",
    "NotNow",
    "Tombstone",
    "Why",
    "again",
    "ask",
    "begin",
    "detach",
    "of_customer",
    "prepare",
    "record",
    "sweep",
]
