"""How a worker tells its long-lived loops to stop: a pipe, made before the processes fork.

Celery's warm shutdown waits for running tasks, and a loop never ends by itself.
"""

import os
import select

_pipe: list[int] = []


def prepare() -> None:
    """Make the pipe; called once in the parent process, before it forks."""
    if not _pipe:
        _pipe.extend(os.pipe())


def request_stop() -> None:
    """Called in the parent: every child sees the pipe become readable. Nobody reads it, so it stays so."""
    if _pipe:
        os.write(_pipe[1], b"x")


def stop_requested() -> bool:
    """Whether this worker is shutting down."""
    return bool(_pipe) and bool(select.select([_pipe[0]], [], [], 0)[0])
