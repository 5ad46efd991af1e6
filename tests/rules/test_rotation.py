"""Fair and exact rotation (design: Rotation; promise B2)."""

from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.rotation import Choice, CredentialLoad, RotationReason, choose_credential

ALICE, BOB, CAROL = UUID(int=1), UUID(int=2), UUID(int=3)
R = RotationReason


def load(
    credential_id: UUID,
    used: int = 0,
    limit: int = 50,
    *,
    enabled: bool = True,
    open: bool = True,  # noqa: A002  # the field's own name
    backing_off: bool = False,
) -> CredentialLoad:
    return CredentialLoad(credential_id, used, limit, enabled=enabled, open=open, backing_off=backing_off)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Credentials in the order in which they take the next contacts, and why the list ends."""

    credential_ids: tuple[UUID, ...]
    reason: RotationReason


def assign(loads: list[CredentialLoad], count: int) -> Assignment:
    """Deal out `count` contacts: choose again and again, each choice taking one unit."""
    current = {one.credential_id: one for one in loads}
    taken: list[UUID] = []
    while len(taken) < count:
        choice = choose_credential(current.values())
        if choice.credential_id is None:
            return Assignment(tuple(taken), choice.reason)
        one = current[choice.credential_id]
        current[one.credential_id] = replace(one, used=one.used + 1)
        taken.append(one.credential_id)
    return Assignment(tuple(taken), R.CHOSEN)


def chosen(*loads: CredentialLoad) -> UUID | None:
    return choose_credential(loads).credential_id


@st.composite
def any_loads(draw: st.DrawFn) -> list[CredentialLoad]:
    """Credentials in any condition, overdrawn days and limits of zero included."""
    ids = draw(st.lists(st.uuids(), max_size=8, unique=True))
    return [
        CredentialLoad(
            credential_id,
            used=draw(st.integers(0, 120)),
            limit=draw(st.integers(0, 100)),
            enabled=draw(st.booleans()),
            open=draw(st.booleans()),
            backing_off=draw(st.booleans()),
        )
        for credential_id in ids
    ]


@st.composite
def healthy_loads(draw: st.DrawFn, *, level: bool) -> list[CredentialLoad]:
    """Two to eight healthy credentials of one limit, with the same start (`level`) or any."""
    ids = draw(st.lists(st.uuids(), min_size=2, max_size=8, unique=True))
    limit = draw(st.integers(1, 60))
    common = draw(st.integers(0, limit))
    return [
        CredentialLoad(credential_id, used=common if level else draw(st.integers(0, limit)), limit=limit)
        for credential_id in ids
    ]


def after(loads: list[CredentialLoad], assignment: Assignment) -> dict[UUID, int]:
    """How much of each credential's day is used once the assignment is carried out."""
    used = Counter({one.credential_id: one.used for one in loads})
    used.update(assignment.credential_ids)
    return dict(used)


# Choosing one


def test_the_least_loaded_credential_is_chosen() -> None:
    assert choose_credential([load(ALICE, 3), load(BOB, 2), load(CAROL, 4)]) == Choice(BOB, R.CHOSEN)


def test_load_is_relative_to_the_limit() -> None:
    assert chosen(load(ALICE, 10, limit=100), load(BOB, 2, limit=10)) == ALICE


def test_equal_shares_go_to_the_one_that_sent_less() -> None:
    assert chosen(load(ALICE, 10, limit=100), load(BOB, 1, limit=10)) == BOB


def test_full_ties_go_to_the_smaller_id() -> None:
    assert chosen(load(CAROL), load(BOB), load(ALICE)) == ALICE


def test_at_the_start_of_the_day_the_size_of_a_limit_does_not_matter() -> None:
    assert chosen(load(BOB, 0, limit=1_000), load(ALICE, 0, limit=1)) == ALICE


def test_shares_that_floats_cannot_tell_apart_are_told_apart() -> None:
    huge = 10**17
    busier = load(ALICE, huge, limit=huge + 1)
    lighter = load(BOB, huge - 1, limit=huge)
    assert busier.used / busier.limit == lighter.used / lighter.limit, "the example no longer fools floats"
    assert chosen(busier, lighter) == BOB


def test_a_disabled_credential_is_passed_over() -> None:
    assert chosen(load(ALICE, 0, enabled=False), load(BOB, 49)) == BOB


def test_a_credential_at_its_limit_is_passed_over() -> None:
    assert chosen(load(ALICE, 1, limit=1), load(BOB, 49)) == BOB


def test_a_credential_past_a_lowered_limit_is_passed_over() -> None:
    assert chosen(load(ALICE, 30, limit=10), load(BOB, 49)) == BOB


