"""`python -m tests.faults.nursery`: forks deliver loops on request, so that each is a process without Python's start.

It reads JSON lines, and answers each with one: `{"start": name, "database": …, "settings": {…}}` → the process id;
`{"wait": pid}` → how it ended (negative: by that signal). A loop stops at SIGTERM, and dies with the nursery. With
`"loop": "poll"` it is a poll loop.
"""

import json
import os
import signal
import sys
from typing import Any

import django
from django.conf import settings

from ampout.lib.parent_death import die_with_parent

ALREADY_RUNS = 3
"""The exit code of a loop whose name a live one holds."""


def main() -> None:
    """Serve until the input ends."""
    django.setup()
    from dispatch.services import deliver, poll_loop  # noqa: F401, PLC0415  # so that no fork has to import them

    for line in sys.stdin:
        request = json.loads(line)
        answer = _collect(request["wait"]) if "wait" in request else _fork(request)
        print(json.dumps(answer), flush=True)


def _collect(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _fork(request: dict[str, Any]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        die_with_parent(signal.SIGKILL, parent)
        status = _run(request)
    finally:
        os._exit(status)


def _run(request: dict[str, Any]) -> int:
    """In the fork: one loop, with the database and settings asked for."""
    from django.db import connections  # noqa: PLC0415

    from dispatch.services.deliver import deliver  # noqa: PLC0415
    from dispatch.services.poll_loop import poll  # noqa: PLC0415

    connections.settings["default"]["NAME"] = request["database"]
    for name, value in request["settings"].items():
        setattr(settings, name, value)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopping.append(number))
    loop = poll if request.get("loop") == "poll" else deliver
    return 0 if loop(request["start"], lambda: bool(stopping)) else ALREADY_RUNS


if __name__ == "__main__":
    main()
