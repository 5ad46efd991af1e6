"""Killed between any two steps of judging: what came back is judged again, and each fact is told once."""

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from ampout.events.models import Event
from ampout.lib import clock
from ampout.supervisor.kept_environment import PROJECT
from campaigns.models import Suppression
from dispatch.models import Feedback, HealthDue, Message, Notice
from dispatch.services import health, notices
from tests.services import mails
from tests.services.desk import Desk, fresh, message_of

POINTS = [
    "after_notice_claim",
    *(f"before_notice_commit:{number}" for number in (1, 2, 3)),
    *(f"after_notice_commit:{number}" for number in (1, 2, 3)),
]
"""Three notices come in; each point is passed once for all, or once for each."""


@pytest.fixture
def desk(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose time is the clock's: storing reads the clock itself."""
    made = Desk()
    monkeypatch.setattr(clock, "utc_now", lambda: made.now)
    return made


def judge_until_killed(desk: Desk, point: str) -> int:
    """A process that judges, and dies at `point`; how it ended."""
    database = str(connection.settings_dict["NAME"])
    command = [sys.executable, "-m", "tests.faults.judge", database, point, desk.now.isoformat()]
    return subprocess.run(command, cwd=PROJECT, check=False, timeout=60).returncode


def three_messages(desk: Desk) -> list[Message]:
    """Sent, and answered: a reply, a bounce, a wish to be left alone."""
    desk.released(3, steps=2)
    messages = [message_of(claimed) for claimed in desk.send_due()]
    writers: list[Callable[[Message], bytes]] = [mails.reply, mails.bounce, mails.unsubscribe]
    for message, write in zip(messages, writers, strict=True):
        assert message.credential_id is not None
        notices.store_mail(message.credential_id, message.account_id, write(message), received_at=desk.now)
    return messages


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_judge_loses_nothing_and_repeats_nothing(desk: Desk, point: str) -> None:
    messages = three_messages(desk)
    assert judge_until_killed(desk, point) == -signal.SIGKILL
    assert desk.violations() == []
    desk.wait(minutes=1)
    notices.process_due(now=desk.now)
    assert [fresh(message.place[0]).status for message in messages] == ["replied", "bounced", "unsubscribed"]
    assert not Notice.everywhere.filter(processed_at=None).exists()
    assert Feedback.everywhere.count() == 3
    assert Suppression.everywhere.count() == 2
    assert sorted(Event.everywhere.exclude(type="enrollment.sent").values_list("type", flat=True)) == [
        "enrollment.bounced",
        "enrollment.replied",
        "enrollment.unsubscribed",
    ]
    assert desk.violations() == []


def test_health_that_a_kill_prevented_from_being_judged_is_still_due(desk: Desk) -> None:
    desk.released(10, bounce_rate_min_sends=5)
    [first, *_] = messages = [message_of(claimed) for claimed in desk.send_due()]
    assert first.credential is not None
    for message in messages[:4]:
        notices.store_mail(first.credential.pk, first.account_id, mails.bounce(message), received_at=desk.now)
    assert judge_until_killed(desk, "after_notice_commit") == -signal.SIGKILL
    assert HealthDue.objects.filter(credential=first.credential).exists()
    health.judge_due(now=desk.now + timedelta(seconds=1))
    first.credential.refresh_from_db()
    assert first.credential.disabled_at is not None