def test_a_limit_of_zero_never_takes_part() -> None:
    assert chosen(load(ALICE, 0, limit=0), load(BOB, 49)) == BOB


def test_a_credential_whose_server_is_left_alone_is_passed_over() -> None:
    assert chosen(load(ALICE, 0, backing_off=True), load(BOB, 49)) == BOB


def test_the_least_loaded_without_a_slot_is_not_passed_over() -> None:
    assert choose_credential([load(ALICE, 0, open=False), load(BOB, 49)]) == Choice(None, R.GAP)


def test_a_busier_one_without_a_slot_does_not_matter() -> None:
    assert chosen(load(ALICE, 0), load(BOB, 1, open=False)) == ALICE


# Choosing none


def test_without_credentials_nobody_is_chosen() -> None:
    assert choose_credential([]) == Choice(None, R.NO_ENABLED_CREDENTIAL)


def test_with_all_disabled_the_reason_is_not_the_cap() -> None:
    full_but_disabled = load(ALICE, 50, enabled=False)
    assert choose_credential([full_but_disabled]) == Choice(None, R.NO_ENABLED_CREDENTIAL)


def test_with_all_enabled_ones_full_the_reason_is_the_cap() -> None:
    loads = [load(ALICE, 50), load(BOB, 50), load(CAROL, 0, enabled=False)]
    assert choose_credential(loads) == Choice(None, R.DAILY_CAP)


def test_with_room_only_where_the_server_is_left_alone_the_reason_is_back_off() -> None:
    loads = [load(ALICE, 50), load(BOB, 3, backing_off=True)]
    assert choose_credential(loads) == Choice(None, R.BACK_OFF)


def test_a_full_credential_that_backs_off_counts_as_full() -> None:
    assert choose_credential([load(ALICE, 50, backing_off=True)]) == Choice(None, R.DAILY_CAP)


# Choosing many times


def test_contacts_are_dealt_out_in_turn() -> None:
    assignment = assign([load(ALICE), load(BOB), load(CAROL)], 7)
    assert assignment == Assignment((ALICE, BOB, CAROL, ALICE, BOB, CAROL, ALICE), R.CHOSEN)


def test_a_credential_that_lags_behind_is_levelled_first() -> None:
    assignment = assign([load(ALICE, 5), load(BOB, 2)], 5)
    assert assignment.credential_ids == (BOB, BOB, BOB, ALICE, BOB)


def test_limits_of_three_to_one_share_three_to_one() -> None:
    assignment = assign([load(ALICE, limit=30), load(BOB, limit=10)], 20)
    assert Counter(assignment.credential_ids) == {ALICE: 15, BOB: 5}


def test_assigning_stops_at_the_daily_cap_and_says_so() -> None:
    assignment = assign([load(ALICE, 49), load(BOB, 49)], 5)
    assert assignment == Assignment((ALICE, BOB), R.DAILY_CAP)


def test_assigning_exactly_up_to_the_cap_is_complete() -> None:
    assert assign([load(ALICE, 49), load(BOB, 49)], 2) == Assignment((ALICE, BOB), R.CHOSEN)


def test_assigning_stops_where_the_turn_comes_to_one_without_a_slot() -> None:
    assignment = assign([load(ALICE, 0), load(BOB, 1, open=False)], 5)
    assert assignment == Assignment((ALICE, ALICE), R.GAP)


def test_assigning_stops_when_only_backing_off_ones_have_room() -> None:
    assignment = assign([load(ALICE, 48), load(BOB, backing_off=True)], 5)
    assert assignment == Assignment((ALICE, ALICE), R.BACK_OFF)


def test_assigning_nothing_is_complete_even_without_credentials() -> None:
    assert assign([], 0) == Assignment((), R.CHOSEN)


def test_assigning_without_an_enabled_credential_says_so() -> None:
    assert assign([load(ALICE, enabled=False)], 3) == Assignment((), R.NO_ENABLED_CREDENTIAL)


# Properties


@given(healthy_loads(level=True), st.integers(0, 500))
def test_equal_credentials_never_differ_by_more_than_one(loads: list[CredentialLoad], count: int) -> None:
    used = after(loads, assign(loads, count)).values()
    assert max(used) - min(used) <= 1


@given(healthy_loads(level=False), st.integers(0, 500))
def test_unequal_starts_only_ever_level(loads: list[CredentialLoad], count: int) -> None:
    before = [one.used for one in loads]
    used = after(loads, assign(loads, count)).values()
    assert max(used) - min(used) <= max(1, max(before) - min(before))


