"""What a check finds, and the laws it may name."""

from dataclasses import dataclass
from enum import StrEnum


class Law(StrEnum):
    """The invariants of the fault suite, by the numbers of the promises."""

    TWICE = "I1 never twice"
    LOST = "I2 never lost silently"
    CAPS = "I3 caps"
    ORDER = "I4 order of steps"
    STOPS = "I5 nothing after a stop fact"
    EVENTS = "I6 one event a fact"
    TENANTS = "I7 tenants are walled"
    SECRETS = "I8 secrets stay in"


@dataclass(frozen=True, slots=True)
class Violation:
    """A law that was broken.

    `at` is when it showed (seconds since the epoch), None for what only the end shows. `about` are the Message-IDs,
    addresses and ids that it concerns.
    """

    law: str
    sentence: str
    at: float | None
    about: tuple[str, ...] = ()
