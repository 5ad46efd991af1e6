"""What has to hold of the database before anything is sent (promise A9)."""

from django.db import ProgrammingError, connection

from ampout.accounts.installation import sending_is_off
from ampout.lib import sql

# Asked of the server and never set by us: connection poolers refuse start-up options.
_SETTINGS = "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')"


def unsafe_database_settings() -> list[str]:
    """A sentence for each server setting with which a commit could be lost; empty when all are safe.

    Law 1 rests on commits that survive a crash: a lost `wire` mark is a second copy.
    """
    found: dict[str, str] = dict(sql.fetch(_SETTINGS))
    # The worker forks after this, and no child may share the connection.
    connection.close()
    return [
        f"PostgreSQL runs with {name} = off, so a commit can be lost in a crash and a message be sent twice. Set "
        f"{name} = on in postgresql.conf, or for this database (ALTER DATABASE … SET {name} = on)."
        for name, setting in sorted(found.items())
        if setting == "off"
    ]


def sending_off() -> str | None:
    """Why a worker that starts now would send nothing: its database is a restored copy. None also before `migrate`."""
    try:
        return sending_is_off()
    except ProgrammingError:
        return None
    finally:
        connection.close()
