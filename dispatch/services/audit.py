"""The laws, checked on the live database. Every check is one query that returns the rows which break it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from campaigns.models import Campaign
from dispatch.services import tallies
from dispatch.services.conservation import conservation_of

CLOCK_TOLERANCE = timedelta(seconds=5)
"""A stop fact and a wire take their times before they wait for each other's lock."""

BATCH = 200


@dataclass(frozen=True, slots=True)
class Violation:
    """A row that breaks a law."""

    law: str
    row: str


def _rows(query: str, **facts: Any) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(query, facts)
        names = [column.name for column in cursor.description or []]
        for row in cursor.fetchall():
            yield " ".join(f"{name}={value}" for name, value in zip(names, row, strict=True))


def _conservation(now: datetime) -> Iterator[str]:
    ids = list(Campaign.everywhere.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), BATCH):
        for campaign_id, account in conservation_of(ids[start : start + BATCH], now=now).items():
            if not account.balanced:
                yield f"campaign={campaign_id} due={account.due} accounted={account.accounted} {account.as_dict()}"


def _tallies_disagree(_now: datetime) -> Iterator[str]:
    return tallies.differences()


def _lost_enrollments(_now: datetime) -> Iterator[str]:
    return _rows("""
        SELECT enrollment.id AS enrollment, enrollment.campaign_id AS campaign, enrollment.next_position AS step
        FROM campaigns_enrollment enrollment
        JOIN campaigns_batch batch ON batch.campaign_id = enrollment.campaign_id
                                  AND batch.number = enrollment.batch_number AND batch.opened_at IS NOT NULL
        WHERE enrollment.stopped_at IS NULL AND enrollment.finished_at IS NULL AND enrollment.next_due_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM dispatch_message message
                          WHERE message.enrollment_id = enrollment.id
                            AND message.step_position = enrollment.next_position
                            AND message.state IN ('planned', 'claimed', 'wire', 'deferred'))
    """)


def _sent_twice(_now: datetime) -> Iterator[str]:
    """An attempt after one that may have delivered, unless an operator asked for it."""
    return _rows("""
        SELECT later.message_id AS message, earlier.fence AS first, later.fence AS second
        FROM dispatch_attempt earlier
        JOIN dispatch_attempt later ON later.message_id = earlier.message_id AND later.fence > earlier.fence
        WHERE earlier.state IN ('accepted', 'unknown') AND NOT earlier.is_evidence AND NOT later.is_evidence
          AND NOT EXISTS (SELECT 1 FROM dispatch_attempt choice
                          WHERE choice.message_id = earlier.message_id AND choice.reason = 'operator_resend'
                            AND choice.id BETWEEN earlier.id AND later.id)
    """)


def _sent_without_wire(_now: datetime) -> Iterator[str]:
    """A body that left, or may have, although nothing forbade to send it again."""
    return _rows("""
        SELECT id AS message, state FROM dispatch_message
        WHERE state IN ('accepted', 'unknown') AND wire_at IS NULL
    """)


def _caps_overrun(_now: datetime) -> Iterator[str]:
    return _rows("""
        SELECT attempt.credential_id AS credential, (attempt.started_at AT TIME ZONE 'UTC')::date AS day,
               count(DISTINCT attempt.message_id) AS attempted, max(usage.highest_limit) AS highest_limit
        FROM dispatch_attempt attempt
        JOIN dispatch_message message ON message.id = attempt.message_id
        LEFT JOIN dispatch_dailyusage usage ON usage.credential_id = attempt.credential_id
                                           AND usage.day = (attempt.started_at AT TIME ZONE 'UTC')::date
        WHERE message.step_position = 1 AND message.stream = 'campaign' AND NOT attempt.is_evidence
          AND attempt.started_at IS NOT NULL
        GROUP BY 1, 2
        HAVING count(DISTINCT attempt.message_id) > COALESCE(max(usage.highest_limit), 0)
    """)


def _units_disagree(_now: datetime) -> Iterator[str]:
    return _rows("""
        SELECT COALESCE(usage.credential_id, held.credential_id) AS credential,
               COALESCE(usage.day, held.usage_day) AS day,
               COALESCE(usage.used, 0) AS used, COALESCE(held.units, 0) AS held
        FROM dispatch_dailyusage usage
        FULL JOIN (SELECT credential_id, usage_day, count(*) AS units FROM dispatch_message
                   WHERE usage_day IS NOT NULL GROUP BY 1, 2) held
               ON held.credential_id = usage.credential_id AND held.usage_day = usage.day
        WHERE COALESCE(usage.used, 0) <> COALESCE(held.units, 0)
    """)


