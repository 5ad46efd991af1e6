"""Two installations side by side, one of ten thousand and one of a million rows, made inside PostgreSQL.

Each is a database of its own, so that what a small account costs is not measured in the indexes of a large one. Ids are
made of numbers (`row_id`), so that a benchmark names any row without looking for it.
"""

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, connections
from psycopg import sql

from ampout.accounts.models import ApiKey
from ampout.accounts.wall_building import raise_wall
from campaigns.models import Campaign
from dispatch.services.tallies import fold_tallies, mend_tallies
from tests import factories
from tests.conftest import ApiClient

CREDENTIALS = 40
CAMPAIGNS = 50
BATCHES = 20
SPARE = 2_000
"""Contacts who are in no campaign yet."""
OUTSTANDING = 1_000
"""Messages under way, at any size: what goes out in a while is bounded by caps, not by what is stored."""
EVERY_SECONDS = 20
"""Rows lie so far apart: a million of them is 231 days."""
LATEST = datetime(2026, 11, 22, tzinfo=UTC)
IMAP = {"imap_host": "127.0.0.1", "imap_port": 993, "imap_username": "u", "imap_password": factories.IMAP_PASSWORD}

_FACTS = """
CREATE TEMPORARY TABLE facts AS
SELECT number, md5('contact' || number)::uuid AS contact_id, md5('enrollment' || number)::uuid AS enrollment_id,
       CASE WHEN number %% 20 = 19 THEN md5('campaign' || number / 20 %% 49 + 1)::uuid
            ELSE md5('campaign0')::uuid END AS campaign_id,
       md5('credential' || number %% %(credentials)s)::uuid AS credential_id,
       %(latest)s - number * %(every)s * interval '1 second' AS at,
       sha256(number::text::bytea) AS digest,
       CASE WHEN number < %(outstanding)s THEN 'planned' WHEN number %% 100 < 60 THEN 'through'
            WHEN number %% 100 < 70 THEN 'delay' WHEN number %% 100 < 80 THEN 'unreleased'
            WHEN number %% 100 < 90 THEN 'opened' WHEN number %% 100 < 95 THEN 'replied'
            WHEN number %% 100 < 98 THEN 'bounced' ELSE 'unsubscribed' END AS kind
FROM generate_series(0, %(rows)s - 1) number
"""
_CONTACTS = """
INSERT INTO campaigns_contact (id, account_id, contact_import_id, email, identity, domain, address_digest,
    domain_digest, first_name, last_name, company, custom_fields, source, lawful_basis, created_at)
SELECT md5('contact' || number)::uuid, %(account)s, %(contact_import)s, 'p' || number || '@recipient.example',
       'p' || number || '@recipient.example', 'recipient.example', sha256(number::text::bytea),
       sha256('recipient.example'::bytea), 'First', 'Last', 'Company', '{"city": "Nowhere"}', '', '',
       %(latest)s - number * %(every)s * interval '1 second'
FROM generate_series(0, %(rows)s + %(spare)s - 1) number
"""
_ENROLLMENTS = """
INSERT INTO campaigns_enrollment (id, account_id, campaign_id, contact_id, smtp_credential_id, status, batch_number,
    priority, next_position, next_due_at, wait_reason, enrolled_at, sent_at, opened_at, replied_at, bounced_at,
    unsubscribed_at, bounce_reason, stopped_at, stop_reason, finished_at, steps_due)
SELECT enrollment_id, %(account)s, campaign_id, contact_id,
       CASE WHEN kind NOT IN ('unreleased', 'planned') THEN credential_id END,
       CASE kind WHEN 'unreleased' THEN 'pending' WHEN 'planned' THEN 'pending' WHEN 'through' THEN 'sent'
                 WHEN 'delay' THEN 'sent' ELSE kind END,
       number %% %(batches)s, 0,
       CASE kind WHEN 'unreleased' THEN 1 WHEN 'planned' THEN 1 WHEN 'through' THEN 3 WHEN 'bounced' THEN 1 ELSE 2 END,
       CASE WHEN kind IN ('delay', 'opened') THEN now() + number * interval '1 second' END,
       CASE WHEN kind IN ('delay', 'opened') THEN 'delay' ELSE '' END, at,
       CASE WHEN kind NOT IN ('unreleased', 'planned', 'bounced') THEN at END,
       CASE kind WHEN 'opened' THEN at END, CASE kind WHEN 'replied' THEN at END, CASE kind WHEN 'bounced' THEN at END,
       CASE kind WHEN 'unsubscribed' THEN at END, CASE kind WHEN 'bounced' THEN 'no such user' ELSE '' END,
       CASE WHEN kind IN ('replied', 'bounced', 'unsubscribed') THEN at END,
       CASE WHEN kind IN ('replied', 'bounced', 'unsubscribed') THEN kind ELSE '' END,
       CASE kind WHEN 'through' THEN at END, CASE kind WHEN 'through' THEN 2 END
FROM facts
"""
_MESSAGES = """
INSERT INTO dispatch_message (id, account_id, stream, campaign_id, enrollment_id, contact_id, credential_id,
    step_position, recipient, recipient_digest, domain_digest, message_id, delivered_message_id, subject, state, reason,
    due_at, gap_seed, gap_seconds, fence, attempts, wire_at, first_attempt_at, settled_at, reply_code, reply_text,
    created_at)
SELECT md5('message' || number || '-' || position)::uuid, %(account)s, 'campaign', campaign_id, enrollment_id,
       contact_id, credential_id, position, 'p' || number || '@recipient.example', digest,
       sha256('recipient.example'::bytea), '<' || number || '.' || position || '@sender.example>', '', 'A subject',
       CASE kind WHEN 'planned' THEN 'planned' WHEN 'bounced' THEN 'refused' ELSE 'accepted' END,
       CASE kind WHEN 'bounced' THEN 'address_refused' ELSE '' END,
       CASE kind WHEN 'planned' THEN now() + interval '1 day' END, 1, 60, 1, 1,
       CASE WHEN kind NOT IN ('planned', 'bounced') THEN at END, CASE WHEN kind <> 'planned' THEN at END,
       CASE WHEN kind <> 'planned' THEN at END, CASE kind WHEN 'bounced' THEN 550 WHEN 'planned' THEN NULL ELSE 250 END,
       CASE WHEN kind <> 'planned' THEN 'An answer' ELSE '' END, at
FROM facts, generate_series(1, CASE WHEN kind = 'through' AND number %% 100 < 20 THEN 2 ELSE 1 END) position
WHERE kind <> 'unreleased'
"""
_ATTEMPTS = """
INSERT INTO dispatch_attempt (account_id, message_id, credential_id, fence, started_at, ended_at, stage, state, reason,
    reply_code, reply_text, is_evidence)
SELECT account_id, id, credential_id, 1, settled_at, settled_at, 'data', state, reason, reply_code, reply_text, false
FROM dispatch_message WHERE settled_at IS NOT NULL
"""
_EVENTS = """
INSERT INTO events_event (id, account_id, type, fact, data, created_at, fanned_out_at, position)
SELECT md5('event' || number)::uuid, %(account)s,
       CASE WHEN kind IN ('replied', 'bounced', 'unsubscribed', 'opened') THEN 'enrollment.' || kind
            ELSE 'enrollment.sent' END,
       'fact:' || enrollment_id,
       jsonb_build_object('enrollment_id', enrollment_id, 'contact_id', contact_id, 'campaign_id', campaign_id,
                          'contact_email', 'p' || number || '@recipient.example', 'status', kind),
       at, at, %(rows)s - number
FROM facts
"""
_SUPPRESSIONS = """
INSERT INTO campaigns_suppression (id, account_id, kind, digest, scope, reason, created_at, suppressed_at)
SELECT gen_random_uuid(), %(account)s, 'address', sha256(('s' || number)::bytea), 'all', 'manual', at, at
FROM facts WHERE number %% 10 = 0
"""
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename IN ('campaigns_contact', 'campaigns_enrollment', 'dispatch_message', 'dispatch_attempt', 'events_event',
                    'campaigns_suppression')
  AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = indexname)
