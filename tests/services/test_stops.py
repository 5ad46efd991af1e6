"""Stop facts and suppressions: what they stop, what they leave, and that each is told once (design, law 5 and 7)."""

import pytest

from ampout.events.models import Event
from ampout.lib.addresses import parse_address
from ampout.lib.errors import NotFound
from campaigns.models import Enrollment, Suppression
from campaigns.rules.enrollment_state import StopReason
from campaigns.rules.suppression import SuppressionReason
from dispatch.services import stops
from tests import factories
from tests.services import suppressing
from tests.services.desk import Desk, S, fresh, message_of
from tests.services.rival import Held, Waiting


def enrolled_twice(desk: Desk) -> list[Enrollment]:
    """One contact in two campaigns of the account."""
    contact = factories.make_contact(desk.account)
    enrollments = [factories.enroll(desk.campaign(steps=2), contact) for _ in range(2)]
    for enrollment in enrollments:
        desk.release(enrollment.campaign)
    return enrollments


def told(kind: str) -> int:
    return Event.everywhere.filter(type=kind).count()


# -- Unsubscribed, suppressed, complained


def test_an_unsubscription_stops_every_sequence_of_the_contact(desk: Desk) -> None:
    here, there = enrolled_twice(desk)
    desk.tick()
    stops.unsubscribe_contact(here.contact, now=desk.now)
    for enrollment in (here, there):
        after = fresh(enrollment)
        assert (after.status, after.stop_reason, after.stopped_at, after.unsubscribed_at) == (
            "unsubscribed",
            "unsubscribed",
            desk.now,
            desk.now,
        )
        assert message_of(enrollment).state == S.CANCELLED
    assert fresh(here).contact.unsubscribed_at == desk.now
    assert told("enrollment.unsubscribed") == 2
    assert desk.violations() == []


def test_doing_it_again_changes_nothing(desk: Desk) -> None:
    here, _ = enrolled_twice(desk)
    stops.unsubscribe_contact(here.contact, now=desk.now)
    first = desk.now
    desk.wait(hours=1)
    stops.unsubscribe_contact(here.contact, now=desk.now)
    assert (fresh(here).unsubscribed_at, fresh(here).contact.unsubscribed_at) == (first, first)
    assert told("enrollment.unsubscribed") == 2


@pytest.mark.parametrize(
    ("reason", "scope", "status", "stop_reason", "events"),
    [
        (SuppressionReason.UNSUBSCRIBED, "marketing", "unsubscribed", "unsubscribed", 1),
        (SuppressionReason.COMPLAINT, "all", "unsubscribed", "complained", 1),
        (SuppressionReason.HARD_BOUNCE, "all", "bounced", "bounced", 1),
        (SuppressionReason.MANUAL, "all", "pending", "suppressed", 0),
    ],
)
def test_each_reason_reaches_as_far_as_the_design_says(
    desk: Desk, reason: SuppressionReason, scope: str, status: str, stop_reason: str, events: int
) -> None:
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    address = parse_address(enrolled.contact.email)
    listed = suppressing.suppress_address(desk.account, address, reason, now=desk.now)
    assert (listed.scope, listed.reason, listed.suppressed_at) == (scope, reason.value, desk.now)
    assert (fresh(enrolled).status, fresh(enrolled).stop_reason) == (status, stop_reason)
    assert Event.everywhere.count() == events


def test_a_domain_stops_whoever_is_at_exactly_it(desk: Desk) -> None:
    campaign = desk.campaign()
    at, below = (
        factories.enroll(campaign, factories.make_contact(desk.account, f"person@{domain}"))
        for domain in ("corp.example", "mail.corp.example")
    )
    suppressing.suppress_domain(desk.account, "corp.example", SuppressionReason.MANUAL, now=desk.now)
    assert (fresh(at).stop_reason, fresh(below).stop_reason) == ("suppressed", "")


def test_a_stronger_suppression_is_never_weakened(desk: Desk) -> None:
    address = parse_address("person@recipient.example")
    for reason in (SuppressionReason.UNSUBSCRIBED, SuppressionReason.COMPLAINT, SuppressionReason.UNSUBSCRIBED):
        suppressing.suppress_address(desk.account, address, reason, now=desk.now)
    listed = Suppression.objects.of(desk.account).get()
    assert (listed.scope, listed.reason) == ("all", "complaint")


def test_the_address_is_kept_as_a_hash_alone(desk: Desk) -> None:
    suppressing.suppress_address(
        desk.account, parse_address("Secret.Person@recipient.example"), SuppressionReason.MANUAL
    )
    row = Suppression.everywhere.values().get()
    assert "secret" not in str({**row, "digest": bytes(row["digest"])}).lower()


