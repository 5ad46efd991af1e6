"""Django's description of this app."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.checks import CheckMessage, Tags
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    """The app `ampout.accounts`."""

    name = "ampout.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Have the second wall fitted after every `migrate`, and looked at by `check --deploy --database default`."""
        connection_created.connect(compile_nothing)
        post_migrate.connect(fit_wall, sender=self)
        checks.register(Tags.database, deploy=True)(check_wall)


def compile_nothing(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Have PostgreSQL compile no query: ours are short, and compiling one took a second of every call (measured)."""
    connection.connection.execute("SET jit = off")


def fit_wall(plan: object = None, **_: Any) -> None:
    """After `migrate`, all apps' tables are there. `flush` sends the signal too, without a plan."""
    from ampout.accounts.wall_building import raise_wall  # noqa: PLC0415  # needs the models

    if plan is not None:
        raise_wall()


def check_wall(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Whether PostgreSQL itself keeps the accounts apart."""
    from ampout.accounts.wall_building import wall_problems  # noqa: PLC0415  # needs the models

    problems = wall_problems() if databases else []
    return [checks.Warning(problem, id="ampout.W001") for problem in problems]
