"""A3: a crash at each boundary of a send has one end state, every time."""

import os
import signal
from collections import Counter
from dataclasses import dataclass

import pytest
from pytest_django.fixtures import Settings

from campaigns.models import Campaign
from dispatch.models import Attempt, Message
from dispatch.services.plan import plan
from dispatch.services.reconcile import reconcile
from tests.dispatch.conftest import Engine
from tests.faults.loops import StartLoop, let_leases_run_out

REPEATS = int(os.environ.get("REPEATS") or 20)


@dataclass(frozen=True, slots=True)
class End:
    """What becomes of the second of three messages when the process dies there; the others always get through."""

    state: str
    copies: frozenset[int]
    """How many copies of it the recipients' server may have."""


SENT_LATER = End("accepted", frozenset({1}))
NOT_SENT = End("unknown", frozenset({0}))
PERHAPS_SENT = End("unknown", frozenset({0, 1}))
SENT = End("unknown", frozenset({1}))
SETTLED = End("accepted", frozenset({1}))

TABLE = {
    "after_claim": SENT_LATER,
    "after_connect": SENT_LATER,
    "after_auth": SENT_LATER,
    "after_rcpt:2": SENT_LATER,
    "wire_commit:2": NOT_SENT,
    "mid_body:2": NOT_SENT,
    "after_dot:2": PERHAPS_SENT,
    "after_250:2": SENT,
    "before_outcome_commit:2": SENT,
    "after_commit_before_ack:2": SETTLED,
}
"""By failpoint, with the passing at which it kills: from the claim on for all three messages, then for the second."""


def crash_and_recover(engine: Engine, start_loop: StartLoop, point: str) -> tuple[Campaign, list[str]]:
    """Three messages through one connection, a crash at `point`, and a second loop that takes over."""
    campaign = engine.campaign(credentials=1)
    engine.enroll(campaign, "ok+1", "ok+2", "ok+3")
    engine.release(campaign)
    plan()
    in_order = Message.everywhere.filter(campaign=campaign).order_by("due_at", "enrollment__enrolled_at", "enrollment")
    order = list(in_order.values_list("message_id", flat=True))
    assert start_loop(CRASH_AT=point).wait() == -signal.SIGKILL
    let_leases_run_out()
    reconcile()

    def completed() -> bool:
        campaign.refresh_from_db()
        return campaign.status == "completed"

    engine.run_until(completed)
    return campaign, order


def assert_end(engine: Engine, start_loop: StartLoop, point: str) -> None:
    end = TABLE[point]
    campaign, order = crash_and_recover(engine, start_loop, point)
    states = dict(Message.everywhere.filter(campaign=campaign).values_list("message_id", "state"))
    copies = Counter(entry["message_id"] for entry in engine.smtp.log)
    assert [states[message_id] for message_id in order] == ["accepted", end.state, "accepted"]
    assert [copies[order[0]], copies[order[2]]] == [1, 1]
    assert copies[order[1]] in end.copies
    assert not Attempt.everywhere.filter(is_evidence=True).exists()
    engine.assert_lawful()


@pytest.mark.parametrize("point", TABLE)
def test_a_crash_at_a_failpoint_ends_as_the_table_says(
    engine: Engine, start_loop: StartLoop, settings: Settings, point: str
) -> None:
    settings.UNKNOWN_GRACE_SECONDS = 0
    assert_end(engine, start_loop, point)


@pytest.mark.faults_long
@pytest.mark.parametrize("repeat", range(REPEATS))
@pytest.mark.parametrize("point", TABLE)
def test_a_crash_at_a_failpoint_ends_so_every_time(
    engine: Engine, start_loop: StartLoop, settings: Settings, point: str, repeat: int
) -> None:
    settings.UNKNOWN_GRACE_SECONDS = 0
    assert_end(engine, start_loop, point)
