"""The next run: looked at without changing anything, held back and let go, on the page and by command."""

import json
from typing import Any

import pytest

from plugin_backend.core.config import Config
from plugin_backend.domain import merchants
from plugin_backend.domain.merchants import Shop
from tests import story
from tests.contract.gateway_process import SandboxProcess
from tests.house import TestHouse, command
from tests.unit.html_checks import text_of
from tests.web.test_dashboard import Operator, signed_in


@pytest.fixture
def operator(house: TestHouse, paying_shop: Shop) -> Operator:
    return signed_in(house, paying_shop.merchant_id)


def run(settings: Config, *words: str) -> Any:
    """What ``reprise run ... --json`` tells."""
    done = command(settings, "run", *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_falls_due_is_shown_with_who_how_much_when_and_why(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, operator: Operator
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    assert "Nothing falls due" in text_of(operator.get(f"/shops/{paying_shop.id}/run").text)
    due = story.collections(house, paying_shop)[1].scheduled_at
    house.travel(paying_shop, seconds=(due - house.now(paying_shop)).total_seconds() - 3600)
    before = story.states(house, paying_shop)

    page = text_of(operator.get(f"/shops/{paying_shop.id}/run").text)

    assert story.EMAIL in page and "33.33" in page and "Planned" in page
    assert story.states(house, paying_shop) == before


def test_the_run_is_held_and_let_go_by_a_button(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, operator: Operator
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    house.travel(paying_shop, days=24)
    page = f"/shops/{paying_shop.id}/run"
    assert operator.post(page, days="3").status_code == 303
    house.travel(paying_shop, days=2)
    assert story.states(house, paying_shop)[1] == "scheduled"
    shown = text_of(operator.get(page).text)
    assert "The run is held until" in shown and "The run is held back by the shop" in shown

    assert operator.post(page, days="0").status_code == 303
    house.rest(paying_shop)
    assert story.states(house, paying_shop)[1] == "paid"


def test_an_account_is_paused_and_resumed_by_a_button(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, operator: Operator
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    with house.of(paying_shop) as session:
        account = merchants.active_account(session, paying_shop.id).id
    page = f"/shops/{paying_shop.id}/run/accounts/{account}"
    assert operator.post(page, verb="pause").status_code == 303
    house.travel(paying_shop, days=26)
    assert story.states(house, paying_shop)[1] == "scheduled"
    assert operator.post(page, verb="resume").status_code == 303
    house.rest(paying_shop)
    assert story.states(house, paying_shop)[1] == "paid"


@pytest.mark.parametrize("form", [{}, {"days": "2"}, {"days": "-1"}, {"days": "x"}, {"days": "99999999"}])
def test_another_span_is_refused(paying_shop: Shop, operator: Operator, form: dict[str, str]) -> None:
    assert operator.post(f"/shops/{paying_shop.id}/run", **form).status_code == 400


def test_an_account_of_nobody_is_not_there(paying_shop: Shop, operator: Operator) -> None:
    for account in ("gwa_x", "gwa_01m82b8w2ce2eaqe4cvx6recm6"):
        page = f"/shops/{paying_shop.id}/run/accounts/{account}"
        assert operator.post(page, verb="pause").status_code == 404
        assert operator.post(page, verb="stop").status_code == 400


def test_the_command_shows_holds_and_releases(
    house: TestHouse,
    paying_shop: Shop,
    gateway: SandboxProcess,
    settings: Config,
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    of_shop = ("--shop", paying_shop.id)
    assert run(settings, "show", *of_shop) == []
    [found] = run(settings, "show", *of_shop, "--within", "26d")
    assert (found["customer"], found["amount"], found["held"]) == (
        story.EMAIL,
        {"amount": 3333, "currency": "EUR"},
        "",
    )
    run(settings, "hold", *of_shop, "--for", "30d")
    [found] = run(settings, "show", *of_shop, "--within", "26d")
    assert found["held"] == "run_held"
    run(settings, "release", *of_shop)
    [found] = run(settings, "show", *of_shop, "--within", "26d")
    assert found["held"] == ""


def test_an_account_is_paused_and_resumed_by_command(
    house: TestHouse, paying_shop: Shop, gateway: SandboxProcess, settings: Config
) -> None:
    story.begin_plan(house, paying_shop, gateway)
    of_shop = ("--shop", paying_shop.id)
    paused = run(settings, "pause", *of_shop)
    assert paused["paused"] is True
    [found] = run(settings, "show", *of_shop, "--within", "26d")
    assert found["held"] == "account_paused"
    assert run(settings, "resume", *of_shop, "--account", paused["id"])["paused"] is False
    [found] = run(settings, "show", *of_shop, "--within", "26d")
    assert found["held"] == ""