"""
_ORDER = (_FACTS, _CONTACTS, _ENROLLMENTS, _MESSAGES, _ATTEMPTS, _EVENTS, _SUPPRESSIONS)


def row_id(kind: str, number: int | str) -> uuid.UUID:
    """The id of the row with this number."""
    return uuid.UUID(hashlib.md5(f"{kind}{number}".encode(), usedforsecurity=False).hexdigest())


def time_of(number: int) -> datetime:
    """When the row with this number was made."""
    return LATEST - timedelta(seconds=number * EVERY_SECONDS)


class PlainClient(ApiClient):
    """Answers are handed on as they come: holding them to the API's description takes longer than the calls."""

    def _seen(self, _method: str, _path: str, answer: Any) -> Any:
        return answer


@dataclass
class Installation:
    """One account in a database of its own; call it inside `open()`."""

    database: str
    rows: int
    wrapper: Any = None
    api: ApiClient | None = None

    @contextmanager
    def open(self) -> Iterator[ApiClient]:
        """While this lasts, the default connection is one to this database, which stays open."""
        before = connections["default"]
        connections["default"] = self.wrapper
        try:
            yield self.api or PlainClient(None, None)
        finally:
            connections["default"] = before

    def build(self) -> None:
        """Fill it: one campaign has nineteen in twenty of all enrollments, 49 share the rest."""
        self.wrapper = connections.create_connection("default")
        self.wrapper.settings_dict = self.wrapper.settings_dict | {"NAME": self.database}
        with self.open():
            raise_wall()
            self.api = _fill(self.rows)


