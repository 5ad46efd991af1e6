"""A page of contacts or enrollments costs the same, wherever it is and however many there are (promise 3.12)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from ampout.accounts.models import Account
from ampout.api.pagination import PageRequest, Position, page_of
from campaigns.models import ContactImport
from campaigns.rules.enrollment_state import EnrollmentStatus
from campaigns.selectors.contacts import contacts_of
from campaigns.selectors.enrollments import enrollments_of
from tests import factories

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MANY = """
INSERT INTO campaigns_contact (
    id, account_id, contact_import_id, email, identity, domain, address_digest, domain_digest, first_name, last_name,
    company, custom_fields, source, lawful_basis, created_at
)
SELECT gen_random_uuid(), %(account)s, %(import)s, 'p' || n || '@x.example', 'p' || n || '@x.example', 'x.example',
       '', '', '', '', '', '{}', '', '', %(start)s::timestamptz + n * interval '1 second'
FROM generate_series(1, 20000) n
"""
# No contact of batch 1 has replied.
ENROLLED = """
INSERT INTO campaigns_enrollment (
    id, account_id, campaign_id, contact_id, status, batch_number, priority, next_position, wait_reason, enrolled_at,
    bounce_reason, stop_reason
)
SELECT gen_random_uuid(), account_id, %(campaign)s, id, CASE extract(minute FROM created_at)::int %% 4
           WHEN 0 THEN 'replied' WHEN 1 THEN 'opened' ELSE 'sent' END,
       (extract(minute FROM created_at)::int %% 4 = 1)::int, 0, 2, '', created_at, '', ''
FROM campaigns_contact
"""


@pytest.fixture
def many(account: Account) -> ContactImport:
    """Twenty thousand contacts of one import."""
    contact_import = factories.make_import(account)
    with connection.cursor() as cursor:
        cursor.execute(MANY, {"account": account.pk, "import": contact_import.pk, "start": START})
        cursor.execute("ANALYZE campaigns_contact")
    return contact_import


def plan_of(rows: "QuerySet[Any]", after: Position | None, time_field: str = "created_at") -> str:
    """How PostgreSQL reads one page."""
    captured: list[str] = []

    def note(execute: object, sql: str, params: object, many: bool, context: object) -> object:
        with connection.connection.cursor() as cursor:
            captured.extend(row[0] for row in cursor.execute(f"EXPLAIN {sql}", params))
        return execute(sql, params, many, context)  # type: ignore[operator]

    with connection.execute_wrapper(note):
        page_of(rows, PageRequest(100, after), time_field=time_field)
    return "\n".join(captured)


@pytest.mark.django_db
@pytest.mark.parametrize("depth", [0, 10_000, 19_900])
def test_a_page_of_the_account_is_read_from_its_index(many: ContactImport, depth: int) -> None:
    after = Position(START + timedelta(seconds=20_000 - depth), many.pk) if depth else None
    plan = plan_of(contacts_of(many.account), after)
    assert "contact_by_account" in plan
    assert "Sort" not in plan


@pytest.mark.django_db
def test_a_page_of_an_import_is_read_from_its_index(many: ContactImport) -> None:
    factories.make_contact(many.account)
    plan = plan_of(contacts_of(many.account).filter(contact_import=many), None)
    assert "contact_by_import" in plan or "contact_by_account" in plan
    assert "Sort" not in plan


@pytest.mark.django_db
@pytest.mark.parametrize("status", [EnrollmentStatus.REPLIED, EnrollmentStatus.SENT])
def test_a_page_of_a_status_and_a_batch_reads_no_row_in_vain(many: ContactImport, status: EnrollmentStatus) -> None:
    campaign = factories.make_campaign(many.account)
    with connection.cursor() as cursor:
        cursor.execute(ENROLLED, {"campaign": campaign.pk})
        cursor.execute("ANALYZE campaigns_enrollment")
    plan = plan_of(enrollments_of(campaign, status=status, batch_number=1), None, "enrolled_at")
    [condition] = re.findall(r"Index Cond: (.*)", plan)
    assert "status" in condition, plan
    assert "batch_number" in condition, plan
    assert "Sort" not in plan
