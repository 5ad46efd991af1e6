"""The table of a message's states, read pair by pair (design: States; law 1)."""

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.message_state import ALLOWED_MOVES, COUNTED, OUTSTANDING, UNSTARTED, MessageState, may_move

S = MessageState

EXPECTED_MOVES = {
    (S.PLANNED, S.CLAIMED),
    (S.PLANNED, S.CANCELLED),
    (S.CLAIMED, S.PLANNED),
    (S.CLAIMED, S.WIRE),
    (S.CLAIMED, S.REFUSED),
    (S.CLAIMED, S.DEFERRED),
    (S.CLAIMED, S.GAVE_UP),
    (S.CLAIMED, S.QUARANTINED),
    (S.CLAIMED, S.CANCELLED),
    (S.WIRE, S.ACCEPTED),
    (S.WIRE, S.REFUSED),
    (S.WIRE, S.DEFERRED),
    (S.WIRE, S.GAVE_UP),
    (S.WIRE, S.UNKNOWN),
    (S.DEFERRED, S.CLAIMED),
    (S.DEFERRED, S.CANCELLED),
    (S.DEFERRED, S.GAVE_UP),
    (S.DEFERRED, S.PLANNED),
    (S.UNKNOWN, S.ACCEPTED),
    (S.UNKNOWN, S.REFUSED),
    (S.UNKNOWN, S.PLANNED),
}
TERMINAL = {S.ACCEPTED, S.REFUSED, S.GAVE_UP, S.QUARANTINED, S.CANCELLED}


def reachable(start: S, without: frozenset[tuple[S, S]] = frozenset()) -> set[S]:
    """The states that some sequence of moves reaches from `start`, not using the moves in `without`."""
    found = {start}
    frontier = [start]
    while frontier:
        state = frontier.pop()
        fresh = {target for target in ALLOWED_MOVES[state] if (state, target) not in without} - found
        found |= fresh
        frontier.extend(fresh)
    return found


@pytest.mark.parametrize(("current", "target"), list(product(MessageState, MessageState)))
def test_each_pair_of_states_is_a_move_or_not(current: S, target: S) -> None:
    assert may_move(current, target) is ((current, target) in EXPECTED_MOVES)


def test_every_state_has_a_row() -> None:
    assert set(ALLOWED_MOVES) == set(MessageState)


def test_every_state_can_be_reached_from_planned() -> None:
    assert reachable(S.PLANNED) == set(MessageState)


@pytest.mark.parametrize("state", MessageState)
def test_no_state_is_left_to_itself(state: S) -> None:
    assert state not in ALLOWED_MOVES[state]


@pytest.mark.parametrize("state", MessageState)
def test_a_state_without_moves_is_an_end(state: S) -> None:
    assert (not ALLOWED_MOVES[state]) is (state in TERMINAL)


@pytest.mark.parametrize("state", MessageState)
def test_from_every_state_an_end_can_be_reached(state: S) -> None:
    assert reachable(state) & TERMINAL


def test_the_body_leaves_only_from_claimed() -> None:
    assert {state for state in MessageState if may_move(state, S.WIRE)} == {S.CLAIMED}


def test_only_the_wire_is_accepted_or_unknown_at_first_hand() -> None:
    assert {state for state in MessageState if may_move(state, S.UNKNOWN)} == {S.WIRE}
    assert {state for state in MessageState if may_move(state, S.ACCEPTED)} == {S.WIRE, S.UNKNOWN}


def test_what_is_unknown_is_never_sent_again_but_by_an_operator() -> None:
    resend = frozenset({(S.UNKNOWN, S.PLANNED)})
    assert reachable(S.UNKNOWN, without=resend) == {S.UNKNOWN, S.ACCEPTED, S.REFUSED}


def test_what_is_on_the_wire_is_sent_again_only_after_a_definite_temporary_answer() -> None:
    known_answers = frozenset({(S.WIRE, S.DEFERRED), (S.UNKNOWN, S.PLANNED)})
    assert S.CLAIMED not in reachable(S.WIRE, without=known_answers)


def test_what_is_on_the_wire_cannot_be_called_back() -> None:
    assert not may_move(S.WIRE, S.CANCELLED)
    assert not may_move(S.UNKNOWN, S.CANCELLED)


def test_unstarted_messages_can_all_be_cancelled() -> None:
    assert all(may_move(state, S.CANCELLED) for state in UNSTARTED)


def test_unstarted_messages_wait_for_a_claim() -> None:
    assert {state for state in MessageState if may_move(state, S.CLAIMED)} == UNSTARTED


def test_every_state_is_outstanding_or_counted_or_cancelled() -> None:
    assert OUTSTANDING | COUNTED | {S.CANCELLED} == set(MessageState)
    assert not OUTSTANDING & COUNTED
    assert S.CANCELLED not in OUTSTANDING | COUNTED


def test_unstarted_messages_are_outstanding() -> None:
    assert UNSTARTED < OUTSTANDING


def test_state_names_fit_their_column() -> None:
    assert all(len(state) <= 24 for state in MessageState)


@given(st.lists(st.sampled_from(MessageState), max_size=40))
def test_no_walk_through_the_table_leaves_an_end(targets: list[S]) -> None:
    state, ended_as = S.PLANNED, None
    for target in targets:
        if may_move(state, target):
            state = target
        ended_as = ended_as or (state if state in TERMINAL else None)
    assert ended_as is None or state is ended_as


@given(st.lists(st.sampled_from(MessageState), max_size=60))
def test_between_two_times_on_the_wire_lies_a_temporary_answer_or_an_operator(targets: list[S]) -> None:
    state, walked = S.PLANNED, [S.PLANNED]
    for target in targets:
        if may_move(state, target):
            state = target
            walked.append(target)
    on_wire = [index for index, visited in enumerate(walked) if visited is S.WIRE]
    for first, second in pairwise(on_wire):
        between = walked[first + 1 : second]
        assert S.DEFERRED in between or S.UNKNOWN in between
