"""Which events an endpoint wants: exact kinds, whole groups (`enrollment.*`), or all (`*`)."""

from ampout.events.kinds import EventKind

ALL = "*"
GROUPS = tuple(dict.fromkeys(f"{kind.value.partition('.')[0]}.*" for kind in EventKind))
WORDS = (ALL, *GROUPS, *(kind.value for kind in EventKind))
"""Everything a filter may be."""


def words_for(kind: str) -> list[str]:
    """The filters that let an event of this kind through."""
    return [ALL, f"{kind.partition('.')[0]}.*", kind]
