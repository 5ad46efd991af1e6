"""The second wall: while a call is answered, PostgreSQL itself shows and changes only the rows of its account (law 9).

Every statement of the call carries its account in the same message, and so into the same transaction, after which
PostgreSQL forgets it: there is no moment, no error and no pooler by which it could reach the next call, and no further
round trip. Inside a transaction the first statement does it for all.

It holds against a forgotten scope. It does not hold against statements that somebody else wrote: these could step out.
"""

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db import ProgrammingError, connection
from psycopg import ServerCursor
from psycopg.pq import TransactionStatus
from psycopg.sql import SQL, Identifier, Literal

from ampout.accounts.wall_plan import SETTING

logger = logging.getLogger(__name__)

ROLE_NAME = "('ampout_tenant_' || current_database())::name"
"""SQL for the role's name. One a database: a server's roles are shared by its databases, whose tables should not be."""

# A member of a role may not always take it, since PostgreSQL 16.
_RIGHT = "CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER' ELSE 'SET' END"
_STANDING = f"""
SELECT (SELECT rolname FROM pg_roles WHERE rolname = {ROLE_NAME} AND pg_has_role(current_user, oid, {_RIGHT})),
       COALESCE(row_security_active(to_regclass('accounts_account')), false),
       current_schemas(false)
"""  # noqa: S608  # constants only


@dataclass(frozen=True, slots=True)
class Wall:
    """How calls are bound here: by a role that they take, or without one where the user itself is bound.

    `schemas` is where the user's tables are: the role's own search path may lead elsewhere.
    """

    role: str | None
    schemas: tuple[str, ...]

    def entering(self, account_id: uuid.UUID) -> list[str]:
        """Statements after which a transaction sees this account's rows only."""
        named = [SQL("SET LOCAL {} = {}").format(SQL(SETTING), Literal(str(account_id)))]
        if self.role is not None and self.schemas != ("public",):
            named.append(SQL("SET LOCAL search_path = {}").format(SQL(", ").join(map(Identifier, self.schemas))))
        if self.role is not None:
            named.append(SQL("SET LOCAL ROLE {}").format(Identifier(self.role)))
        return [statement.as_string() for statement in named]

    def leaving(self) -> str:
        """What ends that before the transaction ends."""
        nobody = f"SET LOCAL {SETTING} = ''"
        return nobody if self.role is None else f"SET LOCAL ROLE NONE; {nobody}"


class _Standing:
    """The walls that were found, by the database's name: they are asked for once a process."""

    found: ClassVar[dict[str, Wall]] = {}


@contextmanager
def behind_wall(account_id: uuid.UUID) -> Iterator[None]:
    """Show and change the rows of this account only, in whatever this thread asks the database meanwhile.

    Where the wall cannot stand, which is logged, the queries' own scopes are all there is.
    """
    name = str(connection.settings_dict["NAME"])
    wall = _Standing.found.get(name) or find_wall()
    if wall is None:
        logger.error(
            "Row-level security does not stand. Run manage.py check --deploy --database default.",
            extra={"action": "wall_missing"},
        )
        yield
        return
    _Standing.found[name] = wall
    with stand_behind(wall, account_id):
        yield


@contextmanager
def stand_behind(wall: Wall, account_id: uuid.UUID) -> Iterator[None]:
    """As `behind_wall`, with a wall that was found."""
    told = _Told(wall, account_id)
    with connection.execute_wrapper(told):
        try:
            yield
        finally:
            # Only a caller's own transaction is still open here, as it is in tests.
            told.step_out()


@contextmanager
def past_the_wall() -> Iterator[None]:
    """Ask what names its account itself, for the sake of an index that PostgreSQL does not use behind the wall.

    It uses none there for conditions that could leak a row before the policy was held against it: `@>` of arrays,
    `LIKE` and so on. Does nothing where no call is answered.
    """
    told = next((wrapper for wrapper in connection.execute_wrappers if isinstance(wrapper, _Told)), None)
    if told is None:
        yield
        return
    told.step_out()
    try:
        yield
    finally:
        told.step_in()


def find_wall() -> Wall | None:
    """How calls are bound in this database; None where nothing would bind them."""
    connection.ensure_connection()
    # Beside Django's cursors: what a process asks once should not show as a query of its first call.
    role, is_bound, schemas = connection.connection.execute(_STANDING).fetchone()
    return Wall(role, tuple(schemas)) if role is not None or is_bound else None


class _Told:
    """Sends what enters the wall along with each statement that begins a transaction."""

    def __init__(self, wall: Wall, account_id: uuid.UUID) -> None:
        entering = wall.entering(account_id)
        self._words = "; ".join([*entering, ""])
        self._results = len(entering)
        self._leaving = wall.leaving()
        self._done = self._is_out = False

    def __call__(self, execute: Callable[..., Any], query: str, facts: Any, many: bool, context: dict[str, Any]) -> Any:
        """Run the statement behind the wall (Django's `execute_wrapper`)."""
        status = _transaction_status()
        # The first statement of a call may find a transaction that its caller opened.
        is_due = status == TransactionStatus.IDLE or (status == TransactionStatus.INTRANS and not self._done)
        if is_due and not self._is_out:
            return self._tell(execute, query, facts, many, context)
        return execute(query, facts, many, context)

    def step_out(self) -> None:
        """Let what follows pass by the wall, in an open transaction too."""
        self._is_out = True
        if _transaction_status() == TransactionStatus.INTRANS:
            connection.connection.execute(self._leaving)

    def step_in(self) -> None:
        """The next statement is behind the wall again."""
        self._is_out = self._done = False

    def _tell(self, execute: Callable[..., Any], query: str, facts: Any, many: bool, context: dict[str, Any]) -> Any:
        cursor = context["cursor"].cursor
        if many or isinstance(cursor, ServerCursor):
            asked = "executemany" if many else "iterator()"
            raise ProgrammingError(f"{asked} must not begin a transaction while a call is answered.")
        result = execute(self._words + query, facts, many, context)
        self._done = True
        for _ in range(self._results):
            cursor.nextset()
        return result


def _transaction_status() -> TransactionStatus:
    driver = connection.connection
    return TransactionStatus.UNKNOWN if driver is None else TransactionStatus(driver.info.transaction_status)
