"""Laws broken on purpose: what the fault suite has to notice, and by what name (promises: the suite is itself tested).

A mutation replaces lines of the product's source while a process imports it, where MUTATION names it and
DJANGO_SETTINGS_MODULE is tests.faults.mutated. Nothing on disk changes.
"""

import importlib.abc
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

Replacements = Mapping[str, Sequence[tuple[str, str]]]
"""By module: what stands in its source exactly once, and what takes its place."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One law that does not hold any more. `law` is how the checker's violations begin that tell of it."""

    law: str
    replacements: Replacements


WIRE_COMMIT = """
        marked = sql.fetch(_MARK, {"ids": granted, "worker": worker_id, "now": now} | installation.facts())
        return marked_before | {row[0] for row in marked}
"""
LATE_OUTBOX = """
def record_events(facts: Iterable[Fact], *, now: datetime) -> None:
    from threading import Timer

    Timer(1.0, _record_later, [list(facts), now]).start()


def _record_later(facts, now):
    from django.db import connection

    try:
        _record(facts, now=now)
    finally:
        connection.close()


def _record(facts: Iterable[Fact], *, now: datetime) -> None:
"""

MUTATIONS = {
    # Bodies leave without the mark that forbids to send them again.
    "wire_commit": Mutation(
        "I1",
        {"dispatch.services.wire": [(WIRE_COMMIT, "\n        return marked_before | set(granted)\n")]},
    ),
    # Nobody asks what is left of a day.
    "cap": Mutation(
        "I3",
        {
            "dispatch.services.capacity": [
                ("\n  AND usage.used + asked.units <= credential.daily_limit", ""),
                # A constraint of the table would still hold it to what was allowed once.
                ("GREATEST(usage.highest_limit, credential.daily_limit)", "usage.used + asked.units"),
            ],
            "dispatch.selectors": [("credential.daily_limit, COALESCE(usage.used, 0),", "credential.daily_limit, 0,")],
        },
    ),
    # A loop whose lease ran out is not told so, and goes on with what others have taken over.
    "fence": Mutation(
        "I1",
        {
            "dispatch.services.leases": [
                ("(pk=worker_id, ended_at__isnull=True).update(lease_until", "(pk=worker_id).update(lease_until")
            ],
            "dispatch.services.wire": [
                (" AND message.worker_id = %(worker)s AND message.fence = asked.fence", ""),
                ("\n  AND message.worker_id = %(worker)s\n", "\n"),
            ],
        },
    ),
    # `wire` does not look whether the sequence was stopped meanwhile.
    "stop_fact": Mutation(
        "I5",
        {
            "dispatch.services.wire": [
                (" AND stopped_at IS NULL ORDER BY", " ORDER BY"),
                ("suppression.account_id = message.account_id AND suppression.scope <> ''", "FALSE"),
            ]
        },
    ),
    # UIDs are compared with those of another numbering.
    "uid_validity": Mutation(
        "I2",
        {
            "dispatch.rules.mailbox_cursor": [
                ("return cursor.uid_validity != uid_validity or", "return cursor.uid_validity is None or"),
                (" (uid_next is not None and uid_next <= cursor.last_uid)", " False"),
            ]
        },
    ),
    # Events are written after the transaction of their facts, from memory.
    "outbox": Mutation(
        "I6",
        {
            "ampout.events.services.record": [
                ("\ndef record_events(facts: Iterable[Fact], *, now: datetime) -> None:\n", LATE_OUTBOX)
            ]
        },
    ),
}


def mutate(module: str, source: str, mutation: Mutation) -> str:
    """The module's source with the mutation. Raises LookupError where it does not fit any more."""
    for wanted, replacement in mutation.replacements[module]:
        if source.count(wanted) != 1:
            raise LookupError(f"{module} holds this {source.count(wanted)} times, not once:\n{wanted}")
        source = source.replace(wanted, replacement)
    return source


class _Loader(SourceFileLoader):
    def __init__(self, module: str, path: str, mutation: Mutation) -> None:
        super().__init__(module, path)
        self._mutation = mutation

    def get_code(self, fullname: str) -> CodeType:
        """Compiled anew each time: the cached code is that of the source on disk."""
        source = self.get_data(self.path).decode()
        return compile(mutate(fullname, source, self._mutation), self.path, "exec")


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mutation: Mutation) -> None:
        self._mutation = mutation

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module that is mutated, with a loader that does it; None for all others."""
        if fullname not in self._mutation.replacements:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        assert spec.origin is not None
        loader = _Loader(fullname, spec.origin, self._mutation)
        return importlib.util.spec_from_file_location(fullname, spec.origin, loader=loader)


def install(name: str) -> None:
    """Have this process import the mutated modules. Raises RuntimeError where one was imported before."""
    mutation = MUTATIONS[name]
    early = sorted(set(mutation.replacements) & set(sys.modules))
    if early:
        raise RuntimeError(f"imported before they could be mutated: {early}")
    sys.meta_path.insert(0, _Finder(mutation))
