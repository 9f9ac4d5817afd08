"""At the very end: what is secret lies nowhere but where it is sealed."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plugin_backend.core.seal import load_keys, roots
from plugin_backend.demo import leaks, seed
from plugin_backend.demo.expecting import Unexpected, expect
from plugin_backend.demo.gateway.book import READY_CARD
from plugin_backend.demo.gateway.ledger import read_entries
from plugin_backend.demo.seed import Seed
from plugin_backend.demo.stage import Json, Stage
from plugin_backend.launcher.backup.database import as_superuser, connected
from plugin_backend.launcher.data import load_runtime

Secrets = dict[str, bytes]
# What the gateway gave us of a card.
_OF_CARDS = {"token", "network_transaction_id", "fingerprint"}
_LINK = re.compile(r"/([opu])/([a-z2-7]{32})")
_HOOKS = "SELECT shop_id, id FROM connections UNION ALL SELECT shop_id, id FROM gateway_accounts"


def nothing_secret_lies_open(stage: Stage) -> Json:
    """Neither a token nor a key nor the end of a link is in the database, in Redis, in a log or on a command line; in the
    mails are links, and nothing else of it."""
    data = stage.places.data
    running, sown = load_runtime(data), seed.load(data)
    if running is None or sown is None:
        raise Unexpected(f"nothing runs in {data}")
    conninfo = as_superuser("", running.environment["DATABASE_URL"])
    mails = [(f"the mail {mail['subject']!r}", str(mail).encode()) for mail in stage.mails("")]
    kept = {**_chosen(stage, sown), **_of_cards(data), **_keys(data), **_hooks(data, conninfo)}
    lies = [
        *leaks.in_database(conninfo),
        *leaks.in_redis(running.environment["REDIS_URL"]),
        *leaks.in_files(sorted(data.glob("logs/*.log"))),
        *leaks.in_processes(),
    ]
    open_somewhere = [*leaks.found({**kept, **_links(mails)}, lies), *leaks.found(kept, mails)]
    expect(not open_somewhere, f"secrets lie open: {', '.join(open_somewhere)}")
    return {"secrets": len(kept), "looked_at": len(lies) + len(mails)}


def _chosen(stage: Stage, sown: Seed) -> Secrets:
    """Passwords, the shops' keys, the accounts' keys, and the operator's session."""
    shops = {**{f"luna {name}": key for name, key in sown.luna_keys.items()}}
    shops |= {f"nordlys {name}": key for name, key in sown.nordlys_keys.items()}
    shops |= {f"account of {shop}": key for shop, key in sown.account_keys.items()}
    sessions = {f"session {number}": value for number, value in enumerate(stage.session())}
    chosen = {"password": sown.password, **shops, **sessions}
    return {name: value.encode() for name, value in chosen.items()}


def _of_cards(data: Path) -> Secrets:
    """Every token that the gateway has given out, with its companions; the one that it gives to everybody is none."""
    given = sorted({value for entry in read_entries(data / "gateway.jsonl") for value in _values(entry)})
    return {f"{value[:4]} {number} of the gateway": value.encode() for number, value in enumerate(given)}


def _values(entry: Any) -> Iterator[str]:
    for name, value in entry.items() if isinstance(entry, dict) else ():
        if name in _OF_CARDS and value and value != READY_CARD:
            yield str(value)
        yield from _values(value)


def _keys(data: Path) -> Secrets:
    return {
        f"{name} {number}": key
        for name in ("door.key", "root.key")
        for number, key in enumerate(roots.read_keys(data / "keys" / name))
    }


def _hooks(data: Path, conninfo: str) -> Secrets:
    """The secret ends of the paths at which shops and gateways reach us."""
    keys = load_keys(data / "keys", None)
    with connected(conninfo) as connection:
        return {
            f"path of {row_id}": keys.link("hook", shop_id, row_id).encode()
            for shop_id, row_id in connection.execute(_HOOKS)
        }


def _links(mails: list[leaks.Piece]) -> Secrets:
    """The secret ends of the links that customers got."""
    found = {match for _, mail in mails for match in _LINK.findall(mail.decode())}
    return {f"link {page} {number}": end.encode() for number, (page, end) in enumerate(sorted(found))}


STEPS = (("nothing secret lies open", nothing_secret_lies_open),)
