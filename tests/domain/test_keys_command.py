"""``reprise keys``: an operator changes keys, sees what stands on them, and is told what does not open."""

import json
from typing import Any

import pytest
from sqlalchemy import event, select, text

from plugin_backend.core.db import db, transaction
from plugin_backend.core.seal import Ring
from plugin_backend.domain.merchants import Shop
from plugin_backend.domain.vault import VaultRoot, holders, keys, retiring, rotation
from plugin_backend.worker.holding import reporting
from tests import vault_story as story
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse, command
from tests.story import begin_plan, states


def told(house: TestHouse, *words: str) -> Any:
    """What ``reprise keys`` says as JSON."""
    done = command(house.settings, "keys", *words, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_a_shops_key_is_changed_by_two_commands_and_its_status_says_so(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        story.customer_with(session, shop, "ana")
    new = told(house, "rotate", "shop", "--shop", shop.id, "--announce")["keys"][0]
    assert (new["state"], new["version"], new["shop"]) == ("pre_active", 2, shop.id)
    done = told(house, "rotate", "shop", "--shop", shop.id, "--activate")
    assert (done["keys"][0]["id"], done["moved"], done["damaged"]) == (new["id"], 4, [])
    assert told(house, "rotate", "shop", "--shop", shop.id, "--activate") == {
        "keys": [],
        "moved": 0,
        "damaged": [],
    }
    rows = told(house, "status", "--shop", shop.id)["shops"][shop.id]
    assert [(row["kind"], row["state"], row["count"], row["keys"], row["records"]) for row in rows] == [
        ("index", "active", 1, 0, 1),
        ("intake", "active", 1, 0, 0),
        ("shop", "decrypt_only", 1, 0, 0),
        ("shop", "active", 1, 3, 1),
        ("customer", "active", 1, 0, 1),
    ]
    assert told(house, "verify", "--shop", shop.id) == {"keys": 5, "records": 2, "damaged": []}


def test_what_does_not_open_is_named_by_its_id(house: TestHouse, shop: Shop) -> None:
    with house.of(shop) as session:
        row = story.customer_with(session, shop, "ana")
        whole = row.sealed or b""
        swap = text("UPDATE payment_methods SET sealed = :bytes WHERE id = :id")
        session.flush()
        session.execute(swap, {"bytes": whole[:-1] + bytes([whole[-1] ^ 1]), "id": row.id})
    verified = command(house.settings, "keys", "verify", "--shop", shop.id)
    assert verified.returncode == 1
    assert f"does not open: {shop.id} payment_methods {row.id}" in verified.stdout


def test_a_customers_key_is_asked_for_with_its_shop(house: TestHouse, shop: Shop) -> None:
    for words in (["customer", "--shop", shop.id], ["customer", "--customer", "cus_1"]):
        refused = command(house.settings, "keys", "rotate", *words, "--announce")
        assert refused.returncode == 2
        assert "needs --shop and --customer" in refused.stderr
    nobody = ["customer", "--shop", shop.id, "--customer", "cus_1"]
    refused = command(house.settings, "keys", "rotate", *nobody, "--announce")
    assert (refused.returncode, refused.stderr) == (1, "reprise: there is no customer key yet\n")


def test_a_root_key_is_not_activated_while_a_living_process_does_not_hold_it(
    house: TestHouse, shop: Shop
) -> None:
    with reporting(house.worker):
        new = story.new_root(house)
        with house.worker.app_context():
            with transaction(None) as session:
                assert rotation.announce_root(session).id == new
            with transaction(None) as session, pytest.raises(rotation.NotNow, match=f"{new} is not held by"):
                rotation.activate_root(session)
        refused = command(house.settings, "keys", "rotate", "root", "--activate")
        assert refused.returncode == 1
        assert len(refused.stderr.splitlines()) == 1
        _grow_old(house, "2 minutes")
        assert command(house.settings, "keys", "rotate", "root", "--activate").returncode == 1
        _grow_old(house, "1 minute 1 second")
        assert told(house, "rotate", "root", "--activate")["keys"] == [{"id": new, "state": "active"}]
    shown = {row["id"]: row for row in told(house, "status")["roots"]}
    assert shown[new]["state"] == "active"
    assert all(row["keys"] == 0 for row in shown.values() if row["id"] != new)
    with house.worker.app_context(), transaction(None) as session:
        assert holders.living(session) == []
        old = session.scalars(select(VaultRoot.id).where(VaultRoot.state == "decrypt_only")).all()
        assert retiring.destroy_roots(session, story.later()) == sorted(old)


def test_a_process_that_reports_again_holds_what_it_was_given_since(house: TestHouse) -> None:
    with reporting(house.worker), house.worker.app_context():
        new = story.new_root(house)
        with transaction(None) as session:
            (holder,) = holders.living(session)
            assert new not in holder.roots
            holders.report(session, holder.id)
        with transaction(None) as session:
            (holder,) = holders.living(session)
            assert new in holder.roots


def _grow_old(house: TestHouse, span: str) -> None:
    with house.worker.app_context(), transaction(None) as session:
        older = text("UPDATE vault_holders SET seen_at = seen_at - CAST(:span AS interval)")
        session.execute(older, {"span": span})


def test_a_charge_whose_keys_are_at_hand_asks_the_database_for_none(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess
) -> None:
    house.worker.extensions["reprise"].ring = Ring(kept=3600.0)
    begin_plan(house, paying_shop, gateway)
    house.travel(paying_shop, days=32)
    assert states(house, paying_shop)[:2] == ["paid", "paid"]
    seen: list[tuple[str, Any]] = []
    with house.worker.app_context():
        engine = db.engine

    def see(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        seen.append((statement, values))

    event.listen(engine, "before_cursor_execute", see)
    try:
        house.travel(paying_shop, days=32)
    finally:
        event.remove(engine, "before_cursor_execute", see)
    assert states(house, paying_shop) == ["paid", "paid", "paid"]
    assert any("INSERT INTO attempts" in statement for statement, _ in seen)
    # The log is sealed every minute, and old keys are looked for every day: neither is a charge.
    asked = [
        statement
        for statement, values in seen
        if "FROM vault_keys" in statement
        and "retired_at <=" not in statement
        and dict(values).get("kind_1") != keys.AUDIT
    ]
    assert asked == []