def _months_disagree(_now: datetime) -> Iterator[str]:
    return _rows("""
        SELECT reservation.account_id AS account, reservation.month, reservation.reserved, taken.messages
        FROM dispatch_monthlyreservation reservation
        CROSS JOIN LATERAL (
            SELECT count(*) AS messages FROM dispatch_message message
            WHERE message.account_id = reservation.account_id
              AND (message.state IN ('accepted', 'unknown')
                       AND message.wire_at >= reservation.month::timestamp AT TIME ZONE 'UTC'
                   OR message.state IN ('claimed', 'wire', 'deferred')
                   OR message.state = 'planned' AND message.due_at IS NOT NULL)
        ) taken
        WHERE reservation.counted_at IS NOT NULL AND reservation.reserved < taken.messages
    """)


def _stuck_claims(now: datetime) -> Iterator[str]:
    return _rows(
        """
        SELECT message.id AS message, message.state, message.worker_id AS worker
        FROM dispatch_message message
        LEFT JOIN dispatch_deliveryworker worker ON worker.id = message.worker_id
        WHERE message.state IN ('claimed', 'wire')
          AND (worker.id IS NULL OR COALESCE(worker.ended_at, worker.lease_until) < %(latest)s)
        """,
        latest=now - timedelta(seconds=settings.LEASE_SECONDS + 60),
    )


def _steps_out_of_order(_now: datetime) -> Iterator[str]:
    return _rows("""
        SELECT later.enrollment_id AS enrollment, earlier.step_position AS step, earlier.state,
               later.step_position AS sent
        FROM dispatch_message later
        LEFT JOIN dispatch_message earlier ON earlier.enrollment_id = later.enrollment_id
                                          AND earlier.step_position = later.step_position - 1
        WHERE later.wire_at IS NOT NULL AND later.enrollment_id IS NOT NULL AND later.step_position > 1
          AND (earlier.id IS NULL OR earlier.state NOT IN ('accepted', 'unknown', 'refused')
               OR earlier.wire_at > later.wire_at)
    """)


def _sent_after_stop(_now: datetime) -> Iterator[str]:
    return _rows(
        """
        SELECT message.id AS message, message.wire_at, enrollment.stopped_at, enrollment.stop_reason
        FROM dispatch_message message JOIN campaigns_enrollment enrollment ON enrollment.id = message.enrollment_id
        WHERE message.wire_at > enrollment.stopped_at + %(tolerance)s
        """,
        tolerance=CLOCK_TOLERANCE,
    )


def _planned_after_stop(_now: datetime) -> Iterator[str]:
    return _rows("""
        SELECT message.id AS message, message.state, enrollment.stop_reason
        FROM dispatch_message message JOIN campaigns_enrollment enrollment ON enrollment.id = message.enrollment_id
        WHERE message.state IN ('planned', 'deferred')
          AND (enrollment.stopped_at IS NOT NULL OR enrollment.finished_at IS NOT NULL)
    """)


def _completed_with_work(now: datetime) -> Iterator[str]:
    return _rows(
        """
        SELECT DISTINCT campaign.id AS campaign FROM campaigns_campaign campaign
        JOIN campaigns_enrollment enrollment ON enrollment.campaign_id = campaign.id
        JOIN campaigns_batch batch ON batch.campaign_id = campaign.id AND batch.number = enrollment.batch_number
                                  AND batch.released_at IS NOT NULL
        WHERE campaign.status = 'completed' AND campaign.deleted_at IS NULL
          AND (enrollment.stopped_at IS NULL AND enrollment.finished_at IS NULL
               OR EXISTS (SELECT 1 FROM dispatch_message message
                          WHERE message.enrollment_id = enrollment.id
                            AND (message.state IN ('planned', 'claimed', 'wire', 'deferred')
                                 OR message.state = 'unknown' AND message.wire_at > %(grace_since)s)))
        """,
        grace_since=now - timedelta(seconds=settings.UNKNOWN_GRACE_SECONDS),
    )


def _log_begins(now: datetime) -> datetime:
    """What is older may have no event any more."""
    return now - timedelta(days=settings.EVENTS_RETENTION_DAYS)


def _ends_untold(now: datetime) -> Iterator[str]:
    return _rows(
        """
        SELECT enrollment.id AS enrollment, enrollment.status FROM campaigns_enrollment enrollment
        WHERE enrollment.status IN ('opened', 'replied', 'bounced', 'unsubscribed')
          AND NOT EXISTS (SELECT 1 FROM events_event event
                          WHERE event.account_id = enrollment.account_id
                            AND event.fact = 'enrollment.' || enrollment.status || ':' || enrollment.id)
          AND coalesce(CASE enrollment.status
                           WHEN 'opened' THEN enrollment.opened_at WHEN 'replied' THEN enrollment.replied_at
                           WHEN 'bounced' THEN enrollment.bounced_at ELSE enrollment.unsubscribed_at
                       END, %(now)s) > %(log_begins)s
        """,
        now=now,
        log_begins=_log_begins(now),
    )


