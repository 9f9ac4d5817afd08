"""Gateway accounts in test mode are probed."""

from sqlalchemy.orm import Session

from plugin_backend.core import due
from plugin_backend.domain import probing
from plugin_backend.domain.merchants import GatewayAccount
from plugin_backend.worker.asking import OneByOne


def _take(session: Session, shop_id: str) -> list[str]:
    return due.take(session, GatewayAccount, shop_id)


probe = OneByOne(_take, probing.prepare, probing.ask, probing.record)
"""Probe the accounts whose probe is due."""
