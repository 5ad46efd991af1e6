"""B5: of two beats one ticks; the other goes on once that one is killed or frozen, or PostgreSQL was restarted."""

import json
import os
import signal
from collections import Counter

import pytest
import redis

from tests.faults.conftest import StartLab
from tests.faults.lab import Lab
from tests.faults.waiting import wait_for

TICK = "dispatch.tasks.plan"
QUEUE = "celery"


class Ticks:
    """What beats have put on the broker, where no worker takes it away."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.broker = redis.Redis.from_url(lab.servers.valkey.url.replace("redis+socket://", "unix://", 1))
        self.broker.delete(QUEUE)

    def by_beat(self) -> Counter[int]:
        """How many ticks each beat has sent, by its process id (Celery's origin: gen<pid>@<host>)."""
        headers = [json.loads(message)["headers"] for message in self.broker.lrange(QUEUE, 0, -1)]
        origins = [header["origin"] for header in headers if header["task"] == TICK]
        return Counter(int(origin.removeprefix("gen").partition("@")[0]) for origin in origins)

    def await_more(self, count: int, *, but_not: int = 0) -> int:
        """Wait for so many ticks of one beat that is not `but_not`; returns which it is."""

        def ticking() -> list[int]:
            return [pid for pid, number in self.by_beat().items() if number >= count and pid != but_not]

        wait_for(f"{count} ticks", lambda: bool(ticking()), 40, self.lab.report)
        return ticking()[0]

    def forget(self) -> None:
        self.broker.delete(QUEUE)


@pytest.fixture
def two_beats(start_lab: StartLab) -> Lab:
    """Two beats, and nobody who takes what they send."""
    return start_lab(workers=0, beats=2, web=False)


def name_of(lab: Lab, pid: int) -> str:
    return next(name for name, program in lab.programs.items() if program.pid == pid)


def test_a_second_beat_idles_and_goes_on_when_the_first_is_killed(two_beats: Lab) -> None:
    ticks = Ticks(two_beats)
    first = ticks.await_more(4)
    assert set(ticks.by_beat()) == {first}
    ticks.forget()
    two_beats.kill(name_of(two_beats, first))
    second = ticks.await_more(3, but_not=first)
    assert second != first


def test_one_beat_ticks_after_postgresql_was_restarted(two_beats: Lab) -> None:
    ticks = Ticks(two_beats)
    ticks.await_more(2)
    two_beats.servers.postgres.stop("immediate")
    two_beats.servers.postgres.start()
    ticks.forget()
    ticking = ticks.await_more(4)
    assert set(ticks.by_beat()) == {ticking}


def test_a_frozen_beat_is_replaced_and_idles_when_it_wakes(two_beats: Lab) -> None:
    ticks = Ticks(two_beats)
    first = ticks.await_more(2)
    os.kill(first, signal.SIGSTOP)
    try:
        second = ticks.await_more(2, but_not=first)
    finally:
        os.kill(first, signal.SIGCONT)
    ticks.forget()
    assert ticks.await_more(4) == second
    assert ticks.by_beat()[first] <= 1, "more than the tick that it was frozen in"