def _open_after_end(_now: datetime) -> Iterator[str]:
    return _rows("""
        SELECT id AS enrollment, status FROM campaigns_enrollment
        WHERE status IN ('replied', 'bounced', 'unsubscribed') AND stopped_at IS NULL
    """)


def _ends_unproved(_now: datetime) -> Iterator[str]:
    """A message is marked as returned or complained of, or an enrollment as replied, and nothing that came says so."""
    return _rows("""
        SELECT message.id AS message, CASE WHEN message.bounced_at IS NULL THEN 'complaint' ELSE 'bounce' END AS mark
        FROM dispatch_message message
        WHERE (message.bounced_at IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM dispatch_feedback feedback
                               WHERE feedback.message_id = message.id AND feedback.kind = 'bounce'))
           OR (message.complained_at IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM dispatch_feedback feedback
                               WHERE feedback.message_id = message.id AND feedback.kind = 'feedback'))
        UNION ALL
        SELECT enrollment.id, 'reply' FROM campaigns_enrollment enrollment
        WHERE enrollment.replied_at IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM dispatch_feedback feedback
                          WHERE feedback.enrollment_id = enrollment.id AND feedback.kind = 'reply')
    """)


def _unsuppressed(_now: datetime) -> Iterator[str]:
    """A suppression that somebody lifted keeps its row, without a scope."""
    return _rows("""
        SELECT message.id AS message, message.bounce_kind, message.complained_at
        FROM dispatch_message message
        WHERE (message.bounce_kind = 'hard' OR message.complained_at IS NOT NULL)
          AND NOT EXISTS (SELECT 1 FROM campaigns_suppression suppression
                          WHERE suppression.account_id = message.account_id
                            AND suppression.digest = message.recipient_digest)
    """)


def _told_to_strangers(_now: datetime) -> Iterator[str]:
    return _rows("""
        SELECT feedback.id AS feedback, feedback.account_id AS account, message.account_id AS owner
        FROM dispatch_feedback feedback
        JOIN dispatch_message message ON message.id = feedback.message_id
        JOIN dispatch_notice notice ON notice.id = feedback.notice_id
        WHERE feedback.account_id <> message.account_id OR feedback.account_id <> notice.account_id
    """)


def _events_missing(now: datetime) -> Iterator[str]:
    return _rows(
        """
        SELECT message.id AS message, message.enrollment_id AS enrollment, message.step_position AS step
        FROM dispatch_message message
        WHERE message.state IN ('accepted', 'unknown') AND message.enrollment_id IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM events_event event
                          WHERE event.account_id = message.account_id
                            AND event.fact
                                = 'enrollment.sent:' || message.enrollment_id || ':' || message.step_position)
          AND coalesce(message.wire_at, %(now)s) > %(log_begins)s
        """,
        now=now,
        log_begins=_log_begins(now),
    )


CHECKS: dict[str, Callable[[datetime], Iterator[str]]] = {
    "1 never twice: an attempt after one that may have delivered": _sent_twice,
    "1 never twice: no body without its wire": _sent_without_wire,
    "2 never lost silently: every step that is due is accounted for": _conservation,
    "2 never lost silently: what is shown of a campaign adds up from its rows": _tallies_disagree,
    "2 never lost silently: every open enrollment has something to come": _lost_enrollments,
    "2 never lost silently: a completed campaign has no work": _completed_with_work,
    "2 never lost silently: no claim outlives its lease": _stuck_claims,
    "4 caps: step-1 messages attempted a day within the limit": _caps_overrun,
    "4 caps: units in use equal the messages that hold one": _units_disagree,
    "4 caps: a month's reservation covers what was sent and is on its way": _months_disagree,
    "5 stop facts: nothing on the wire after a stop": _sent_after_stop,
    "5 stop facts: nothing planned after a stop": _planned_after_stop,
    "5 stop facts: whoever replied, bounced or unsubscribed is stopped": _open_after_end,
    "5 stop facts: an address that hard-bounced or complained is suppressed": _unsuppressed,
    "7 events: one for every message sent": _events_missing,
    "7 events: one for every enrollment that opened, replied, bounced or unsubscribed": _ends_untold,
    "8 explainable: for every reply, bounce and complaint what came back is recorded": _ends_unproved,
    "9 tenants are walled: what came back is about a message of the same account": _told_to_strangers,
    "order: no step before the one before it": _steps_out_of_order,
}


def audit(now: datetime) -> Iterator[Violation]:
    """Every row that breaks a law, check by check."""
    for law, check in CHECKS.items():
        for row in check(now):
            yield Violation(law, row)
