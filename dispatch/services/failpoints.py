"""Failpoints: named places of a send where a test may have the process killed, as a power cut would."""

import os
import signal
from collections import Counter

from django.conf import settings

_passed: Counter[str] = Counter()


def crash(point: str) -> None:
    """Kill this process if AMPOUT_CRASH_AT names this point (`after_dot`, or `after_dot:3` for its third passing).

    Outside of tests the setting is always empty and this costs one comparison.
    """
    if not settings.CRASH_AT:
        return
    wanted, _, count = settings.CRASH_AT.partition(":")
    if wanted != point:
        return
    _passed[point] += 1
    if _passed[point] == int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)


def crash_over(point: str, item: str | bytes) -> None:
    """Kill this process if AMPOUT_CRASH_AT names this point and words of this item: `compose=ann@`.

    So a test has an item that nobody survives.
    """
    if not settings.CRASH_AT:
        return
    wanted, _, words = settings.CRASH_AT.partition("=")
    if wanted == point and words and words in (item if isinstance(item, str) else item.decode("utf-8", "replace")):
        os.kill(os.getpid(), signal.SIGKILL)
