"""Looks for the secrets of a fault run wherever they must not be (law 10)."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import redis

from tests.faults.lab import Lab
from tests.faults.tenants import Tenant
from tests.secrets.haystack import Search


def leaks(lab: Lab, entries: Path, tenants: Sequence[Tenant]) -> list[str]:
    """Where a password, an API key or a webhook's secret lies open."""
    search = Search(canary for tenant in tenants for canary in tenant.canaries())
    return [str(find) for place, contents in _places(lab, entries) for find in search.look(place, contents)]


def _places(lab: Lab, entries: Path) -> Iterator[tuple[str, bytes]]:
    yield "the history", entries.read_bytes()
    for name, program in lab.programs.items():
        if program.log_path.exists():
            yield f"log of {name}", program.log_path.read_bytes()
    with redis.Redis(unix_socket_path=str(lab.servers.valkey.socket_path)) as broker:
        for key in broker.scan_iter():
            yield f"broker: {key!r}", key + (broker.dump(key) or b"")
    for table, contents in _tables(lab):
        yield f"table {table}", contents


def _tables(lab: Lab) -> Iterator[tuple[str, bytes]]:
    """What is told to others."""
    for table in ("events_event", "events_webhookdelivery", "events_webhookattempt"):
        rows = lab.ask(f"SELECT row_to_json(row)::text FROM {table} AS row")  # our own names
        yield table, "\n".join(row[0] for row in rows).encode()
