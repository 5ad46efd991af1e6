"""Tallies: what triggers count is what the rows say, through every change and every folding (decision 0007)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model, QuerySet

from ampout.lib import sql
from campaigns.models import DueTally, Enrollment, EnrollmentTally
from campaigns.selectors.campaigns import count_by_status, enrollment_groups
from dispatch.figures import campaign_sends, credential_figures
from dispatch.models import Message, MessageTally, UsageTally
from dispatch.services import stops
from dispatch.services.audit import audit
from dispatch.services.tallied import tallied_conservation_of
from dispatch.services.tallies import differences, fold_tallies, mend_tallies
from tests import factories
from tests.services.desk import Desk, S

TALLIES = (EnrollmentTally, DueTally, MessageTally, UsageTally)


def everything(tally: type[Model]) -> QuerySet[Any]:
    """Its rows, of all accounts."""
    return tally._default_manager.all()


def rows() -> int:
    return sum(everything(tally).count() for tally in TALLIES)


def some_work(desk: Desk) -> None:
    """Enrollments in all kinds of states, made one by one."""
    campaign = desk.released(6, steps=2, credentials=2)
    desk.enroll(campaign, 2, batch_number=1)
    desk.tick()
    for number, claimed in enumerate(desk.claim()):
        desk.send(claimed, state=(S.ACCEPTED, S.UNKNOWN, S.REFUSED, S.DEFERRED, S.ACCEPTED, S.GAVE_UP)[number % 6])
    stops.unsubscribe_contact(Enrollment.everywhere.filter(campaign=campaign)[0].contact, now=desk.now)


def test_every_number_is_what_the_rows_say(desk: Desk) -> None:
    some_work(desk)
    assert list(differences()) == []
    assert rows() > 10
    assert all(everything(tally).exists() for tally in TALLIES)


def test_folding_changes_no_number_and_leaves_no_two_rows_alike(desk: Desk) -> None:
    some_work(desk)
    before = rows()
    fold_tallies()
    assert list(differences()) == []
    assert rows() < before
    assert all(everything(tally).filter(count=0).count() == 0 for tally in TALLIES)
    assert all(everything(tally).filter(is_folded=False).count() == 0 for tally in TALLIES)


def test_folding_takes_many_campaigns_a_few_at_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        some_work(desk)
    monkeypatch.setattr("dispatch.services.tallies.FOLDED_AT_ONCE", 2)
    fold_tallies()
    assert list(differences()) == []
    assert all(everything(tally).filter(is_folded=False).count() == 0 for tally in TALLIES)


def test_folding_again_has_nothing_to_do(desk: Desk) -> None:
    some_work(desk)
    fold_tallies()
    kept = [list(everything(tally).values_list("pk", flat=True)) for tally in TALLIES]
    assert fold_tallies() == 0
    assert [list(everything(tally).values_list("pk", flat=True)) for tally in TALLIES] == kept


def test_one_statement_over_many_rows_adds_one_row_for_each_change(desk: Desk) -> None:
    campaign = desk.campaign()
    desk.enroll(campaign, 5)
    fold_tallies()
    Enrollment.everywhere.filter(campaign=campaign).update(status="sent", sent_at=desk.now)
    changes = EnrollmentTally.objects.filter(is_folded=False).values_list("status", "count")
    assert sorted(changes) == [("pending", -5), ("sent", 5)]


def test_a_statement_that_changes_no_number_adds_nothing(desk: Desk) -> None:
    desk.enroll(desk.campaign(), 2)
    before = rows()
    Enrollment.everywhere.update(priority=3)
    Message.everywhere.update(subject="Other")
    assert rows() == before


def test_what_is_taken_back_was_never_counted(desk: Desk) -> None:
    campaign = desk.campaign()
    desk.enroll(campaign, 2)
    Enrollment.everywhere.filter(campaign=campaign).delete()
    fold_tallies()
    assert rows() == 0


@pytest.mark.parametrize("tables", ["campaigns_enrollment", ", ".join(connection.introspection.django_table_names())])
def test_emptied_tables_have_empty_tallies(desk: Desk, tables: str) -> None:
    some_work(desk)
    sql.execute(f"SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE {tables} CASCADE")
    assert rows() == 0


def test_a_campaign_that_is_gone_leaves_nothing_behind(desk: Desk) -> None:
    campaign = desk.campaign()
    desk.enroll(campaign, 2)
    campaign.delete()
    fold_tallies()
    assert rows() == 0


def test_the_audit_tells_of_a_number_that_is_wrong_and_mending_sets_it_right(desk: Desk) -> None:
    campaign = desk.campaign()
    desk.enroll(campaign, 3)
    EnrollmentTally.objects.update(count=2)
    assert [violation.law for violation in audit(desk.now)] != []
    assert count_by_status(enrollment_groups([campaign.pk])) != {"pending": 3}
    assert mend_tallies() == 1
    assert count_by_status(enrollment_groups([campaign.pk])) == {"pending": 3}
    assert list(audit(desk.now)) == []


@pytest.mark.parametrize("fold", [fold_tallies, lambda: None])
def test_a_late_bounce_belongs_to_the_time_of_its_message(desk: Desk, fold: Callable[[], object]) -> None:
    sender = desk.credential()
    campaign = desk.released(2, credentials=[sender])
    desk.send_due()
    fold()
    sender.enabled_since = desk.now + timedelta(hours=1)
    sender.save()
    Message.everywhere.filter(pk__in=Message.everywhere.values("pk")[:1]).update(bounce_kind="hard")
    fold()
    figures = credential_figures([sender], today=desk.now.date())[sender.pk]
    assert (figures.lifetime.total, figures.lifetime.bounced) == (2, 1)
    assert (figures.since_enabled.total, figures.since_enabled.bounced) == (0, 0)
    assert campaign_sends(campaign.pk).bounced == 1


@pytest.mark.parametrize(
    ("later", "reason"), [(-1, "due"), (1, "delay"), (59, "delay"), (61, "delay"), (6_000, "delay")]
)
def test_what_falls_due_within_this_hour_is_told_from_what_is_due(desk: Desk, later: int, reason: str) -> None:
    campaign = desk.campaign(steps=2)
    due = desk.now + timedelta(minutes=later)
    factories.enroll(campaign, next_position=2, next_due_at=due, wait_reason="delay", status="sent", sent_at=desk.now)
    account = tallied_conservation_of([campaign.pk], now=desk.now)[campaign.pk]
    assert account.waiting == {reason: 1}
