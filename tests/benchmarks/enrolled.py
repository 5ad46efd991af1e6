"""An installation with many enrollments of which few are due, made inside PostgreSQL."""

from typing import Any

from django.db import connection

from ampout.accounts.models import Account
from tests import factories

CREDENTIALS = 500
CAMPAIGNS = 50
DUE = 2_000

_CAMPAIGNS = """
INSERT INTO campaigns_campaign (id, account_id, name, status, pause_reason, min_wait_seconds, max_wait_seconds,
    verify_email_mx, track_opens, track_clicks, sender_may_change, bounce_rate_threshold, bounce_rate_min_sends,
    created_at, updated_at)
SELECT gen_random_uuid(), %(account)s, 'campaign ' || number, 'active', '', 30, 60, false, true, false, false, 8, 20,
       now(), now()
FROM generate_series(1, %(campaigns)s) number
"""
_STEPS = """
INSERT INTO campaigns_sequencestep (id, campaign_id, position, subject, body_html, body_text, body_text_given,
    delay_minutes, created_at, updated_at)
SELECT gen_random_uuid(), id, position, 'subject', '', 'text', true, 60, now(), now()
FROM campaigns_campaign, generate_series(1, 3) position
"""
_CREDENTIALS = """
INSERT INTO credentials_smtpcredential (id, account_id, label, smtp_host, smtp_port, smtp_username, smtp_password,
    from_name, from_email, daily_limit, imap_host, imap_username, imap_password, disabled_reason, enabled_since,
    last_problem, created_at, updated_at)
SELECT gen_random_uuid(), %(account)s, 'mailbox', '127.0.0.1', 587, 'user' || number, '', '',
       'user' || number || '@sender.example', 100000, '', '', '', '', now(), '', now(), now()
FROM generate_series(1, %(credentials)s) number
"""
_ATTACHMENTS = """
INSERT INTO campaigns_campaigncredential (campaign_id, credential_id, attached_at)
SELECT campaign.id, credential.id, now()
FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS number FROM campaigns_campaign) campaign
JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS number FROM credentials_smtpcredential) credential
  ON credential.number %% %(campaigns)s = campaign.number
"""
_CONTACTS = """
INSERT INTO campaigns_contact (id, account_id, email, identity, domain, address_digest, domain_digest, first_name,
    last_name, company, custom_fields, source, lawful_basis, created_at)
SELECT gen_random_uuid(), %(account)s, 'p' || number || '@recipient.example', 'p' || number || '@recipient.example',
       'recipient.example', sha256(number::text::bytea), sha256('recipient.example'::bytea), '', '', '', '{}', '', '',
       now()
FROM generate_series(1, %(enrollments)s) number
"""
# Of a thousand: one or two are due, the rest waits for its delay, was never released, or is through.
_ENROLLMENTS = """
INSERT INTO campaigns_enrollment (id, account_id, campaign_id, contact_id, smtp_credential_id, status, batch_number,
    priority, next_position, next_due_at, wait_reason, enrolled_at, bounce_reason, stop_reason, finished_at, steps_due)
SELECT gen_random_uuid(), %(account)s, campaign.id, contact.id,
       CASE WHEN kind = 'later' OR kind = 'delay' OR kind = 'through' THEN sender.credential_id END,
       CASE WHEN kind IN ('first', 'unreleased') THEN 'pending' ELSE 'sent' END, contact.number %% 20, 0,
       CASE WHEN kind IN ('first', 'unreleased') THEN 1 WHEN kind = 'through' THEN 4 ELSE 2 END,
       CASE kind WHEN 'first' THEN now() WHEN 'later' THEN now() WHEN 'delay' THEN now() + interval '2 days' END,
       CASE kind WHEN 'delay' THEN 'delay' ELSE '' END, now(), '', '',
       CASE kind WHEN 'through' THEN now() END, CASE kind WHEN 'through' THEN 3 END
FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS number FROM campaigns_contact) contact
CROSS JOIN LATERAL (SELECT CASE WHEN contact.number < %(due)s / 2 THEN 'first'
                                WHEN contact.number < %(due)s THEN 'later'
                                WHEN contact.number %% 3 = 0 THEN 'delay'
                                WHEN contact.number %% 3 = 1 THEN 'unreleased' ELSE 'through' END AS kind) as_kind
JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS number FROM campaigns_campaign) campaign
  ON campaign.number = contact.number %% %(campaigns)s
JOIN LATERAL (SELECT credential_id FROM campaigns_campaigncredential attachment
              WHERE attachment.campaign_id = campaign.id
              ORDER BY credential_id OFFSET (contact.number / %(campaigns)s) %% 10 LIMIT 1) sender ON true
"""


def build(enrollments: int) -> Account:
    """One account with 50 active campaigns, 500 credentials and this many enrollments, 2,000 of them due."""
    account = factories.make_account()
    facts: dict[str, Any] = {
        "account": account.pk,
        "campaigns": CAMPAIGNS,
        "credentials": CREDENTIALS,
        "enrollments": enrollments,
        "due": DUE,
    }
    with connection.cursor() as cursor:
        for statement in (_CAMPAIGNS, _STEPS, _CREDENTIALS, _ATTACHMENTS, _CONTACTS, _ENROLLMENTS):
            cursor.execute(statement, facts)
        cursor.execute(
            "INSERT INTO dispatch_lane (credential_id, failures) SELECT id, 0 FROM credentials_smtpcredential"
        )
        cursor.execute("ANALYZE")
    return account


def tear_down() -> None:
    """Empty the tables; TRUNCATE, as deleting a million rows takes longer than making them."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE accounts_account CASCADE")
        cursor.execute("TRUNCATE dispatch_mxverdict, dispatch_deliveryworker CASCADE")
