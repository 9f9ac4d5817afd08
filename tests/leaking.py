"""Card numbers as they are written, and the search for them in everything that keeps anything."""

import json

from psycopg.conninfo import make_conninfo

from plugin_backend.demo import leaks
from tests.letterbox import Letterbox
from tests.web.test_guard import CARDS

# As people and programs write them.
WRITTEN = [
    *CARDS,
    "４２４２４２４２４２４２４２４２",
    "5555\u00a05555\u00a05555\u00a04444",
    "3782 - 822463 - 10005",
    "6011\u20131111\u20131111\u20131117",
]
PLAIN = {card: "".join(str(int(char)) for char in card if char.isdecimal()) for card in WRITTEN}


def assert_nowhere(admin_url: str, redis_url: str, mails: Letterbox, logged: str) -> None:
    pieces = [
        *leaks.in_database(make_conninfo(admin_url, dbname="reprise")),
        *leaks.in_redis(redis_url),
        *((f"the mail {mail['Subject']!r}", mail.as_bytes()) for mail in mails.messages),
        ("the log", logged.encode()),
    ]
    wanted = {f"{card} as {form}": text.encode() for card in WRITTEN for form, text in forms(card).items()}
    assert leaks.found(wanted, pieces) == []


def forms(card: str) -> dict[str, str]:
    return {"it was written": card, "JSON": json.dumps(card)[1:-1], "digits": PLAIN[card]}
