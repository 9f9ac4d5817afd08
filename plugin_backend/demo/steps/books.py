"""At the end: the gateway's ledger beside our books, and everything that must always hold."""

import json
import subprocess
from collections import Counter
from typing import Any

from plugin_backend.core import i18n
from plugin_backend.demo.expecting import Unexpected, expect
from plugin_backend.demo.seed import LUNA, NORDLYS
from plugin_backend.demo.stage import Json, Stage
from plugin_backend.demo.visitor import plain
from plugin_backend.sdk.money import Money

_SECONDS = 60.0


def ledgers_agree(stage: Stage) -> Json:
    """Every capture stands in both, once, with the same amount; and the books hold."""
    doctor = stage.command("doctor", "--json")
    theirs = stage.captures()
    times = Counter(entry["reference"] for entry in theirs)
    expect(set(times.values()) == {1}, f"captured more than once: {times}")
    ours = [row for shop in (LUNA, NORDLYS) for row in _succeeded(stage, shop)]
    for entry in theirs:
        there = [row for row in ours if entry["reference"] in row and _amount(entry) in row]
        expect(
            len(there) == 1,
            f"{entry['reference']} over {_amount(entry)} stands {len(there)} times in our books",
        )
    expect(len(ours) == len(theirs), f"we have {len(ours)} captures and the gateway {len(theirs)}")
    found = _answer(doctor)
    expect(not found["broken"], f"the books do not hold: {found['broken']}")
    return {"captures": len(ours), "doctor": found}


def _succeeded(stage: Stage, shop: str) -> list[str]:
    """Every successful attempt of a shop, as its row on the page of its collection."""
    said = stage.words.state("attempt", "succeeded")
    return [
        row
        for page in stage.open_all(shop, "collections")
        for row in page.rows
        if said in row and " rp-" in row
    ]


def _amount(entry: Json) -> str:
    """What was captured, as the dashboard writes it."""
    return plain(i18n.money(Money(entry["moved"]["amount"], entry["moved"]["currency"]), "en"))


def _answer(command: "subprocess.Popen[str]") -> Any:
    said, complained = command.communicate(timeout=_SECONDS)
    if not said:
        raise Unexpected(f"doctor ended with {command.returncode}: {complained.strip()[-300:]}")
    return json.loads(said)


STEPS = (("the ledger of the gateway and our books agree", ledgers_agree),)
