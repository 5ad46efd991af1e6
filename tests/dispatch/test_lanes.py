"""The deliver loop's lanes: gaps between real transactions, idle lanes that go back, nothing left behind."""

import threading
import time

import pytest
from django.db import transaction
from pytest_django.fixtures import Settings

from ampout.lib import clock
from campaigns.models import Enrollment
from dispatch.models import Lane, Message
from tests.dispatch.conftest import Engine, message_of
from tests.peers.chaos_behaviours import Action, Kind
from tests.peers.chaos_connection import ChaosOptions


def seconds_between(first: Enrollment, second: Enrollment) -> float:
    """From the end of the first contact's transaction to the start of the second one's."""
    started_at = message_of(second).attempt_rows.get().started_at
    assert started_at is not None
    return (started_at - message_of(first).attempt_rows.get().ended_at).total_seconds()


class TestSlowGoodbye:
    """A server that takes its time over QUIT."""

    @pytest.fixture
    def chaos(self) -> ChaosOptions:
        return ChaosOptions(script={"quit": Action(Kind.ANSWER, b"221 2.0.0 Bye\r\n", 1.0)})

    def test_what_comes_while_a_lane_closes_is_sent_all_the_same(self, engine: Engine, settings: Settings) -> None:
        settings.KEEP_CONNECTION_SECONDS = 0
        campaign, _ = engine.released("ok1", credentials=1)
        with engine.running():
            engine.wait_until(lambda: engine.smtp.count("quit") == 1)
            engine.enroll(campaign, "ok2")
            engine.release(campaign)
            engine.wait_until(lambda: len(engine.smtp.log) == 2, seconds=10)
            engine.wait_until(engine.is_settled)
        engine.assert_lawful()


def test_an_idle_lane_goes_back(engine: Engine, settings: Settings) -> None:
    settings.KEEP_CONNECTION_SECONDS = 0
    engine.released("ok1", credentials=1)
    with engine.running():
        engine.wait_until(lambda: len(engine.smtp.log) == 1)
        engine.wait_until(lambda: not Lane.objects.filter(worker_id__isnull=False).exists())
        assert engine.smtp.count("quit") == 1


def test_a_lane_that_went_back_is_served_again(engine: Engine, settings: Settings) -> None:
    settings.KEEP_CONNECTION_SECONDS = 0
    campaign, _ = engine.released("ok1", credentials=1)
    with engine.running():
        engine.wait_until(lambda: not Lane.objects.filter(worker_id__isnull=False).exists() and engine.is_settled(1))
        engine.enroll(campaign, "ok2")
        engine.release(campaign)
        engine.wait_until(lambda: engine.is_settled(2))
    assert len(engine.smtp.log) == 2


def test_the_gap_runs_from_the_end_of_a_slow_transaction(engine: Engine) -> None:
    """Slots are planned a gap apart; a transaction that takes time moves the next one back."""
    _, [first, second] = engine.released("late-0.8", "ok1", credentials=1, min_wait_seconds=1, max_wait_seconds=1)
    engine.run_until_settled(2)
    gap = seconds_between(first, second)
    assert gap >= 1
    assert (message_of(second).due_at, message_of(first).state) == (None, "accepted")


def test_the_gap_holds_across_loops_and_connections(engine: Engine) -> None:
    """A new loop knows when the last transaction of the credential ended, whoever made it."""
    _, [first, second] = engine.released("late-0.8", "ok1", credentials=1, min_wait_seconds=1, max_wait_seconds=1)
    engine.run_until(lambda: message_of(first).state == "accepted")
    engine.run_until_settled(2)
    gap = seconds_between(first, second)
    assert gap >= 1


def test_the_gap_also_follows_a_refusal(engine: Engine) -> None:
    _, [first, second] = engine.released("5xx-rcpt", "ok1", credentials=1, min_wait_seconds=1, max_wait_seconds=1)
    engine.run_until_settled(2)
    gap = seconds_between(first, second)
    assert gap >= 1


def test_one_connection_carries_many_messages(engine: Engine) -> None:
    engine.released(*(f"ok{number}" for number in range(10)), credentials=1)
    engine.run_until_settled(10)
    assert (engine.smtp.count("connect"), len(engine.smtp.log)) == (1, 10)


def test_a_loop_that_is_asked_to_stop_settles_what_it_has_sent(engine: Engine) -> None:
    """A settlement that has to wait for somebody's lock is not lost."""
    _, [enrolled] = engine.released("ok1", credentials=1)
    stuck = threading.Event()

    def hold_lane() -> None:
        with transaction.atomic():
            list(Lane.objects.select_for_update())
            stuck.set()
            time.sleep(0.5)
        transaction.get_connection().close()

    with engine.running():
        engine.wait_until(lambda: engine.smtp.count("data") == 0 and Lane.objects.exists())
        engine.wait_until(lambda: len(engine.smtp.log) == 1)
        holder = threading.Thread(target=hold_lane)
        holder.start()
        assert stuck.wait(5)
    holder.join(5)
    assert message_of(enrolled).state == "accepted"
    engine.assert_lawful()


def test_a_loop_that_stops_gives_back_what_it_holds(engine: Engine) -> None:
    engine.released("ok1", "ok2", credentials=1, min_wait_seconds=20, max_wait_seconds=20)
    engine.run_until(lambda: len(engine.smtp.log) == 1 and Message.everywhere.filter(state="claimed").exists())
    waiting = Message.everywhere.exclude(state="accepted").get()
    assert (waiting.state, waiting.worker_id) == ("planned", None)
    assert waiting.due_at is not None
    assert waiting.due_at > clock.utc_now()
    assert not Lane.objects.filter(worker_id__isnull=False).exists()
    engine.assert_lawful()
