"""At the end: the gateway's ledger beside our books, and everything that must always hold."""

import json
import subprocess
from collections import Counter
from typing import Any

from plugin_backend.demo.expecting import Unexpected, expect
from plugin_backend.demo.seed import LUNA, NORDLYS
from plugin_backend.demo.stage import Json, Stage

_SECONDS = 60.0


def ledgers_agree(stage: Stage) -> Json:
    """Every capture stands in both, once, with the same amount; and the books hold."""
    asked = [
        stage.command("collections", "list", "--shop", stage.shop_id(shop), "--limit", "1000")
        for shop in (LUNA, NORDLYS)
    ]
    doctor = stage.command("doctor", "--json")
    ours = Counter(line for one in asked for line in _captured(_answer(one)))
    theirs = Counter(
        (entry["reference"], entry["moved"]["amount"], entry["moved"]["currency"])
        for entry in stage.captures()
    )
    expect(ours == theirs, f"only we have {ours - theirs}, only the gateway has {theirs - ours}")
    expect(set(theirs.values()) == {1}, f"captured more than once: {theirs}")
    found = _answer(doctor)
    expect(not found["broken"], f"the books do not hold: {found['broken']}")
    return {"captures": sum(ours.values()), "doctor": found}


def _captured(collections: list[Json]) -> list[tuple[str, int, str]]:
    return [
        (attempt["reference"], attempt["amount"]["amount"], attempt["amount"]["currency"])
        for collection in collections
        for attempt in collection["attempts"]
        if attempt["state"] == "succeeded"
    ]


def _answer(command: "subprocess.Popen[str]") -> Any:
    said, complained = command.communicate(timeout=_SECONDS)
    if command.returncode not in (0, 1) or not said:
        raise Unexpected(f"{' '.join(map(str, command.args))}: {complained.strip()[-300:]}")  # type: ignore[arg-type]
    return json.loads(said)


STEPS = (("the ledger of the gateway and our books agree", ledgers_agree),)
