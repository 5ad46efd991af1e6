"""A4: a loop that is frozen longer than its lease, and comes back, sends nothing twice and moves nothing by itself."""

import signal

import pytest
from django.db.models.functions import Now

from dispatch.models import Attempt, DeliveryWorker, Message
from dispatch.services.plan import plan
from dispatch.services.reconcile import reconcile
from tests.dispatch.conftest import Engine
from tests.faults.loops import Loop, StartLoop
from tests.faults.waiting import wait_for

LEASE_SECONDS = 3


def freeze_within(engine: Engine, start_loop: StartLoop, recipient: str, stage: str) -> tuple[Loop, Message]:
    """A loop that is frozen while the server takes its time at `stage`, with one more message in its hands."""
    campaign = engine.campaign(credentials=1)
    engine.enroll(campaign, recipient, "ok+behind")
    engine.release(campaign)
    plan()
    loop = start_loop(LEASE_SECONDS=LEASE_SECONDS)
    wait_for(f"the server is asked at {stage}", lambda: _is_asked(engine, stage), 30)
    loop.send_signal(signal.SIGSTOP)
    return loop, Message.everywhere.get(recipient__startswith=recipient)


def _is_asked(engine: Engine, stage: str) -> bool:
    """Whether the server has reached `stage` and not answered yet."""
    return bool(engine.smtp.log) if stage == "dot" else engine.smtp.count(stage) > 0


def outlast_lease() -> dict[str, int]:
    """Reconcile, as beat has it done, until the frozen loop's lease has run out; what was healed."""
    healed: list[dict[str, int]] = []

    def is_reaped() -> bool:
        healed.append(reconcile())
        return not DeliveryWorker.objects.filter(ended_at__isnull=True).exists()

    wait_for("the lease runs out", is_reaped, LEASE_SECONDS * 10)
    return healed[-1]


def deliver_another(engine: Engine, name: str) -> None:
    """Another loop sends what is left, and one message more."""
    campaign = engine.campaign(credentials=1)
    engine.enroll(campaign, name)
    engine.release(campaign)
    sent = Message.everywhere.filter(state="accepted").values_list("recipient", flat=True)
    engine.run_until(lambda: {"ok+behind@chaos.example", f"{name}@chaos.example"} <= set(sent.all()))


def copies(engine: Engine, message: Message) -> int:
    return sum(entry["message_id"] == message.message_id for entry in engine.smtp.log)


def test_a_loop_frozen_before_the_wire_leaves_its_message_to_another(engine: Engine, start_loop: StartLoop) -> None:
    loop, message = freeze_within(engine, start_loop, "late-1-rcpt+frozen", "rcpt")
    assert outlast_lease() == {"planned": 2, "unknown": 0}
    engine.run_until(lambda: copies(engine, message) == 1)
    loop.send_signal(signal.SIGCONT)
    assert loop.wait() == 0
    message.refresh_from_db()
    assert (message.state, copies(engine, message)) == ("accepted", 1)
    engine.assert_lawful()


@pytest.mark.parametrize(("recipient", "stage"), [("late-1-data+frozen", "data"), ("late-1+frozen", "dot")])
def test_a_loop_frozen_after_the_wire_only_brings_evidence(
    engine: Engine, start_loop: StartLoop, recipient: str, stage: str
) -> None:
    loop, message = freeze_within(engine, start_loop, recipient, stage)
    assert outlast_lease() == {"planned": 1, "unknown": 1}
    deliver_another(engine, "ok+while-frozen")
    message.refresh_from_db()
    assert message.state == "unknown"
    loop.send_signal(signal.SIGCONT)
    assert loop.wait() == 0
    deliver_another(engine, "ok+after")
    message.refresh_from_db()
    evidence = Attempt.everywhere.filter(message=message, is_evidence=True).values_list("state", flat=True)
    assert message.state == "unknown" or (message.state, [*evidence]) == ("accepted", ["accepted"])
    assert copies(engine, message) <= 1
    engine.assert_lawful()


def test_a_live_loop_keeps_its_name_to_itself(engine: Engine, start_loop: StartLoop) -> None:
    first = start_loop("one name")
    wait_for("the first loop runs", DeliveryWorker.objects.filter(ended_at__isnull=True).exists, 30)
    assert start_loop("one name").wait() == 3
    first.send_signal(signal.SIGTERM)
    assert first.wait() == 0
    assert not DeliveryWorker.objects.filter(ended_at__isnull=True, lease_until__gt=Now()).exists()