def test_spelling_and_case_make_no_difference(desk: Desk) -> None:
    campaign = desk.campaign()
    enrolled = factories.enroll(campaign, factories.make_contact(desk.account, "Person@BÜCHER.example"))
    suppressing.suppress_address(desk.account, parse_address("person@xn--bcher-kva.example"), SuppressionReason.MANUAL)
    assert fresh(enrolled).stop_reason == "suppressed"


def test_another_account_is_not_concerned(desk: Desk) -> None:
    other = Desk()
    address = "person@recipient.example"
    here, there = (
        factories.enroll(one.campaign(), factories.make_contact(one.account, address)) for one in (desk, other)
    )
    suppressing.suppress_address(desk.account, parse_address(address), SuppressionReason.COMPLAINT, now=desk.now)
    assert (fresh(here).stopped_at, fresh(there).stopped_at) == (desk.now, None)


# -- Lifting


def test_lifting_lets_new_enrolments_in_and_starts_nothing_again(desk: Desk) -> None:
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    desk.release(campaign)
    address = parse_address(enrolled.contact.email)
    listed = suppressing.suppress_address(desk.account, address, SuppressionReason.MANUAL, now=desk.now)
    stops.lift_suppression(desk.account, listed.pk)
    assert fresh(enrolled).stop_reason == "suppressed"
    again = factories.enroll(desk.campaign(), enrolled.contact)
    desk.release(again.campaign)
    assert len(desk.send_due()) == 1
    with pytest.raises(NotFound):
        stops.lift_suppression(desk.account, listed.pk)


def test_nobody_lifts_the_suppression_of_another_account(desk: Desk) -> None:
    listed = factories.make_suppression(desk.account, "person@recipient.example")
    with pytest.raises(NotFound):
        stops.lift_suppression(factories.make_account(), listed.pk)
    assert Suppression.everywhere.get(pk=listed.pk).scope == "all"


# -- Facts in any order


def test_the_first_reason_to_stop_stays_and_the_status_still_rises(desk: Desk) -> None:
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    stops.stop_enrollments([enrolled.pk], StopReason.BOUNCED, now=desk.now, bounce_reason="550 No")
    bounced_at = desk.now
    desk.wait(hours=1)
    stops.unsubscribe_contact(enrolled.contact, now=desk.now)
    after = fresh(enrolled)
    assert (after.stop_reason, after.stopped_at, after.bounce_reason) == ("bounced", bounced_at, "550 No")
    assert (after.status, after.bounced_at, after.unsubscribed_at) == ("unsubscribed", bounced_at, desk.now)
    assert (told("enrollment.bounced"), told("enrollment.unsubscribed")) == (1, 1)


def test_a_late_fact_of_lower_rank_sets_its_time_and_tells_nothing(desk: Desk) -> None:
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    stops.unsubscribe_contact(enrolled.contact, now=desk.now)
    stops.stop_enrollments([enrolled.pk], StopReason.BOUNCED, now=desk.now, bounce_reason="550 No")
    after = fresh(enrolled)
    assert (after.status, after.bounced_at, told("enrollment.bounced")) == ("unsubscribed", desk.now, 0)


def test_a_finished_sequence_can_still_be_unsubscribed_from(desk: Desk) -> None:
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    desk.release(campaign)
    desk.send_due()
    stops.unsubscribe_contact(enrolled.contact, now=desk.now)
    assert (fresh(enrolled).status, told("enrollment.unsubscribed")) == ("unsubscribed", 1)
    assert desk.violations() == []


@pytest.mark.parametrize("state", [S.PLANNED, S.DEFERRED])
def test_what_has_not_started_is_cancelled_by_the_fact_itself(desk: Desk, state: S) -> None:
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    desk.release(campaign)
    desk.tick()
    if state is S.DEFERRED:
        [claimed] = desk.claim()
        desk.settle(claimed, state)
    stops.unsubscribe_contact(enrolled.contact, now=desk.now)
    message = message_of(enrolled)
    assert (message.state, message.reason, message.due_at) == (S.CANCELLED, "unsubscribed", None)
    assert desk.violations() == []


@pytest.mark.django_db(transaction=True)
def test_two_at_once_have_one_effect() -> None:
    desk = Desk()
    [enrolled] = desk.enroll(desk.campaign())
    with Held(lambda: stops.unsubscribe_contact(enrolled.contact, now=desk.now)) as first:
        second = Waiting(lambda: stops.unsubscribe_contact(enrolled.contact, now=desk.now)).until_it_waits()
        first.commit()
        second.result()
    assert (told("enrollment.unsubscribed"), Suppression.everywhere.count()) == (1, 1)
