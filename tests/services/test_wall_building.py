"""The second wall stands after `migrate`, whatever the database user may do; where it cannot, operators are told."""

import logging
import uuid
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ampout.accounts import row_security
from ampout.accounts.row_security import ROLE_NAME, Wall, behind_wall, find_wall, stand_behind
from ampout.accounts.wall_building import raise_wall, wall_problems
from ampout.accounts.wall_plan import table_plans
from ampout.lib import sql
from campaigns.models import Outreach
from tests import factories

pytestmark = pytest.mark.django_db

FORCED = "SELECT count(*) FROM pg_class WHERE relforcerowsecurity"
CHANGES = ("ALTER", "CREATE", "DROP", "GRANT", "COMMENT")
PLANS = list(table_plans())
WALLED = sum(plan.condition is not None for plan in PLANS)


def role_name() -> str:
    name: str = sql.fetch(f"SELECT {ROLE_NAME}")[0][0]
    return name


def drop_role() -> None:
    sql.execute(f"DROP OWNED BY {role_name()}")
    sql.execute(f"DROP ROLE {role_name()}")


def become_owner(attributes: str = "") -> None:
    """Give all tables to a user without the rights of the tests' own, and go on as that user."""
    sql.execute(f"CREATE ROLE plain_owner {attributes}")
    for plan in PLANS:
        sql.execute(f"ALTER TABLE {plan.table} OWNER TO plain_owner")
    sql.execute("SET LOCAL ROLE plain_owner")


@pytest.fixture
def alice() -> uuid.UUID:
    """Who has an outreach, as Bob has."""
    account, bob = factories.make_account("Alice"), factories.make_account("Bob")
    factories.make_outreach(account, name="mine")
    factories.make_outreach(bob, name="foreign")
    # Tables with foreign keys to check take no changes.
    sql.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return account.pk


def outreaches() -> list[str]:
    return sorted(Outreach.everywhere.values_list("name", flat=True))


def the_wall() -> Wall:
    wall = find_wall()
    assert wall is not None
    return wall


def test_it_stands_after_migrating() -> None:
    assert wall_problems() == []
    assert sql.fetch(FORCED) == [(0,)]
    assert the_wall().role == role_name()


def test_what_stands_is_left_alone() -> None:
    with CaptureQueriesContext(connection) as captured:
        raise_wall()
    assert [query["sql"] for query in captured if query["sql"].startswith(CHANGES)] == []


def test_what_is_missing_is_named_and_mended() -> None:
    sql.execute("DROP POLICY account_wall ON campaigns_contact")
    sql.execute("ALTER TABLE campaigns_enrollment DISABLE ROW LEVEL SECURITY")
    sql.execute("COMMENT ON POLICY account_wall ON campaigns_batch IS 'of a release before'")
    (problem,) = wall_problems()
    assert "missing at campaigns_batch, campaigns_contact, campaigns_enrollment. Run manage.py migrate" in problem
    raise_wall()
    assert wall_problems() == []


def test_a_copy_that_was_restored_without_the_role_gets_it(alice: uuid.UUID) -> None:
    drop_role()
    raise_wall()
    assert wall_problems() == []
    with stand_behind(the_wall(), alice):
        assert outreaches() == ["mine"]


def test_an_owner_who_may_not_make_roles_is_bound_itself(alice: uuid.UUID) -> None:
    become_owner()
    raise_wall()
    assert wall_problems() == []
    assert sql.fetch(FORCED) == [(WALLED,)]
    assert outreaches() == ["foreign", "mine"]
    assert the_wall().role is None
    with stand_behind(the_wall(), alice):
        assert outreaches() == ["mine"]
        assert Outreach.everywhere.update(name="ours") == 1
    assert outreaches() == ["foreign", "ours"]


def test_an_owner_who_is_given_the_role_is_let_go() -> None:
    become_owner()
    raise_wall()
    sql.execute("SET LOCAL ROLE NONE")
    sql.execute(f"GRANT {role_name()} TO plain_owner")
    sql.execute("SET LOCAL ROLE plain_owner")
    raise_wall()
    assert sql.fetch(FORCED) == [(0,)]
    assert the_wall().role == role_name()


def test_an_owner_who_may_make_roles_makes_it() -> None:
    drop_role()
    become_owner("CREATEROLE")
    raise_wall()
    assert the_wall().role == role_name()
    assert wall_problems() == []


def test_tables_elsewhere_are_found_by_the_role_as_well(alice: uuid.UUID) -> None:
    """PostgreSQL's own search path begins with a schema of the user's name."""
    become_owner()
    sql.execute("SET LOCAL ROLE NONE")
    sql.execute(f"GRANT {role_name()} TO plain_owner")
    sql.execute("ALTER SCHEMA public RENAME TO plain_owner")
    sql.execute("ALTER SCHEMA plain_owner OWNER TO plain_owner")
    sql.execute("SET LOCAL ROLE plain_owner")
    raise_wall()
    assert the_wall().schemas == ("plain_owner",)
    with stand_behind(the_wall(), alice):
        assert outreaches() == ["mine"]


# -- Where it cannot stand


@pytest.fixture
def beyond_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom PostgreSQL does not bind and who may not make roles, in a process that has just begun."""
    monkeypatch.setattr(row_security._Standing, "found", {})
    become_owner("BYPASSRLS")


@pytest.mark.usefixtures("beyond_reach")
def test_a_user_beyond_its_reach_is_told_what_to_run() -> None:
    (problem,) = wall_problems()
    assert "does not bind the database user plain_owner" in problem
    assert f'CREATE ROLE "{role_name()}" NOLOGIN; GRANT "{role_name()}" TO "plain_owner";' in problem


@pytest.mark.usefixtures("beyond_reach")
def test_raising_it_tells_too(caplog: pytest.LogCaptureFixture) -> None:
    raise_wall()
    assert [record.action for record in caplog.records if record.levelno == logging.WARNING] == ["wall_missing"]  # type: ignore[attr-defined]


def test_calls_are_answered_and_the_log_says_so(
    alice: uuid.UUID, beyond_reach: None, caplog: pytest.LogCaptureFixture
) -> None:
    with behind_wall(alice):
        assert outreaches() == ["foreign", "mine"]
    assert "Row-level security does not stand" in caplog.text


@pytest.mark.usefixtures("beyond_reach")
def test_the_check_before_a_deployment_says_so() -> None:
    printed = StringIO()
    call_command("check", deploy=True, databases=["default"], tags=["database"], stderr=printed)
    assert "(ampout.W001) PostgreSQL does not bind" in printed.getvalue()


def test_the_check_before_a_deployment_is_content() -> None:
    printed = StringIO()
    call_command("check", deploy=True, databases=["default"], tags=["database"], stderr=printed)
    assert printed.getvalue() == ""
