"""`python -m ampout.supervisor`: start everything, say where it is, watch over it, and stop it on Ctrl-C or SIGTERM.

1. Hold the data folder, check the ports, read or make the keys: whatever is wrong is said before anything has started.
2. Start PostgreSQL and Valkey, unless DATABASE_URL and CELERY_BROKER_URL name others.
3. Start the sandbox and, beside it, bring the database up to date.
4. Start web, worker and beat side by side, and wait until all are ready.
5. Print where everything is; on the first start also the login and the key.
6. Watch, restart what ends, and show how it goes, until asked to stop.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

from ampout.lib.parent_death import die_with_parent
from ampout.supervisor.children import adopt_orphans, kill_orphans
from ampout.supervisor.errors import StartError
from ampout.supervisor.installation import Installation
from ampout.supervisor.interruptions import Interruptions, StopRequestedError
from ampout.supervisor.processes import Fleet
from ampout.supervisor.summary import MessageCounts, Summary

TEND_SECONDS = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until asked to stop; 0, or 1 after one sentence that says why it can't start."""
    parser = argparse.ArgumentParser(
        prog="python -m ampout.supervisor", description="Run all of Ampout on this machine."
    )
    parser.add_argument("--with-parent", action="store_true", help="stop when the program that started this one ends")
    if parser.parse_args(arguments).with_parent:
        die_with_parent(signal.SIGTERM, os.getppid())
    interruptions = Interruptions()
    summary = Summary(time.monotonic())
    adopt_orphans()
    fleet = Fleet(summary.note, kill_orphans)
    try:
        installation = Installation(os.environ, interruptions.pause)
        _start(installation, fleet, interruptions, summary)
        _watch(installation, fleet, interruptions, summary)
    except StartError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except StopRequestedError:
        summary.note("Stopping …")
        return 0
    finally:
        fleet.stop()


def _start(installation: Installation, fleet: Fleet, interruptions: Interruptions, summary: Summary) -> None:
    pause = interruptions.pause
    summary.say(f"Starting Ampout on {installation.folder.path} …")
    for server in installation.servers():
        fleet.start(server, pause)
    programs = installation.make_programs()
    ports = installation.sandbox_ports
    sandbox = [programs.sandbox(ports, installation.web_port)] if ports else []
    for program in sandbox:
        fleet.start(program, pause)
    installation.prepare(programs, pause)
    started = [programs.web(installation.web_port), programs.worker(), programs.beat()]
    for program in started:
        fleet.start(program, pause)
    for program in [*sandbox, *started]:
        program.await_ready(pause)
    for line in installation.describe(programs):
        summary.say(line)
    installation.first_start.forget()


def _watch(installation: Installation, fleet: Fleet, interruptions: Interruptions, summary: Summary) -> NoReturn:
    counts = MessageCounts(installation.settings["DATABASE_URL"])
    while True:
        now = time.monotonic()
        fleet.tend(now, interruptions.pause)
        if summary.is_due(now):
            summary.show(now, fleet.states(), counts.at(now))
        interruptions.pause(TEND_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