@given(healthy_loads(level=False))
def test_enough_contacts_make_any_start_level(loads: list[CredentialLoad]) -> None:
    highest = max(one.used for one in loads)
    needed = sum(highest - one.used for one in loads)
    assert set(after(loads, assign(loads, needed)).values()) == {highest}


@given(healthy_loads(level=True), st.data())
def test_a_credential_that_joins_or_leaves_at_random_does_not_unbalance_the_others(
    loads: list[CredentialLoad],
    data: st.DataObject,
) -> None:
    always = {one.credential_id for one in loads[1:]}
    for _ in range(data.draw(st.integers(0, 60))):
        enabled = data.draw(st.booleans())
        loads[0] = replace(loads[0], enabled=enabled)
        choice = choose_credential(loads)
        loads = [replace(one, used=one.used + 1) if one.credential_id == choice.credential_id else one for one in loads]
        used = [one.used for one in loads if one.credential_id in always]
        assert max(used) - min(used) <= 1


@given(any_loads())
def test_what_is_chosen_is_enabled_open_healthy_and_has_room(loads: list[CredentialLoad]) -> None:
    choice = choose_credential(loads)
    by_id = {one.credential_id: one for one in loads}
    assert (choice.credential_id is None) == (choice.reason is not R.CHOSEN)
    if choice.credential_id is not None:
        one = by_id[choice.credential_id]
        assert one.enabled
        assert one.open
        assert not one.backing_off
        assert one.used < one.limit


@given(any_loads())
def test_nobody_who_could_be_chosen_has_a_smaller_share(loads: list[CredentialLoad]) -> None:
    choice = choose_credential(loads)
    if choice.credential_id is None:
        return
    takes_part = [one for one in loads if one.enabled and one.has_room and not one.backing_off]
    share = {one.credential_id: Fraction(one.used, one.limit) for one in takes_part}
    assert share[choice.credential_id] == min(share.values())


@given(any_loads())
def test_every_reason_for_nobody_is_true(loads: list[CredentialLoad]) -> None:
    enabled = [one for one in loads if one.enabled]
    with_room = [one for one in enabled if one.used < one.limit]
    healthy = [one for one in with_room if not one.backing_off]
    truths = {
        R.NO_ENABLED_CREDENTIAL: not enabled,
        R.DAILY_CAP: bool(enabled) and not with_room,
        R.BACK_OFF: bool(with_room) and not healthy,
        R.GAP: any(not one.open for one in healthy),
        R.CHOSEN: any(one.open for one in healthy),
    }
    assert truths[choose_credential(loads).reason]


@given(any_loads(), st.randoms())
def test_the_order_of_the_list_does_not_matter(loads: list[CredentialLoad], shuffler: Random) -> None:
    shuffled = list(loads)
    shuffler.shuffle(shuffled)
    assert choose_credential(shuffled) == choose_credential(loads)


@given(any_loads(), st.integers(0, 200))
def test_an_assignment_never_goes_past_a_limit(loads: list[CredentialLoad], count: int) -> None:
    assignment = assign(loads, count)
    taken = Counter(assignment.credential_ids)
    for one in loads:
        assert taken[one.credential_id] <= max(0, one.limit - one.used)


@given(any_loads(), st.integers(0, 200))
def test_an_assignment_is_complete_or_says_why_not(loads: list[CredentialLoad], count: int) -> None:
    assignment = assign(loads, count)
    assert (assignment.reason is R.CHOSEN) == (len(assignment.credential_ids) == count)


@given(any_loads(), st.integers(0, 100), st.integers(0, 100))
def test_two_ticks_assign_what_one_would(loads: list[CredentialLoad], first: int, second: int) -> None:
    whole = assign(loads, first + second)
    start = assign(loads, first)
    taken = Counter(start.credential_ids)
    later = [replace(one, used=one.used + taken[one.credential_id]) for one in loads]
    assert start.credential_ids + assign(later, second).credential_ids == whole.credential_ids


@given(healthy_loads(level=False))
def test_everything_that_is_left_today_can_be_assigned(loads: list[CredentialLoad]) -> None:
    left = sum(one.limit - one.used for one in loads)
    assignment = assign(loads, left + 1)
    assert len(assignment.credential_ids) == left
    assert assignment.reason is R.DAILY_CAP


@pytest.mark.parametrize("size", [2, 3, 7, 50])
def test_a_whole_day_is_shared_to_the_last_message(size: int) -> None:
    loads = [load(UUID(int=number), limit=20) for number in range(1, size + 1)]
    assert set(Counter(assign(loads, size * 20).credential_ids).values()) == {20}
