"""What a batch of outcomes says about its credentials: the end of their last transaction, and their back-off."""

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ampout.lib import dice, sql
from credentials.models import SmtpCredential
from credentials.rules.credential_state import decide_back_off
from dispatch.models import Lane
from dispatch.rules.smtp_reply import Blame

if TYPE_CHECKING:
    from dispatch.services.settle import Outcome

_ADD_MISSING = """
INSERT INTO dispatch_lane (credential_id, failures)
SELECT credential.id, 0 FROM credentials_smtpcredential credential
WHERE credential.retired_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM dispatch_lane lane WHERE lane.credential_id = credential.id)
ON CONFLICT DO NOTHING
"""


def add_missing_lanes() -> None:
    """Give a lane to every credential that has none yet."""
    sql.execute(_ADD_MISSING)


def lock_lane(credential_id: uuid.UUID) -> Lane:
    """The credential's lane, locked: whoever reserves, lowers or moves units of its cap goes one after the other."""
    Lane.objects.bulk_create([Lane(credential_id=credential_id)], ignore_conflicts=True)
    return Lane.objects.select_for_update().get(pk=credential_id)


def note_transactions(outcomes: Sequence["Outcome"]) -> None:
    """Record the end of these transactions on their lanes; call it first, as lanes are locked before enrollments."""
    by_credential: dict[uuid.UUID, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.started_at is not None:
            by_credential.setdefault(outcome.credential_id, []).append(outcome)
    for credential_id in sorted(by_credential):
        ended = sorted(by_credential[credential_id], key=lambda outcome: outcome.ended_at)
        _note_problem(credential_id, ended)
        _note_on_lane(credential_id, ended)


def _note_problem(credential_id: uuid.UUID, ended: "list[Outcome]") -> None:
    troubled = [outcome for outcome in ended if outcome.blame in {Blame.CREDENTIAL, Blame.SERVER}]
    if troubled:
        words = troubled[-1].reply_text or str(troubled[-1].reason)
        SmtpCredential.everywhere.filter(pk=credential_id).update(
            last_problem=f"{troubled[-1].stage}: {words}", last_problem_at=troubled[-1].ended_at
        )


def _note_on_lane(credential_id: uuid.UUID, ended: "list[Outcome]") -> None:
    last = ended[-1]
    lane = Lane.objects.filter(pk=credential_id)
    lane.update(last_finished_at=last.ended_at)
    if last.blame is Blame.CREDENTIAL or (last.blame is Blame.SERVER and is_about_connection(last)):
        failures = lane.values_list("failures", flat=True).get() + 1
        lane.update(failures=failures, back_off_until=decide_back_off(failures, last.ended_at, dice.new_rng()))
    else:
        lane.update(failures=0, back_off_until=None)


def is_about_connection(outcome: "Outcome") -> bool:
    """Whether the conversation ended before a recipient was named: the next message would meet the same."""
    return outcome.stage in {"connect", "banner", "ehlo", "starttls", "auth", "mail"}
