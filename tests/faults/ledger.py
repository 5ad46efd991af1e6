"""The judgement after a run that nobody stops: the ledger against the oracle, and the audit of the program itself.

It uses those checks of tests/faults/checker.py that need no other witness.
"""

import subprocess
import sys
from collections import Counter

from ampout.supervisor.kept_environment import PROJECT
from tests.faults.checks import losses, sending
from tests.faults.checks.view import View
from tests.faults.history import History
from tests.faults.lab import Lab
from tests.faults.reading import delivered_entries, read_ledger
from tests.faults.seeding import Seeded


def finish(lab: Lab, seconds: float) -> None:
    """Wait until the campaign has completed by itself."""
    lab.wait_for("the campaign completes", "SELECT bool_and(status = 'completed') FROM campaigns_campaign", seconds)


def disagreements(lab: Lab, seeded: Seeded, *, unknown_at_most: int) -> list[str]:
    """Every way in which a completed run broke a promise: empty after a good one.

    A1: no Message-ID, and no step to a person, was completed twice. A2: what the oracle has and what the ledger says
    agree but for `unknown`; everybody's sequence has ended. `unknown_at_most` bounds the messages ever in doubt.
    """
    view = _view(lab)
    found = [*_doubles_and_losses(view, seeded), *(violation.sentence for violation in losses.ended(view))]
    found += [f"{row['message_id']} is cancelled" for row in view.ledger.messages if row["state"] == "cancelled"]
    doubted = len(losses.doubted(view))
    lab.note(f"{doubted} messages were ever in doubt, where {unknown_at_most} may be")
    if doubted > unknown_at_most:
        found.append(f"{doubted} messages were in doubt; at most {unknown_at_most} may be")
    return [*found, *audit(lab)]


def doubles_and_losses(lab: Lab, seeded: Seeded) -> list[str]:
    """The ledger against the oracle, while nothing is under way: what was delivered twice, or is nowhere."""
    return _doubles_and_losses(_view(lab), seeded)


def _view(lab: Lab) -> View:
    return View(History(0, tuple(delivered_entries(lab.delivered())), read_ledger(lab)))


def _doubles_and_losses(view: View, seeded: Seeded) -> list[str]:
    found = [violation.sentence for one in (sending.twice, losses.accepted_as_delivered) for violation in one(view)]
    steps = Counter(entry.facts["recipient"] for entry in view.delivered)
    return found + [f"{recipient} got {count} messages" for recipient, count in steps.items() if count > seeded.steps]


def audit(lab: Lab) -> list[str]:
    """`manage.py audit`, as an operator calls it; its words where it exits other than 0."""
    command = [sys.executable, "manage.py", "audit"]
    done = subprocess.run(
        command, env=lab.environment(), cwd=PROJECT, capture_output=True, text=True, check=False, timeout=180
    )
    return [] if done.returncode == 0 else [f"audit exits {done.returncode}: {done.stdout} {done.stderr}"]
