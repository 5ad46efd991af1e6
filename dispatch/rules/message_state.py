"""The states of a message, and the moves between them (design: States).

A moved row is always a conditional UPDATE whose count is checked: "0 rows" means that another worker was first.
"""

from enum import StrEnum


class MessageState(StrEnum):
    """Where one step to one contact stands."""

    PLANNED = "planned"
    """Has a row and a Message-ID; `due_at` is its slot, or empty while it waits for a new one."""
    CLAIMED = "claimed"
    """A worker holds it under its lease; nothing of the body has left."""
    WIRE = "wire"
    """Committed before the first byte of the body: from here on a copy may exist at the recipient's."""
    ACCEPTED = "accepted"
    """The server took responsibility (250 after the final dot)."""
    REFUSED = "refused"
    """The server refused it for good (5yz about this recipient or this content)."""
    DEFERRED = "deferred"
    """A temporary answer, or no connection: retried at `due_at`."""
    GAVE_UP = "gave_up"
    """Deferred until the last retry was used up."""
    QUARANTINED = "quarantined"
    """Cannot be composed or kills its worker: set aside for an operator."""
    UNKNOWN = "unknown"
    """Silence after the final dot, or a crash after `wire`: moves on evidence only, never sent again by itself."""
    CANCELLED = "cancelled"
    """Will not be sent: a stop fact or its owner's deletion came first."""


_S = MessageState

ALLOWED_MOVES: dict[MessageState, frozenset[MessageState]] = {
    _S.PLANNED: frozenset({_S.CLAIMED, _S.CANCELLED}),
    # Back to planned: the lease ran out, or the wire was not granted (paused, day rolled over).
    _S.CLAIMED: frozenset(
        {_S.PLANNED, _S.WIRE, _S.REFUSED, _S.DEFERRED, _S.GAVE_UP, _S.QUARANTINED, _S.CANCELLED},
    ),
    _S.WIRE: frozenset({_S.ACCEPTED, _S.REFUSED, _S.DEFERRED, _S.GAVE_UP, _S.UNKNOWN}),
    # Back to planned: released from its slot by a pause; keeps its attempts.
    _S.DEFERRED: frozenset({_S.CLAIMED, _S.CANCELLED, _S.GAVE_UP, _S.PLANNED}),
    # Only evidence, or a named operator's choice ("resend" is planned, "count as sent" is accepted).
    _S.UNKNOWN: frozenset({_S.ACCEPTED, _S.REFUSED, _S.PLANNED}),
    _S.ACCEPTED: frozenset(),
    _S.REFUSED: frozenset(),
    _S.GAVE_UP: frozenset(),
    _S.QUARANTINED: frozenset(),
    _S.CANCELLED: frozenset(),
}

OUTSTANDING = frozenset({_S.PLANNED, _S.CLAIMED, _S.WIRE, _S.DEFERRED})
"""States from which the engine itself still moves the message."""

UNSTARTED = frozenset({_S.PLANNED, _S.DEFERRED})
"""States in which nothing is in progress: a stop fact cancels them at once."""

COUNTED = frozenset({_S.ACCEPTED, _S.REFUSED, _S.GAVE_UP, _S.QUARANTINED, _S.UNKNOWN})
"""States that law 2 counts as an end by name."""


def may_move(current: MessageState, target: MessageState) -> bool:
    """Whether the table allows `current` → `target`."""
    return target in ALLOWED_MOVES[current]
