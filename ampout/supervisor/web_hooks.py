"""Gunicorn's configuration (`-c python:ampout.supervisor.web_hooks`)."""

import signal
from typing import Protocol

from ampout.lib.parent_death import die_with_parent


class _Worker(Protocol):
    ppid: int


def post_fork(_server: object, worker: _Worker) -> None:
    """A web worker ends with its master at once, and frees the port; by itself it would look only once a second."""
    die_with_parent(signal.SIGKILL, worker.ppid)
