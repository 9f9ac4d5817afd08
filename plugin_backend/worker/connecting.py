"""Shops are connected, checked, and kept connected: addresses recognised, keys tried, tokens renewed, secrets changed.
Prepare, ask, record: one row at a time, so that each has a whole lease for its asks."""

from plugin_backend.core.db import transaction
from plugin_backend.domain import checkups, enrolments, handovers, hook_secrets, renewals
from plugin_backend.domain.merchants import Shop


def connect(shop: Shop) -> int:
    """Go on with the hand-over that is due."""
    with transaction(shop.id) as session:
        ids = handovers.take(session, shop.id)
    for row_id in ids:
        with transaction(shop.id) as session:
            asked = handovers.prepare(session, shop, row_id)
        if asked is None:
            continue
        answer = handovers.ask(asked)
        with transaction(shop.id) as session:
            handovers.record(session, shop, asked, answer)
    return len(ids)


def enrol(shop: Shop) -> int:
    """Try the settings of a gateway account that were typed."""
    with transaction(shop.id) as session:
        ids = enrolments.take(session, shop.id)
    for row_id in ids:
        with transaction(shop.id) as session:
            trial = enrolments.prepare(session, shop, row_id)
        if trial is None:
            continue
        checked = enrolments.ask(trial)
        with transaction(shop.id) as session:
            enrolments.record(session, shop, trial, checked)
    return len(ids)


def check(shop: Shop) -> int:
    """Make the checks of the connection that were asked for."""
    with transaction(shop.id) as session:
        ids = checkups.take(session, shop.id)
    for row_id in ids:
        with transaction(shop.id) as session:
            asked = checkups.prepare(session, shop, row_id)
        found = checkups.ask(asked)
        with transaction(shop.id) as session:
            checkups.record(session, shop, asked, found)
    return len(ids)


def renew(shop: Shop) -> int:
    """Renew the tokens that end soon."""
    with transaction(shop.id) as session:
        ids = renewals.take(session, shop.id)
    for row_id in ids:
        with transaction(shop.id) as session:
            asked = renewals.prepare(session, shop, row_id)
        came = renewals.ask(asked)
        with transaction(shop.id) as session:
            renewals.record(session, shop, asked, came)
    return len(ids)


def resign(shop: Shop) -> int:
    """Go on with a new webhook secret."""
    with transaction(shop.id) as session:
        ids = hook_secrets.take(session, shop.id)
    for row_id in ids:
        with transaction(shop.id) as session:
            telling = hook_secrets.prepare(session, shop, row_id)
        if telling is None:
            continue
        error = hook_secrets.ask(telling)
        with transaction(shop.id) as session:
            hook_secrets.record(session, shop, telling, error)
    return len(ids)
