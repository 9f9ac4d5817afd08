"""The state machines, walked: nothing is unreachable, nothing is stuck, and moving is checking."""

import ast
import inspect
import textwrap
from typing import get_args

import pytest

from plugin_backend.core.render import codes
from plugin_backend.domain import billing, invariants, moves, states
from plugin_backend.domain.billing import guards, recording
from plugin_backend.domain.states import MACHINES, START, IllegalMove
from plugin_backend.sdk import gateway as sdk

NOUNS = sorted(MACHINES)
FINAL = {
    "delivery": set(),
    "cart": {"recovered"},
    "offer": {"not_sent", "accepted", "withdrawn", "expired"},
    "setup": {"completed", "failed", "expired"},
    "plan": {"completed", "cancelled", "withdrawn"},
    "collection": {"void", "lost"},
    "attempt": {"succeeded", "declined", "not_executed", "closed"},
    "refund": {"declined", "not_executed", "reversed", "void"},
    "dispute": {"won", "lost"},
    "message": {"suppressed"},
    "out": {"sent", "dropped"},
    "account": set(),
    "key": {"destroyed"},
    "erasure": {"shredded"},
    "handover": {"connected"},
    "enrolment": {"connected"},
    "recall": {"found", "none"},
    "secret": {"alone"},
    "inquiry": {"offered", "refused"},
    "opt_in": {"confirmed", "expired"},
    "case": {"resolved"},
}


def known(noun: str) -> set[str]:
    return {state for edge in MACHINES[noun] for state in edge} - {START}


def reached(noun: str, start: str) -> set[str]:
    """Every state that some walk from ``start`` comes to."""
    found, to_look_at = set(), [start]
    while to_look_at:
        here = to_look_at.pop()
        further = {after for before, after in MACHINES[noun] if before == here} - found
        found |= further
        to_look_at += further
    return found


@pytest.mark.parametrize("noun", NOUNS)
def test_every_state_can_be_reached_from_the_start(noun: str) -> None:
    assert reached(noun, START) == known(noun)


@pytest.mark.parametrize("noun", NOUNS)
def test_the_final_states_are_those_that_are_meant_to_be(noun: str) -> None:
    assert states.final(noun) == FINAL[noun]


@pytest.mark.parametrize("noun", NOUNS)
def test_from_every_state_that_is_not_final_there_is_a_way_to_an_end(noun: str) -> None:
    ends = FINAL[noun] or {"read", "passed"}
    for state in known(noun) - ends:
        assert reached(noun, state) & ends, state


@pytest.mark.parametrize("noun", NOUNS)
def test_every_edge_has_its_reason_and_leads_elsewhere(noun: str) -> None:
    for (before, after), reason in MACHINES[noun].items():
        assert reason.strip()
        assert before != after
        assert after != START


@pytest.mark.parametrize("noun", NOUNS)
def test_moving_is_checking(noun: str) -> None:
    everything = known(noun) | {START, "elsewhere"}
    for before in everything:
        for after in everything:
            if (before, after) in MACHINES[noun]:
                states.check(noun, before, after)
            else:
                with pytest.raises(IllegalMove):
                    states.check(noun, before, after)


def test_every_noun_with_a_state_has_a_machine_and_a_check_of_its_history() -> None:
    nouns = {row.noun for row in moves.Stateful.__subclasses__()}
    assert nouns == set(MACHINES)
    for noun in nouns - {"delivery"}:
        assert f"a {noun} stands where no move led" in invariants._histories()


def test_an_open_attempt_can_take_whatever_a_gateway_answers() -> None:
    """However an attempt stands, any outcome of a look-up finds an edge, or leaves it where it is."""
    answers = {"succeeded", "declined", "requires_action", "pending", "not_executed", "in_doubt"}
    for state in billing.OPEN:
        for answer in answers - {state}:
            states.check("attempt", state, answer)
    for state in ("requires_action", "in_doubt"):
        states.check("attempt", state, "closed")


def test_a_collection_can_follow_its_attempt_wherever_that_goes() -> None:
    follows = {"paid", "retry_wait", "exhausted", "requires_action", "in_doubt", "in_flight", "due", "void"}
    for state in ("in_flight", "requires_action", "in_doubt"):
        for after in follows - {state}:
            states.check("collection", state, after)


def test_every_outcome_of_the_gateway_port_is_handled_by_name_where_it_is_recorded() -> None:
    outcomes = {outcome.__name__ for outcome in (*get_args(sdk.Outcome), sdk.Closed)}
    tree = ast.parse(textwrap.dedent(inspect.getsource(recording._enter)))
    handled = {
        ast.unparse(case.pattern.cls).rpartition(".")[2]
        for case in ast.walk(tree)
        if isinstance(case, ast.match_case) and isinstance(case.pattern, ast.MatchClass)
    }
    assert handled == outcomes


def test_every_hold_has_words() -> None:
    assert set(get_args(guards.Why)) == set(codes.HOLDS)
