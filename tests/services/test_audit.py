"""The audit finds what breaks a law: each check is shown a violation that was planted in the database."""

from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ampout.lib import clock
from dispatch.models import Attempt, Message
from dispatch.rules.consequences import Effect
from dispatch.services import audit, lifecycle, stops
from dispatch.services.claim import Claim
from dispatch.services.evidence import Resolution, resolve_unknown
from dispatch.services.limits import set_monthly_limit
from tests import factories
from tests.services.came_back import draw
from tests.services.desk import Desk, S, fresh, message_of

Plant = Callable[[Desk], str]


def sql(statement: str, *facts: datetime) -> None:
    """Break the law behind the engine's back."""
    with connection.cursor() as cursor:
        cursor.execute(statement, facts)


def sent_one(desk: Desk, **fields: int) -> Message:
    desk.released(1, **fields)
    [claimed] = desk.send_due()
    return message_of(claimed)


# -- One planted violation a check; each returns the id that the row must name


def second_attempt_after_acceptance(desk: Desk) -> str:
    message = sent_one(desk)
    attempt = Attempt.everywhere.get()
    attempt.pk, attempt.fence = None, 2
    attempt.save()
    return str(message.pk)


def second_attempt_after_silence(desk: Desk) -> str:
    message = second_attempt_after_acceptance(desk)
    sql("UPDATE dispatch_attempt SET state = 'unknown' WHERE fence = 1")
    return message


def body_without_wire(desk: Desk) -> str:
    message = sent_one(desk)
    sql("UPDATE dispatch_message SET wire_at = NULL")
    return str(message.pk)


def lost_message(desk: Desk) -> str:
    message = sent_one(desk)
    sql("DELETE FROM dispatch_attempt")
    sql("UPDATE dispatch_dailyusage SET used = 0")
    sql("DELETE FROM dispatch_message")
    return str(message.campaign_id)


def enrollment_with_nothing_to_come(desk: Desk) -> str:
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    desk.release(campaign)
    sql("UPDATE campaigns_enrollment SET next_due_at = NULL")
    return str(enrolled.pk)


def completed_with_work(desk: Desk) -> str:
    campaign = desk.released(1)
    sql("UPDATE campaigns_campaign SET status = 'completed'")
    return str(campaign.pk)


def completed_inside_a_grace_period(desk: Desk) -> str:
    campaign = desk.released(1)
    desk.send_due(S.UNKNOWN)
    sql("UPDATE campaigns_enrollment SET stopped_at = now(), stop_reason = 'replied', next_due_at = NULL")
    sql("UPDATE campaigns_campaign SET status = 'completed'")
    return str(campaign.pk)


def stuck_claim(desk: Desk) -> str:
    claimed = _claimed(desk)
    sql("UPDATE dispatch_deliveryworker SET ended_at = %s", desk.now - timedelta(hours=1))
    return str(claimed.message_id)


def claim_of_nobody(desk: Desk) -> str:
    claimed = _claimed(desk)
    sql("DELETE FROM dispatch_deliveryworker")
    return str(claimed.message_id)


def _claimed(desk: Desk) -> Claim:
    desk.released(1)
    desk.tick()
    [claimed] = desk.claim()
    return claimed


def cap_overrun(desk: Desk) -> str:
    message = sent_one(desk)
    sql("UPDATE dispatch_dailyusage SET used = 0, highest_limit = 0")
    return str(message.credential_id)


def unit_that_nobody_holds(desk: Desk) -> str:
    message = sent_one(desk)
    sql("UPDATE dispatch_dailyusage SET used = 2")
    return str(message.credential_id)


def unit_that_was_never_reserved(desk: Desk) -> str:
    message = sent_one(desk)
    sql("DELETE FROM dispatch_dailyusage")
    return str(message.credential_id)


def wire_after_a_stop(desk: Desk) -> str:
    message = sent_one(desk)
    stops.unsubscribe_contact(message.place[0].contact, now=desk.now)
    sql("UPDATE dispatch_message SET wire_at = %s", desk.now + timedelta(minutes=1))
    return str(message.pk)


def plan_after_a_stop(desk: Desk) -> str:
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    desk.release(campaign)
    desk.tick()
    sql("UPDATE campaigns_enrollment SET stopped_at = now(), stop_reason = 'replied'")
    return str(message_of(enrolled).pk)


def event_that_was_not_told(desk: Desk) -> str:
    message = sent_one(desk)
    sql("DELETE FROM events_event WHERE type = 'enrollment.sent'")
    return str(message.pk)


def bounce_that_was_not_told(desk: Desk) -> str:
    desk.released(1)
    desk.tick()
    [claimed] = desk.claim()
    desk.bounce(claimed)
    sql("DELETE FROM events_event WHERE type = 'enrollment.bounced'")
    return str(message_of(claimed).enrollment_id)


