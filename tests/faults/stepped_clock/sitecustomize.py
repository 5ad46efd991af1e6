"""Imported by every Python that is started with a clock of its own (tests/faults/clocks.py).

libfaketime 0.9.10 leaves the monotonic clock alone when it is told to, and then refuses to sleep by it: its
clock_nanosleep, which `time.sleep` calls, answers EINVAL. select(2) has no such trouble.
"""

import select
import time
from typing import Any


def _sleep(seconds: Any, /) -> None:
    select.select((), (), (), seconds)


time.sleep = _sleep
