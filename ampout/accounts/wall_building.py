"""Raising the second wall: PostgreSQL's row-level security, made to fit after every `migrate` (docs/decisions/0006).

1. The role that calls take for their statements, where this database user may make one.
2. What that role may do: read and write the rows of accounts, and nothing else.
3. A policy a table. Where there is no role, the tables' owner is bound as well (FORCE).

What stands already is left alone: a change locks its table.
"""

import logging
import uuid
from collections.abc import Iterator
from typing import Any

from django.db import ProgrammingError, connection, transaction
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Composed, Identifier, Literal

from ampout.accounts.row_security import ROLE_NAME, find_wall, stand_behind
from ampout.accounts.wall_plan import TablePlan, table_plans
from ampout.lib import sql

logger = logging.getLogger(__name__)

POLICY = "account_wall"
NOBODY = uuid.UUID(int=0)
"""No account's id."""

_TABLES = f"""
SELECT tables.relname, tables.relrowsecurity, tables.relforcerowsecurity,
       (SELECT obj_description(policies.oid, 'pg_policy') FROM pg_policy policies
        WHERE policies.polrelid = tables.oid AND policies.polname = '{POLICY}'),
       COALESCE(has_table_privilege(roles.oid, tables.oid, 'DELETE'), false),
       row_security_active(tables.oid)
FROM pg_class tables LEFT JOIN pg_roles roles ON roles.rolname = {ROLE_NAME}
WHERE tables.relnamespace = current_schema()::regnamespace AND tables.relkind IN ('r', 'p')
"""  # noqa: S608  # constants only
"""Of each table: name, bound, owner bound, the policy's condition (its comment), role allowed, this user bound."""

_LACKING = f"""
SELECT 'GRANT USAGE ON SCHEMA ' || quote_ident(current_schema()) || ' TO ' || quote_ident(rolname)
FROM pg_roles WHERE rolname = {ROLE_NAME} AND NOT has_schema_privilege(oid, current_schema(), 'USAGE')
UNION ALL
SELECT 'GRANT TEMPORARY ON DATABASE ' || quote_ident(current_database()) || ' TO ' || quote_ident(rolname)
FROM pg_roles WHERE rolname = {ROLE_NAME} AND NOT has_database_privilege(oid, current_database(), 'TEMPORARY')
"""  # noqa: S608  # constants only
"""What the role lacks beside tables; imports stage their rows in a temporary one."""


def raise_wall() -> None:
    """Make the wall stand as it is planned, as far as this database user may; what is missing is logged."""
    role = _make_role()
    try:
        _fit_tables(role)
    except ProgrammingError as error:
        if not isinstance(error.__cause__, InsufficientPrivilege):
            raise
        logger.warning("Row-level security was not set up: %s", error, extra={"action": "wall_refused"})
    for problem in wall_problems():
        logger.warning(problem, extra={"action": "wall_missing"})


def wall_problems() -> list[str]:
    """A sentence for each reason why the wall does not stand, with what to do; empty when it does."""
    name, user = sql.fetch(f"SELECT {ROLE_NAME}, current_user")[0]
    wall = find_wall()
    if wall is None:
        problem = (
            f"PostgreSQL does not bind the database user {user} to row-level security, and {user} cannot take the role "
            f'{name}. As a superuser run: CREATE ROLE "{name}" NOLOGIN; GRANT "{name}" TO "{user}"; and then '
            "manage.py migrate."
        )
        return [problem]
    with stand_behind(wall, NOBODY):
        found = {table: (condition, active) for table, _, _, condition, _, active in sql.fetch(_TABLES)}
    # A closed table, which the role may not even see, is behind the wall in any case.
    open_tables = [
        plan.table
        for plan in table_plans()
        if plan.condition is not None and found.get(plan.table) != (plan.condition, True)
    ]
    if not open_tables:
        return []
    return [f"Row-level security is missing at {', '.join(open_tables)}. Run manage.py migrate as their owner."]


def _make_role() -> str | None:
    """The role's name, made where that is allowed; None where this user cannot take it."""
    name = sql.fetch(f"SELECT {ROLE_NAME}")[0][0]
    wall = find_wall()
    if wall is None or wall.role is None:
        try:
            with transaction.atomic():
                _create_role(name)
        except ProgrammingError as error:
            if not isinstance(error.__cause__, InsufficientPrivilege):
                raise
        wall = find_wall()
    return wall.role if wall else None


def _create_role(name: str) -> None:
    if not sql.fetch("SELECT 1 FROM pg_roles WHERE rolname = %(name)s", {"name": name}):
        _run(SQL("CREATE ROLE {} NOLOGIN").format(Identifier(name)))
    _run(SQL("GRANT {} TO CURRENT_USER").format(Identifier(name)))


def _fit_tables(role: str | None) -> None:
    if role is not None:
        for (statement,) in sql.fetch(_LACKING):
            sql.execute(statement)
    found = {table: facts for table, *facts in sql.fetch(_TABLES)}
    for plan in table_plans():
        # Tables that are not there yet are seen to by the migration that makes them.
        if plan.table in found:
            with transaction.atomic():
                for statement in _changes(plan, role, found[plan.table]):
                    _run(statement)


def _changes(plan: TablePlan, role: str | None, found: list[Any]) -> Iterator[Composed]:
    bound, owner_bound, condition, allowed, _ = found
    table, policy = Identifier(plan.table), Identifier(POLICY)
    if role is not None and plan.granted and not allowed:
        yield SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}").format(table, Identifier(role))
    if plan.condition is None:
        return
    if condition != plan.condition:
        yield SQL("DROP POLICY IF EXISTS {} ON {}").format(policy, table)
        yield SQL("CREATE POLICY {} ON {} USING ({})").format(policy, table, SQL(plan.condition))
        yield SQL("COMMENT ON POLICY {} ON {} IS {}").format(policy, table, Literal(plan.condition))
    if not bound:
        yield SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(table)
    if owner_bound != (role is None):
        yield SQL("ALTER TABLE {} {} ROW LEVEL SECURITY").format(table, SQL("FORCE" if role is None else "NO FORCE"))


def _run(statement: Composed) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
