"""The judgement after a run: the ledger against the oracle, message by message, and the audit of the program itself."""

import subprocess
import sys
from collections import Counter

from ampout.supervisor.kept_environment import PROJECT
from tests.faults.lab import Lab
from tests.faults.seeding import Seeded


def finish(lab: Lab, seconds: float) -> None:
    """Wait until the campaign has completed by itself."""
    lab.wait_for("the campaign completes", "SELECT bool_and(status = 'completed') FROM campaigns_campaign", seconds)


def disagreements(lab: Lab, seeded: Seeded, *, unknown_at_most: int) -> list[str]:
    """Every way in which a completed run broke a promise: empty after a good one.

    A1: no Message-ID, and no step to a person, was completed twice. A2: what the oracle has and what the ledger says
    agree but for `unknown`; everybody's sequence has ended. `unknown_at_most` bounds the messages ever in doubt.
    """
    found = doubles_and_losses(lab, seeded)
    found += [f"{row}: unfinished" for row in lab.ask(_UNFINISHED)]
    found += [f"{row}: a state in which nothing ends" for row in lab.ask(_NOT_ENDED)]
    doubted = lab.ask(_DOUBTED)[0][0]
    lab.note(f"{doubted} messages were ever in doubt, where {unknown_at_most} may be")
    if doubted > unknown_at_most:
        found.append(f"{doubted} messages were in doubt; at most {unknown_at_most} may be")
    return [*found, *audit(lab)]


def doubles_and_losses(lab: Lab, seeded: Seeded) -> list[str]:
    """The ledger against the oracle, while nothing is under way: what was delivered twice, or is nowhere."""
    log = lab.delivered()
    state_of = dict(lab.ask("SELECT message_id, state FROM dispatch_message"))
    seen = {entry["message_id"] for entry in log}
    accepted = {message_id for message_id, state in state_of.items() if state == "accepted"}
    found = [f"{message_id} was delivered {times} times" for message_id, times in _repeated(log)]
    found += [f"{message_id} is accepted, and the oracle never saw it" for message_id in accepted - seen]
    found += [
        f"{message_id} was delivered, and is {state_of.get(message_id, 'not in the ledger')}"
        for message_id in seen - accepted
        if state_of.get(message_id) != "unknown"
    ]
    steps = Counter(entry["recipient"] for entry in log)
    found += [f"{recipient} got {count} messages" for recipient, count in steps.items() if count > seeded.steps]
    return found


def _repeated(log: list[dict[str, str]]) -> list[tuple[str, int]]:
    times = Counter(entry["message_id"] for entry in log)
    return [(message_id, count) for message_id, count in times.items() if count > 1]


_UNFINISHED = (
    "SELECT id, status, next_position FROM campaigns_enrollment WHERE stopped_at IS NULL AND finished_at IS NULL"
)
_NOT_ENDED = """
SELECT message_id, state FROM dispatch_message WHERE state NOT IN ('accepted', 'refused', 'gave_up', 'unknown')
"""
_DOUBTED = "SELECT count(DISTINCT message_id) FROM dispatch_attempt WHERE state = 'unknown' AND NOT is_evidence"


def audit(lab: Lab) -> list[str]:
    """`manage.py audit`, as an operator calls it; its words where it exits other than 0."""
    command = [sys.executable, "manage.py", "audit"]
    done = subprocess.run(
        command, env=lab.environment(), cwd=PROJECT, capture_output=True, text=True, check=False, timeout=180
    )
    return [] if done.returncode == 0 else [f"audit exits {done.returncode}: {done.stdout} {done.stderr}"]
