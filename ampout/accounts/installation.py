"""Whether this database is the installation's own, or a copy that a backup became (design: A restored copy).

1. The first planner tick writes down whose database this is: AMPOUT_INSTALLATION_ID, and which database it is itself,
   by the number that its server was born with and its own number there. A dump takes the row along, and so names
   another database than the one that it was restored into.
2. While the two differ from what is found, nothing is planned, claimed, marked `wire`, polled, or told by webhooks.
3. `manage.py adopt` writes the row anew.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from ampout.lib import sql

IS_OFF = "(SELECT accounts_sending_is_off(%(installation)s))"
"""A condition of SQL, worked out once a statement; it takes `facts()`. Nobody's database is everybody's."""
IS_OWN = f"NOT {IS_OFF}"
"""What every statement asks that leads out of this database."""

_STANDING = "SELECT name, database = accounts_database_identity() FROM accounts_installation"
_TAKE = """
INSERT INTO accounts_installation (id, name, database, adopted_at)
SELECT 1, %(installation)s, accounts_database_identity(), %(now)s
"""
_TAKE_IF_FREE = f"{_TAKE} WHERE NOT EXISTS (SELECT FROM accounts_installation) ON CONFLICT DO NOTHING"
_ADOPT = f"""{_TAKE} ON CONFLICT (id) DO UPDATE
SET name = excluded.name, database = excluded.database, adopted_at = excluded.adopted_at
"""

ADOPT = "Once you are sure that nothing else sends from it, run manage.py adopt."


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose the database says it is, and whether it is still the one that this was written into."""

    name: str
    is_same_database: bool


def facts() -> dict[str, str]:
    """What `IS_OFF` asks for."""
    return {"installation": settings.INSTALLATION_ID}


def is_off() -> bool:
    """Whether nothing leaves this database; may be asked for an account."""
    return bool(sql.fetch(f"SELECT {IS_OFF}", facts())[0][0])


def sending_is_off() -> str | None:
    """Why nothing leaves this database, in a sentence for operators; None while it may send."""
    found = [Standing(*row) for row in sql.fetch(_STANDING)]
    return _sentence(found[0], settings.INSTALLATION_ID) if found else None


def _sentence(standing: Standing, own: str) -> str | None:
    if standing.name != own:
        whose = f'the installation "{standing.name}"' if standing.name else "an installation without a name"
        ours = f'AMPOUT_INSTALLATION_ID is "{own}"' if own else "AMPOUT_INSTALLATION_ID is not set"
        return f"Sending is off: this database belongs to {whose}, and {ours}. {ADOPT}"
    if not standing.is_same_database:
        return f"Sending is off: this database was restored from a copy of another one. {ADOPT}"
    return None


def take_if_free(now: datetime) -> None:
    """Write down whose database this is, where nobody has."""
    sql.execute(_TAKE_IF_FREE, facts() | {"now": now})


def take(now: datetime) -> None:
    """Make it this installation's, whoever's it was."""
    sql.execute(_ADOPT, facts() | {"now": now})
