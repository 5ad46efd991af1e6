"""When mailboxes are read: at their times, later after failures, one of a login, so many of a host."""

import uuid
from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.poll_choice import HOST_CONVERSATIONS, DueMailbox, UnderWay, choose_mailboxes
from dispatch.rules.poll_timing import LARGEST_BATCH, LONGEST_BACK_OFF, SPREAD, batch_size, next_poll

EVERY = timedelta(minutes=3)


def due(login: str, host: str = "imap.a.example", *, is_failing: bool = False) -> DueMailbox:
    return DueMailbox(uuid.uuid4(), login, host, is_failing)


def names(chosen: list[DueMailbox]) -> list[str]:
    return [mailbox.login for mailbox in chosen]


@given(failures=st.integers(0, 10_000), seed=st.integers())
def test_the_wait_doubles_with_each_failure_up_to_an_hour(failures: int, seed: int) -> None:
    expected = min(EVERY * 2 ** min(failures, 20), LONGEST_BACK_OFF)
    wait = next_poll(EVERY, failures, Random(seed))
    assert expected * (1 - SPREAD) <= wait <= expected * (1 + SPREAD)


def test_a_rare_poll_is_not_hurried_by_failures() -> None:
    assert next_poll(timedelta(hours=5), 3, Random(1)) > timedelta(hours=4)


def test_batches_shrink_with_failures_to_single_mails() -> None:
    assert [batch_size(failures) for failures in (0, 1, 2, 3, 4, 100)] == [LARGEST_BATCH, 50, 12, 3, 1, 1]


def test_one_login_is_read_once_at_a_time() -> None:
    chosen = choose_mailboxes([due("a"), due("a"), due("b"), due("c")], UnderWay({"b"}), room=9, conversations=9)
    assert names(chosen) == ["a", "c"]


def test_a_host_gets_so_many_conversations_and_others_go_on() -> None:
    under_way = UnderWay(hosts={"imap.a.example": HOST_CONVERSATIONS - 1})
    waiting = [due("a"), due("b"), due("c", "imap.b.example")]
    assert names(choose_mailboxes(waiting, under_way, room=9, conversations=200)) == ["a", "c"]


def test_failing_mailboxes_leave_room_for_the_others() -> None:
    waiting = [due(str(number), f"{number}.example", is_failing=True) for number in range(40)] + [due("good")]
    chosen = choose_mailboxes(waiting, UnderWay(failing=10), room=100, conversations=100)
    assert len(chosen) == 16
    assert chosen[-1].login == "good"


def test_no_more_are_chosen_than_there_is_room_for() -> None:
    assert names(choose_mailboxes([due("a"), due("b")], UnderWay(), room=1, conversations=9)) == ["a"]
    assert choose_mailboxes([due("a")], UnderWay(), room=0, conversations=9) == []
