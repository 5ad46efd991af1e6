"""The people of a fault run: what each does is told by the name, and the names are drawn from the seed.

`late-0.2+leaves.2.b.17@chaos.example`: the server takes its time for this person, who unsubscribes after step 2 from
the second account, and does nothing about what the first one sends. Everything before `+` is for the SMTP server
(tests/peers/chaos_behaviours.py), everything behind it for whoever follows its log.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

Word = TypeVar("Word", bound=str)

HOME = "chaos.example"
NO_MAIL = "null-mx.example"
"""A domain whose MX says that it takes no mail."""
NOWHERE = "gone.example"
"""A domain that does not exist."""


class Fate(StrEnum):
    """What a person does about a message."""

    NOTHING = "nothing"
    REPLIES = "replies"
    IS_AWAY = "away"
    """An automatic reply."""
    BOUNCES = "bounces"
    """The address is reported as no good, after the message was taken."""
    RETURNS = "returns"
    """The message comes back for another reason."""
    LEAVES = "leaves"
    """Unsubscribes by one click."""
    COMPLAINS = "complains"


MANNERS = {
    "ok": 55,
    "late-0.2": 12,
    "late-0.5-rcpt": 6,
    "greylist451": 9,
    "5xx-rcpt": 4,
    "drop-after-dot": 3,
    "drip": 2,
    "full": 1,
    "421-data": 1,
    "drop-before-dot": 1,
    "drop-mid-body": 1,
    "5xx-after-dot": 2,
    "4xx-after-dot": 1,
    "reset-after-dot": 1,
    "421-dot": 1,
}
"""How the server treats them, in hundredths."""
FATES = {
    Fate.NOTHING: 40,
    Fate.REPLIES: 16,
    Fate.IS_AWAY: 8,
    Fate.BOUNCES: 8,
    Fate.RETURNS: 6,
    Fate.LEAVES: 16,
    Fate.COMPLAINS: 6,
}
DOMAINS = {HOME: 97, NO_MAIL: 2, NOWHERE: 1}
TOWARDS = ("a", "b", "ab")
"""The accounts, by their letters, whose messages a person acts upon."""

_NAME = re.compile(r"[^+@]+\+(?P<fate>[a-z]+)\.(?P<step>[0-9]+)\.(?P<towards>[a-z]+)\.[0-9]+@(?P<domain>.+)")
_ENDS = {"5xx-rcpt", "full", "421-data", "drop-before-dot", "drop-mid-body"} | {
    f"{code}-dot" for code in ("421", "5xx-after", "4xx-after")
}
"""The manners that no body survives."""


@dataclass(frozen=True, slots=True)
class Person:
    """What a name tells: after which of their messages they act, and about which accounts."""

    fate: Fate
    step: int
    towards: str


def draw_people(seed: int, count: int, steps: int, *, first: int = 0, shares: Mapping[str, int] = MANNERS) -> list[str]:
    """So many addresses. The first of them have every manner and every fate, however few they are."""
    rng = random.Random(f"{seed} people {first}")
    manners = [*shares, *_drawn(rng, shares, count)][:count]
    fates = [*Fate, *_drawn(rng, FATES, count)][:count]
    rng.shuffle(manners)
    rng.shuffle(fates)
    domains = _drawn(rng, DOMAINS, count)
    return [
        f"{manner}+{fate}.{rng.randint(1, steps)}.{rng.choice(TOWARDS)}.{first + number}@{domain}"
        for number, (manner, fate, domain) in enumerate(zip(manners, fates, domains, strict=True))
    ]


def _drawn(rng: random.Random, shares: Mapping[Word, int], count: int) -> list[Word]:
    return rng.choices(list(shares), weights=list(shares.values()), k=count)


def read_name(address: str) -> Person | None:
    """Who that is; None for addresses that are nobody's, such as those of test sends."""
    found = _NAME.fullmatch(address)
    return found and Person(Fate(found["fate"]), int(found["step"]), found["towards"])


def expected_deliveries(people: Sequence[str], steps: int, letters: str) -> int:
    """How many messages arrive at least, when nobody but the people themselves stops anything."""
    return sum(_expected_of(address, steps, letter) for address in people for letter in letters)


def _expected_of(address: str, steps: int, letter: str) -> int:
    person = read_name(address)
    if person is None or not address.endswith(HOME) or address.partition("+")[0] in _ENDS:
        return 0
    stops = person.fate not in {Fate.NOTHING, Fate.IS_AWAY} and letter in person.towards
    return min(steps, person.step) if stops else steps
