"""Waiting for conditions, never for time alone."""

import time
from collections.abc import Callable


def wait_for(what: str, condition: Callable[[], bool], seconds: float, report: Callable[[], str] = str) -> None:
    """Return once the condition holds; fails with `what` and the report when that takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds:.0f} s in vain until {what}.\n{report()}")
        time.sleep(0.05)
