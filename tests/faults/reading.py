"""The Ledger of a run, read in one snapshot; and the oracle's log as entries."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import IsolationLevel
from psycopg.rows import dict_row

from tests.faults.history import Entry, Kind, Ledger, Row
from tests.faults.lab import Lab

QUERIES: dict[str, str] = {
    "messages": """
SELECT message.id, message.account_id AS account, message.campaign_id AS campaign,
       message.enrollment_id AS enrollment, message.stream, message.step_position AS step, message.recipient,
       message.message_id, message.state, message.reason, credential.smtp_username AS login, message.attempts,
       message.first_attempt_at, message.wire_at, message.settled_at, message.bounced_at, message.bounce_kind,
       message.complained_at, message.created_at
FROM dispatch_message message LEFT JOIN credentials_smtpcredential credential ON credential.id = message.credential_id
ORDER BY message.created_at, message.id
""",
    "attempts": """
SELECT attempt.id, attempt.account_id AS account, message.message_id, message.enrollment_id AS enrollment,
       message.stream, message.step_position AS step, message.recipient, credential.smtp_username AS login,
       attempt.fence, attempt.started_at, attempt.ended_at, attempt.stage, attempt.state, attempt.reason,
       attempt.reply_code, attempt.is_evidence
FROM dispatch_attempt attempt JOIN dispatch_message message ON message.id = attempt.message_id
LEFT JOIN credentials_smtpcredential credential ON credential.id = attempt.credential_id
ORDER BY attempt.id
""",
    "enrollments": """
SELECT enrollment.id, enrollment.account_id AS account, enrollment.campaign_id AS campaign,
       contact.identity AS contact, enrollment.status, enrollment.next_position, enrollment.next_due_at,
       enrollment.wait_reason, batch.released_at, enrollment.sent_at, enrollment.opened_at, enrollment.replied_at,
       enrollment.bounced_at, enrollment.unsubscribed_at, enrollment.stopped_at, enrollment.stop_reason,
       enrollment.finished_at,
       COALESCE(enrollment.steps_due, (SELECT count(*) FROM campaigns_sequencestep step
                                       WHERE step.campaign_id = enrollment.campaign_id)) AS steps_due
FROM campaigns_enrollment enrollment JOIN campaigns_contact contact ON contact.id = enrollment.contact_id
LEFT JOIN campaigns_batch batch ON batch.campaign_id = enrollment.campaign_id AND batch.number = enrollment.batch_number
ORDER BY enrollment.enrolled_at, enrollment.id
""",
    "events": """
SELECT id, account_id AS account, sequence, type, fact, data, created_at, recorded_at FROM events_event
ORDER BY sequence
""",
    "usage": """
SELECT credential.smtp_username AS login, usage.day, usage.used, usage.highest_limit
FROM dispatch_dailyusage usage JOIN credentials_smtpcredential credential ON credential.id = usage.credential_id
ORDER BY usage.day, credential.smtp_username
""",
    "feedback": """
SELECT feedback.id, feedback.account_id AS account, notice.account_id AS notice_account, notice.source,
       credential.smtp_username AS login, message.message_id, message.account_id AS message_account,
       feedback.enrollment_id AS enrollment, feedback.kind, feedback.matched_by, feedback.hard, feedback.occurred_at,
       notice.received_at
FROM dispatch_feedback feedback JOIN dispatch_notice notice ON notice.id = feedback.notice_id
JOIN dispatch_message message ON message.id = feedback.message_id
JOIN credentials_smtpcredential credential ON credential.id = notice.credential_id
ORDER BY notice.received_at, feedback.id
""",
    "contacts": """
SELECT id, account_id AS account, identity AS contact, unsubscribed_at, deleted_at FROM campaigns_contact
ORDER BY created_at, id
""",
    "campaigns": """
SELECT id, account_id AS account, name, status, pause_reason, paused_at, completed_at, deleted_at
FROM campaigns_campaign ORDER BY created_at, id
""",
    # A digest tells no address; whom it names is known where the account has that contact.
    "suppressions": """
SELECT suppression.id, suppression.account_id AS account, contact.identity AS contact, suppression.kind,
       suppression.scope, suppression.reason, suppression.suppressed_at
FROM campaigns_suppression suppression
LEFT JOIN campaigns_contact contact ON contact.account_id = suppression.account_id
                                   AND contact.address_digest = suppression.digest AND contact.deleted_at IS NULL
WHERE suppression.scope <> '' ORDER BY suppression.suppressed_at, suppression.id
""",
    "credentials": """
SELECT id, account_id AS account, smtp_username AS login, daily_limit, disabled_at, disabled_reason, retired_at
FROM credentials_smtpcredential ORDER BY created_at, id
""",
    "endpoints": """
SELECT id, account_id AS account, event_filters, since, disabled_at, deleted_at FROM events_webhookendpoint
ORDER BY created_at, id
""",
}
"""A query for each part of the Ledger; the names of its columns are those of the rows."""


def read_ledger(lab: Lab) -> Ledger:
    """Everything the checker wants to know from the tables, as of one moment; call it when all is quiet."""
    return read_tables(lab.database_url)


def read_tables(url: str) -> Ledger:
    """The same of a database by its URL, or by what libpq takes besides."""
    with psycopg.connect(url, row_factory=dict_row) as database:
        database.isolation_level = IsolationLevel.REPEATABLE_READ
        return Ledger(**{name: tuple(map(_plain, database.execute(query.encode()))) for name, query in QUERIES.items()})


def _plain(row: Mapping[str, Any]) -> Row:
    return {name: _plain_value(value) for name, value in row.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    return str(value) if isinstance(value, UUID | date) else value


def delivered_entries(log: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """The oracle's log (Lab.delivered) as entries, at the time when each body was complete.

    `began` becomes seconds since the epoch too: when the client said MAIL.
    """
    return [
        Entry(
            datetime.fromisoformat(line["time"]).timestamp(),
            Kind.DELIVERED,
            {**line, "began": datetime.fromisoformat(line.get("began", line["time"])).timestamp()},
        )
        for line in log
    ]


def ledger_as_text(ledger: Ledger) -> str:
    """The ledger as JSON, to be kept beside the entries of a run."""
    return json.dumps({name: getattr(ledger, name) for name in QUERIES}, default=str)


def ledger_from_text(text: str) -> Ledger:
    """The ledger that `ledger_as_text` wrote."""
    return Ledger(**{name: tuple(rows) for name, rows in json.loads(text).items()})