def reply_that_was_not_told(desk: Desk) -> str:
    message = replied_one(desk)
    sql("DELETE FROM events_event WHERE type = 'enrollment.replied'")
    return str(message.enrollment_id)


def open_that_was_not_told(desk: Desk) -> str:
    message = sent_one(desk)
    sql("UPDATE campaigns_enrollment SET status = 'opened', opened_at = now()")
    return str(message.enrollment_id)


def reply_that_stopped_nothing(desk: Desk) -> str:
    message = replied_one(desk, steps=2)
    sql("UPDATE campaigns_enrollment SET stopped_at = NULL, stop_reason = ''")
    return str(message.enrollment_id)


def replied_one(desk: Desk, **fields: int) -> Message:
    message = sent_one(desk, **fields)
    draw(desk, message, Effect.REPLY)
    return message


def reply_that_nobody_wrote(desk: Desk) -> str:
    message = replied_one(desk)
    sql("DELETE FROM dispatch_feedback")
    return str(message.enrollment_id)


def bounce_that_never_came(desk: Desk) -> str:
    message = sent_one(desk)
    sql("UPDATE dispatch_message SET bounced_at = now(), bounce_kind = 'soft'")
    return str(message.pk)


def complaint_that_never_came(desk: Desk) -> str:
    message = sent_one(desk)
    draw(desk, message, Effect.HARD_BOUNCE)
    sql("UPDATE dispatch_message SET complained_at = now()")
    return str(message.pk)


def hard_bounce_without_suppression(desk: Desk) -> str:
    message = sent_one(desk)
    draw(desk, message, Effect.HARD_BOUNCE)
    sql("DELETE FROM campaigns_suppression")
    return str(message.pk)


def complaint_without_suppression(desk: Desk) -> str:
    message = sent_one(desk)
    draw(desk, message, Effect.COMPLAINT)
    sql("DELETE FROM campaigns_suppression")
    return str(message.pk)


def feedback_of_another_account(desk: Desk) -> str:
    message = sent_one(desk)
    draw(desk, message, Effect.REPLY)
    factories.make_account("Bob")
    sql("UPDATE dispatch_feedback SET account_id = (SELECT id FROM accounts_account WHERE name = 'Bob')")
    return str(message.account_id)


def notice_of_another_account(desk: Desk) -> str:
    message = sent_one(desk)
    draw(desk, message, Effect.REPLY)
    factories.make_account("Bob")
    sql("UPDATE dispatch_notice SET account_id = (SELECT id FROM accounts_account WHERE name = 'Bob')")
    return str(message.account_id)


def second_step_before_the_first(desk: Desk) -> str:
    message = sent_one(desk, steps=2)
    desk.send_due()
    sql("UPDATE dispatch_message SET wire_at = wire_at + interval '1 hour' WHERE step_position = 1")
    return str(message.enrollment_id)


def second_step_while_the_first_is_under_way(desk: Desk) -> str:
    message = sent_one(desk, steps=2)
    desk.send_due()
    sql("UPDATE dispatch_message SET state = 'deferred' WHERE step_position = 1")
    return str(message.enrollment_id)


def second_step_without_a_first(desk: Desk) -> str:
    message = sent_one(desk, steps=2)
    desk.send_due()
    sql("DELETE FROM dispatch_attempt")
    sql("DELETE FROM dispatch_message WHERE step_position = 1")
    return str(message.enrollment_id)


def month_that_was_never_reserved(desk: Desk) -> str:
    set_monthly_limit(desk.account.pk, 9, now=desk.now)
    sent_one(desk)
    sql("UPDATE dispatch_monthlyreservation SET reserved = 0")
    return str(desk.account.pk)


def figure_that_does_not_add_up(desk: Desk) -> str:
    message = sent_one(desk)
    sql("UPDATE dispatch_messagetally SET count = 7")
    return str(message.campaign_id)


def usage_that_does_not_add_up(desk: Desk) -> str:
    message = sent_one(desk)
    sql("UPDATE dispatch_usagetally SET count = 7")
    return str(message.account_id)


