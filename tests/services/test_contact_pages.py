"""A page of contacts costs the same, wherever it is and however many there are (promise 3.12)."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import QuerySet

from ampout.accounts.models import Account
from ampout.api.pagination import PageRequest, Position, page_of
from campaigns.models import Contact, ContactImport
from campaigns.selectors.contacts import contacts_of
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


@pytest.fixture
def many(account: Account) -> ContactImport:
    """Twenty thousand contacts of one import."""
    contact_import = factories.make_import(account)
    with connection.cursor() as cursor:
        cursor.execute(MANY, {"account": account.pk, "import": contact_import.pk, "start": START})
        cursor.execute("ANALYZE campaigns_contact")
    return contact_import


def plan_of(rows: "QuerySet[Contact]", after: Position | None) -> str:
    """How PostgreSQL reads one page."""
    captured: list[str] = []

    def note(execute: object, sql: str, params: object, many: bool, context: object) -> object:
        with connection.connection.cursor() as cursor:
            captured.extend(row[0] for row in cursor.execute(f"EXPLAIN {sql}", params))
        return execute(sql, params, many, context)  # type: ignore[operator]

    with connection.execute_wrapper(note):
        page_of(rows, PageRequest(100, after))
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