def _fill(rows: int) -> ApiClient:
    account = factories.make_account()
    key = factories.make_key(account)
    ApiKey.objects.of(account).update(is_rate_limited=False)
    since = {"enabled_since": time_of(rows + SPARE), "created_at": time_of(rows + SPARE)}
    credentials = [
        factories.make_credential(account, id=row_id("credential", number), **since, **IMAP)
        for number in range(CREDENTIALS)
    ]
    outreach = factories.make_outreach(account, id=row_id("outreach", 0))
    for number in range(CAMPAIGNS):
        fields = {"outreach": outreach if number < 10 else None, "status": "active", "started_at": LATEST}
        attached = credentials if number == 0 else credentials[number % CREDENTIALS :][:1]
        campaign = factories.make_campaign(
            account, id=row_id("campaign", number), steps=2, credentials=attached, created_at=time_of(number), **fields
        )
        _make_batches(campaign)
    facts: dict[str, Any] = {"account": account.pk, "rows": rows, "spare": SPARE, "outstanding": OUTSTANDING}
    facts |= {"latest": LATEST, "every": EVERY_SECONDS, "credentials": CREDENTIALS, "batches": BATCHES}
    facts |= {"contact_import": factories.make_import(account, id=row_id("import", 0), record_count=rows + SPARE).pk}
    with connection.cursor() as cursor, _only_rows_written(cursor):
        for statement in _ORDER:
            cursor.execute(statement, facts)
        cursor.execute("DROP TABLE facts")
        cursor.execute("INSERT INTO events_eventlog VALUES (%(account)s, %(rows)s)", facts)
        cursor.execute(
            "INSERT INTO dispatch_lane (credential_id, failures) SELECT id, 0 FROM credentials_smtpcredential"
        )
    mend_tallies()
    fold_tallies()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    return PlainClient(account, key.plaintext)


@contextmanager
def _only_rows_written(cursor: Any) -> Iterator[None]:
    """Meanwhile no trigger fires, no foreign key is checked, no index kept but those of constraints."""
    cursor.execute("SET session_replication_role = replica; SET maintenance_work_mem = '1GB'")
    cursor.execute(_INDEXES)
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    yield
    for _, definition in indexes:
        cursor.execute(definition)
    cursor.execute("RESET session_replication_role; RESET maintenance_work_mem")


def _make_batches(campaign: Campaign) -> None:
    for number in range(BATCHES):
        factories.make_batch(campaign, number, released_at=LATEST, opened_at=LATEST)


@contextmanager
def side_by_side(*sizes: int) -> Iterator[list[Installation]]:
    """An installation of each size, filled; their databases are dropped at the end."""
    template = connection.settings_dict["NAME"]
    connection.close()
    made = [Installation(f"{template}_{rows}", rows) for rows in sizes]
    try:
        for installation in made:
            _administer(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(installation.database)))
            _administer(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(installation.database), sql.Identifier(template)
                )
            )
            installation.build()
        yield made
    finally:
        for installation in made:
            if installation.wrapper is not None:
                installation.wrapper.close()
            _administer(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(installation.database)))


def _administer(statement: sql.Composed) -> None:
    """Run it on a database that nobody makes a copy of."""
    with connection._nodb_cursor() as cursor:
        cursor.execute(statement)