PLANTED: dict[Plant, str] = {
    second_attempt_after_acceptance: "1 never twice: an attempt after one that may have delivered",
    second_attempt_after_silence: "1 never twice: an attempt after one that may have delivered",
    body_without_wire: "1 never twice: no body without its wire",
    lost_message: "2 never lost silently: every step that is due is accounted for",
    figure_that_does_not_add_up: "2 never lost silently: what is shown of a campaign adds up from its rows",
    usage_that_does_not_add_up: "2 never lost silently: what is shown of a campaign adds up from its rows",
    enrollment_with_nothing_to_come: "2 never lost silently: every open enrollment has something to come",
    completed_with_work: "2 never lost silently: a completed campaign has no work",
    completed_inside_a_grace_period: "2 never lost silently: a completed campaign has no work",
    stuck_claim: "2 never lost silently: no claim outlives its lease",
    claim_of_nobody: "2 never lost silently: no claim outlives its lease",
    cap_overrun: "4 caps: step-1 messages attempted a day within the limit",
    unit_that_nobody_holds: "4 caps: units in use equal the messages that hold one",
    unit_that_was_never_reserved: "4 caps: units in use equal the messages that hold one",
    month_that_was_never_reserved: "4 caps: a month's reservation covers what was sent and is on its way",
    wire_after_a_stop: "5 stop facts: nothing on the wire after a stop",
    plan_after_a_stop: "5 stop facts: nothing planned after a stop",
    event_that_was_not_told: "7 events: one for every message sent",
    reply_that_stopped_nothing: "5 stop facts: whoever replied, bounced or unsubscribed is stopped",
    hard_bounce_without_suppression: "5 stop facts: an address that hard-bounced or complained is suppressed",
    complaint_without_suppression: "5 stop facts: an address that hard-bounced or complained is suppressed",
    bounce_that_was_not_told: "7 events: one for every enrollment that opened, replied, bounced or unsubscribed",
    reply_that_was_not_told: "7 events: one for every enrollment that opened, replied, bounced or unsubscribed",
    open_that_was_not_told: "7 events: one for every enrollment that opened, replied, bounced or unsubscribed",
    reply_that_nobody_wrote: "8 explainable: for every reply, bounce and complaint what came back is recorded",
    bounce_that_never_came: "8 explainable: for every reply, bounce and complaint what came back is recorded",
    complaint_that_never_came: "8 explainable: for every reply, bounce and complaint what came back is recorded",
    feedback_of_another_account: "9 tenants are walled: what came back is about a message of the same account",
    notice_of_another_account: "9 tenants are walled: what came back is about a message of the same account",
    second_step_before_the_first: "order: no step before the one before it",
    second_step_while_the_first_is_under_way: "order: no step before the one before it",
    second_step_without_a_first: "order: no step before the one before it",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_what_was_planted_is_found(desk: Desk, plant: Plant) -> None:
    broken = plant(desk)
    found = [violation.row for violation in audit.audit(desk.now) if violation.law == PLANTED[plant]]
    assert len(found) == 1
    assert broken in found[0]


def test_no_check_goes_untested() -> None:
    assert set(PLANTED.values()) == set(audit.CHECKS)


# -- What is lawful


def test_an_engine_at_work_is_lawful_at_every_moment(desk: Desk) -> None:
    campaign = desk.released(6, steps=2, credentials=2, limit=2)
    for state in (S.ACCEPTED, S.DEFERRED, S.UNKNOWN, S.REFUSED):
        desk.tick()
        for claimed in desk.claim():
            if desk.start(claimed) and desk.wire(claimed):
                assert desk.violations() == []
                desk.settle(claimed, state)
            assert desk.violations() == []
        lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
        assert desk.violations() == []
        lifecycle.resume_campaign(desk.account, campaign.pk, now=desk.now)
        desk.wait(hours=30)


def test_an_operators_resend_is_lawful(desk: Desk) -> None:
    desk.released(1)
    [claimed] = desk.send_due(S.UNKNOWN)
    resolve_unknown(claimed.message_id, Resolution.RESEND, actor="olga")
    desk.send_due()
    assert desk.violations() == []


def test_a_claim_within_its_lease_is_lawful(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.now = clock.utc_now()
    claimed = _claimed(desk)
    assert desk.violations() == []
    assert fresh(message_of(claimed).place[0]).stopped_at is None


# -- The command


def test_the_command_says_that_all_holds(desk: Desk) -> None:
    sent_one(desk)
    output = StringIO()
    call_command("audit", stdout=output)
    lines = output.getvalue().splitlines()
    assert lines[-1] == f"All {len(audit.CHECKS)} checks hold."
    assert [line.split(maxsplit=1) for line in lines[:-1]] == [["holds", law] for law in audit.CHECKS]


def test_the_command_exits_with_the_rows_that_break_a_law(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "utc_now", lambda: desk.now)
    broken = [unit_that_nobody_holds(desk) for _ in range(1)] + [event_that_was_not_told(desk)]
    output = StringIO()
    with pytest.raises(CommandError, match=r"2 of \d+ checks are broken"):
        call_command("audit", rows=1, stdout=output)
    assert "broken  4 caps: units in use equal the messages that hold one" in output.getvalue()
    assert broken[0] in output.getvalue()
    assert "… and 1 more" in output.getvalue()
