"""How far a folder was read, and what of it is to be read next. UIDs are 32-bit numbers from 1 (RFC 9051, 2.3.1.1)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

HIGHEST_UID = 2**32 - 1
WINDOW = 500
"""UIDs below the cursor that are looked at again: some servers give out numbers before the mail under them shows."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Everything up to `last_uid` was read, under this UIDVALIDITY; None before the first reading.

    Of the WINDOW numbers up to `last_uid`, `recent` are those that are done with; another one that shows up is late.
    """

    uid_validity: int | None = None
    last_uid: int = 0
    recent: frozenset[int] = frozenset()

    @property
    def search_from(self) -> int:
        """The lowest UID that may be new."""
        return max(1, self.last_uid - WINDOW + 1)


def valid_uids(found: Iterable[int]) -> list[int]:
    """Those that are UIDs at all, each once, in order."""
    return sorted({uid for uid in found if 1 <= uid <= HIGHEST_UID})


def must_begin_anew(cursor: Cursor, uid_validity: int, uid_next: int | None) -> bool:
    """Whether the numbers of this folder mean nothing to the cursor.

    Besides another UIDVALIDITY that is a next UID which was given out before: a mailbox that was put back from a copy.
    """
    return cursor.uid_validity != uid_validity or (uid_next is not None and uid_next <= cursor.last_uid)


def begin(uid_validity: int, wanted: Collection[int], highest_uid: int) -> Cursor:
    """The cursor of a folder that is read for the first time: right below the first mail that is `wanted`."""
    return Cursor(uid_validity, min(wanted) - 1 if wanted else highest_uid)


def leave_alone(cursor: Cursor, present: Collection[int]) -> Cursor:
    """The cursor with what is `present` at it and below taken for done: mail from before our time."""
    return _trim(replace(cursor, recent=cursor.recent | frozenset(present)))


def still_to_read(cursor: Cursor, found: Iterable[int]) -> list[int]:
    """What of `found` is new, in order. A search from n answers the last mail even where it lies below n."""
    return [
        uid
        for uid in valid_uids(found)
        if uid > cursor.last_uid or (uid >= cursor.search_from and uid not in cursor.recent)
    ]


def advance(cursor: Cursor, asked: Collection[int], done: Collection[int]) -> Cursor:
    """The cursor after a batch: past all that was `asked` for, remembering what is `done`; the rest is asked again."""
    last = max([cursor.last_uid, *asked])
    return _trim(replace(cursor, last_uid=last, recent=cursor.recent | frozenset(done)))


def _trim(cursor: Cursor) -> Cursor:
    lowest = cursor.search_from
    return replace(cursor, recent=frozenset(uid for uid in cursor.recent if lowest <= uid <= cursor.last_uid))


def split_by_weight(uids: Sequence[int], weights: Mapping[int, int], most: int) -> Iterator[list[int]]:
    """The UIDs in runs whose weights (bytes) add up to `most` at most; one that weighs more goes alone."""
    run: list[int] = []
    total = 0
    for uid in uids:
        weight = weights[uid]
        if run and total + weight > most:
            yield run
            run, total = [], 0
        run.append(uid)
        total += weight
    if run:
        yield run


def spell_set(uids: Iterable[int]) -> str:
    """A sequence-set (RFC 9051, 9) of exactly these UIDs: `3:5,9`."""
    runs: list[list[int]] = []
    for uid in sorted(set(uids)):
        if runs and uid == runs[-1][1] + 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in runs)
