"""Everything that the canary lab wrote or said, as bytes by place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import redis
from django.apps import apps
from psycopg import sql

from ampout.lib.fields import EncryptedTextField
from ampout.supervisor.children import descendants
from tests.secrets.lab import CanaryLab

Contents = Iterator[tuple[str, bytes]]


def logs(lab: CanaryLab) -> Contents:
    """What the programs wrote to their outputs, and the servers to their logs."""
    for name, program in lab.programs.items():
        yield f"log of {name}", program.log_path.read_bytes()
    for name, contents in lab.server_logs().items():
        yield name, contents


def files(lab: CanaryLab) -> Contents:
    """Every file of the data folders, and of the broker's."""
    for folder in (lab.folder, lab.servers.valkey.data_dir):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield str(path.relative_to(folder)), path.read_bytes()


def dumped_cores(folder: Path) -> list[str]:
    """Core files, wherever a program may have left one."""
    return [str(path) for path in folder.glob("core*") if path.is_file()]


def command_lines(lab: CanaryLab) -> Contents:
    """The arguments of every process, which all users of a machine can read."""
    for name, program in lab.programs.items():
        assert program.pid is not None, f"{name} has ended"
        for pid in (program.pid, *descendants(program.pid)):
            yield f"command line of {name}", Path(f"/proc/{pid}/cmdline").read_bytes()


def encrypted_columns() -> set[tuple[str, str]]:
    """Table and column of every secret."""
    fields = [field for model in apps.get_models() for field in model._meta.concrete_fields]
    return {
        (field.model._meta.db_table, str(field.column)) for field in fields if isinstance(field, EncryptedTextField)
    }


def tables(lab: CanaryLab) -> Contents:
    """Every table as COPY writes it, without the encrypted columns, but with the views of the server on its clients."""
    hidden = encrypted_columns()
    with psycopg.connect(lab.database_url) as database:
        columns: dict[str, list[str]] = {}
        query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        for table, column in database.execute(query):
            if (table, column) not in hidden:
                columns.setdefault(table, []).append(column)
        for table, names in sorted(columns.items()):
            wanted = sql.SQL(", ").join(map(sql.Identifier, names))
            yield f"table {table}", _copy(database, sql.SQL("SELECT {} FROM {}").format(wanted, sql.Identifier(table)))
        yield "pg_stat_activity", _copy(database, sql.SQL("SELECT * FROM pg_stat_activity"))


def _copy(database: "psycopg.Connection[Any]", query: sql.Composable) -> bytes:
    with database.cursor().copy(sql.SQL("COPY ({}) TO STDOUT").format(query)) as copied:
        return b"".join(bytes(block) for block in copied)


def secrets_at_rest(lab: CanaryLab) -> list[str]:
    """What the encrypted columns hold."""
    found: list[str] = []
    for table, column in sorted(encrypted_columns()):
        rows = lab.ask(f'SELECT "{column}" FROM "{table}" WHERE "{column}" <> %s', "")
        found += [row[0] for row in rows]
    return found


def broker(lab: CanaryLab) -> Contents:
    """Every key of Valkey: as it is dumped, and what is in it."""
    with lab.broker() as client:
        for key in client.scan_iter():
            yield f"Valkey: {key!r}", b"\n".join([key, client.dump(key) or b"", *_values(client, key)])
        yield "Valkey's clients", repr([client.client_list(), client.slowlog_get(100)]).encode()


def _values(client: "redis.Redis", key: bytes) -> Iterator[bytes]:
    kind = client.type(key)
    read: dict[bytes, Any] = {
        b"string": client.get,
        b"list": lambda name: client.lrange(name, 0, -1),
        b"set": client.smembers,
        b"zset": lambda name: client.zrange(name, 0, -1),
        b"hash": client.hgetall,
        b"stream": client.xrange,
    }
    value = read[kind](key) if kind in read else b""
    yield value if isinstance(value, bytes) else repr(value).encode()
    if isinstance(value, list | set):
        yield from (item for item in value if isinstance(item, bytes))
