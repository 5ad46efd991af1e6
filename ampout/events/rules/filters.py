"""Which events an endpoint wants: exact kinds, whole groups (`enrollment.*`), or all (`*`)."""

from collections.abc import Iterable

ALL = "*"


def group_of(kind: str) -> str:
    """The filter for all kinds like this one: `enrollment.*` for `enrollment.sent`."""
    return f"{kind.partition('.')[0]}.*"


def filter_words(kinds: Iterable[str]) -> tuple[str, ...]:
    """Everything a filter may be, given all kinds of events: all, groups, kinds."""
    kinds = tuple(kinds)
    return (ALL, *dict.fromkeys(group_of(kind) for kind in kinds), *kinds)


def kinds_for(words: Iterable[str], kinds: Iterable[str]) -> list[str]:
    """Those of `kinds` that these filters let through."""
    wanted = set(words)
    return [kind for kind in kinds if wanted & {ALL, group_of(kind), kind}]
