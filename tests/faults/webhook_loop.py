"""`python -m tests.faults.webhook_loop DATABASE`: forks webhook loops to be killed, without Python's start for each.

For every line of input it forks one and prints its process id. The loops die with it, and it ends with its input.
"""

import os
import signal
import sys
import uuid

import django
from django.conf import settings
from django.db import connections

from ampout.lib.parent_death import die_with_parent

LEASE_SECONDS = 1


def main() -> None:
    """Fork until the input ends."""
    django.setup()
    from ampout.events.services import deliver_webhooks  # noqa: F401, PLC0415  # so that no fork has to import it

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    connections.settings["default"]["NAME"] = sys.argv[1]
    settings.LEASE_SECONDS = LEASE_SECONDS
    for _ in sys.stdin:
        print(_fork(), flush=True)


def _fork() -> int:
    from ampout.events.services.deliver_webhooks import deliver_webhooks  # noqa: PLC0415

    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        die_with_parent(signal.SIGKILL, parent)
        deliver_webhooks(f"victim:{uuid.uuid4()}", lambda: False)
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
