"""One scripted story for each boundary of the engine at which money could be taken twice, or lost."""

import pytest

from plugin_backend.sdk import gateway as sdk
from tests.contract.gateway_process import SandboxProcess
from tests.engine_story import PART, Life, live
from tests.house import TestHouse
from tests.letterbox import Letterbox


@pytest.fixture
def life(house: TestHouse, gateway: SandboxProcess, mails: Letterbox) -> Life:
    return live(house, gateway)


def test_a_second_send_that_did_not_happen_says_nothing_of_the_first(
    house: TestHouse, gateway: SandboxProcess, mails: Letterbox
) -> None:
    life = live(house, gateway, "lagging")
    first = life.begun()
    gateway.lose_the_answer()
    life.ask(first)
    life.record(first)
    again = life.replay()
    assert again is not None
    again.outcome = sdk.NotExecuted("no connection could be had")
    life.record(again)
    assert life.tries() == ["in_doubt"]
    life.passes(days=1)
    assert life.captured() == [PART.minor]


def test_a_worker_that_wakes_after_its_request_was_sent_by_another_proves_nothing(
    house: TestHouse, gateway: SandboxProcess, mails: Letterbox
) -> None:
    life = live(house, gateway, "lagging")
    asleep = life.begun()
    gateway.lose_the_answer()
    life.lease_over()
    assert life.tries() == ["in_doubt"]
    assert isinstance(life.ask(asleep), sdk.NotExecuted)
    life.record(asleep)
    life.passes(days=1)
    assert (life.tries(), life.captured()) == (["succeeded"], [PART.minor])
