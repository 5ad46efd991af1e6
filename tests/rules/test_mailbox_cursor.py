"""Cursors: nothing is read twice, nothing that shows late is missed, and numbers that changed mean nothing."""

from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.mailbox_cursor import (
    HIGHEST_UID,
    WINDOW,
    Cursor,
    advance,
    begin,
    leave_alone,
    must_begin_anew,
    spell_set,
    split_by_weight,
    still_to_read,
    valid_uids,
)

UIDS = st.sets(st.integers(min_value=1, max_value=3_000), max_size=200)


def test_a_search_past_the_end_answers_the_last_mail_which_is_old() -> None:
    cursor = Cursor(1, 10, frozenset({10}))
    assert still_to_read(cursor, [10]) == []


def test_a_number_that_shows_late_is_read() -> None:
    cursor = advance(Cursor(1, 0), [1, 2, 5], [1, 2, 5])
    assert still_to_read(cursor, [1, 2, 4, 5, 6]) == [4, 6]


def test_what_was_asked_and_not_answered_is_asked_again() -> None:
    cursor = advance(Cursor(1, 0), [1, 2, 3], [1, 3])
    assert cursor.last_uid == 3
    assert still_to_read(cursor, [1, 2, 3]) == [2]


def test_late_numbers_below_the_window_are_not_looked_for() -> None:
    cursor = advance(Cursor(1, 0), [WINDOW * 3], [WINDOW * 3])
    assert cursor.search_from == WINDOW * 2 + 1
    assert still_to_read(cursor, [WINDOW * 2, WINDOW * 2 + 1]) == [WINDOW * 2 + 1]


def test_a_new_folder_begins_right_below_what_is_wanted() -> None:
    cursor = leave_alone(begin(7, [90, 95], 100), range(1, 90))
    assert cursor.last_uid == 89
    assert still_to_read(cursor, range(1, 101)) == list(range(90, 101))


def test_a_new_folder_without_anything_wanted_begins_at_its_end() -> None:
    cursor = leave_alone(begin(7, [], 100), range(1, 101))
    assert still_to_read(cursor, range(1, 102)) == [101]


def test_other_numbers_begin_anew() -> None:
    assert must_begin_anew(Cursor(), 1, 5)
    assert must_begin_anew(Cursor(1, 4), 2, 5)
    assert not must_begin_anew(Cursor(1, 4), 1, 5)
    assert not must_begin_anew(Cursor(1, 4), 1, None)


def test_a_next_number_that_was_given_out_before_begins_anew() -> None:
    assert must_begin_anew(Cursor(1, 40), 1, 5)


def test_what_is_no_uid_is_ignored() -> None:
    assert valid_uids([0, -1, HIGHEST_UID + 1, 3, 3, HIGHEST_UID]) == [3, HIGHEST_UID]


@given(arrivals=st.lists(UIDS, min_size=1, max_size=8), size=st.integers(1, 50))
def test_each_mail_is_read_exactly_once_in_whatever_order_numbers_show(arrivals: list[set[int]], size: int) -> None:
    cursor, present, read = Cursor(1), set[int](), list[int]()
    for arrived in arrivals:
        present |= {uid for uid in arrived if uid >= cursor.search_from}
        found = still_to_read(cursor, present)
        while found:
            batch, found = found[:size], found[size:]
            read += batch
            cursor = advance(cursor, batch, batch)
    assert sorted(read) == sorted(present)


@given(uids=UIDS)
def test_the_memory_of_a_cursor_is_bounded(uids: set[int]) -> None:
    cursor = advance(Cursor(1), uids, uids)
    assert len(cursor.recent) <= WINDOW
    assert all(cursor.search_from <= uid <= cursor.last_uid for uid in cursor.recent)


@given(uids=UIDS)
def test_a_set_is_spelled_as_it_is(uids: set[int]) -> None:
    spelled: set[int] = set()
    for part in filter(None, spell_set(uids).split(",")):
        first, _, last = part.partition(":")
        spelled |= set(range(int(first), int(last or first) + 1))
    assert spelled == uids


def test_a_set_is_spelled_shortly() -> None:
    assert spell_set([5, 3, 4, 9, 9]) == "3:5,9"


@given(weights=st.lists(st.integers(0, 100), max_size=50), most=st.integers(1, 200))
def test_runs_keep_their_order_and_their_weight(weights: list[int], most: int) -> None:
    table = dict(enumerate(weights, 1))
    runs = list(split_by_weight(list(table), table, most))
    assert [uid for run in runs for uid in run] == list(table)
    assert all(len(run) == 1 or sum(table[uid] for uid in run) <= most for run in runs)
