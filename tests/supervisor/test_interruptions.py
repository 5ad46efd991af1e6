import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from ampout.supervisor.interruptions import STOP_SIGNALS, Interruptions, StopRequestedError


@pytest.fixture
def interruptions() -> Iterator[Interruptions]:
    numbers = (*STOP_SIGNALS, signal.SIGCHLD)
    # The default first: under nohup this run ignores hang-ups, and so would whoever asks.
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    yield Interruptions()
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_request_to_stop_ends_the_pause(interruptions: Interruptions, number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    with pytest.raises(StopRequestedError):
        interruptions.pause(60)


def test_the_end_of_a_child_ends_the_pause(interruptions: Interruptions) -> None:
    began = time.monotonic()
    with subprocess.Popen(["true"]):
        interruptions.pause(60)
    assert time.monotonic() - began < 30


def test_without_a_signal_the_pause_lasts(interruptions: Interruptions) -> None:
    began = time.monotonic()
    interruptions.pause(0.05)
    assert time.monotonic() - began >= 0.05


def test_ignored_hang_ups_stay_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        Interruptions()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGHUP, before)
