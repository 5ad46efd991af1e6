"""What the nemesis does, and when: drawn from a seed before the run begins."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Target(StrEnum):
    """What a strike hits."""

    WORKER = "worker"
    """The Celery worker; its pool dies with it."""
    POOL = "pool"
    """The process of the worker's pool that holds the deliver loop."""
    BEAT = "beat"
    WEB = "web"
    POSTGRES = "postgres"
    """The whole server."""
    BACKEND = "backend"
    """One process of the server. When it is killed, the server ends all others and recovers."""
    BROKER = "broker"


class Action(StrEnum):
    """What befalls it. The SMTP server, whose log is the truth, is never hit."""

    KILL = "kill"
    """SIGKILL; started again `away` seconds later."""
    FREEZE = "freeze"
    """SIGSTOP; SIGCONT comes `away` seconds later."""
    RESTART = "restart"
    """PostgreSQL: as `pg_ctl restart -m immediate`. Broker: started again without persistence, so without memory."""
    TERMINATE = "terminate"
    """`pg_terminate_backend` of some of the connections."""
    FLUSH = "flush"
    """FLUSHALL."""
    SHUTDOWN = "shutdown"
    """SHUTDOWN NOSAVE; started again `away` seconds later."""
    LOSE = "lose"
    """`kill -9`, and what it had on disk is removed; started again `away` seconds later."""
    STEP_CLOCK = "step clock"
    """The clock of one program is wrong for `away` seconds."""
    DUPLICATE = "duplicate"
    """Every task is on the broker five times, and so is what waits there."""
    FILL_DISK = "fill disk"
    """PostgreSQL's disk is full for `away` seconds."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of strike. `away` is the range that its time is drawn from, in seconds, or in leases where `in_leases`."""

    action: Action
    target: Target
    away: tuple[float, float] = (0, 1)
    in_leases: bool = False


KILLS = tuple(Fault(Action.KILL, target) for target in Target)
PAST_THE_LEASE = (1.2, 2.4)
EVERYTHING = (
    *KILLS,
    Fault(Action.FREEZE, Target.WORKER, PAST_THE_LEASE, in_leases=True),
    Fault(Action.FREEZE, Target.POOL, PAST_THE_LEASE, in_leases=True),
    Fault(Action.FREEZE, Target.BEAT, PAST_THE_LEASE, in_leases=True),
    Fault(Action.FREEZE, Target.BACKEND, (0.5, 2)),
    Fault(Action.FREEZE, Target.BROKER, (1, 6)),
    Fault(Action.RESTART, Target.POSTGRES),
    Fault(Action.TERMINATE, Target.BACKEND),
    Fault(Action.FLUSH, Target.BROKER),
    Fault(Action.SHUTDOWN, Target.BROKER),
    Fault(Action.LOSE, Target.BROKER),
    Fault(Action.RESTART, Target.BROKER),
    Fault(Action.DUPLICATE, Target.BROKER),
    Fault(Action.STEP_CLOCK, Target.WORKER, (2, 8)),
    Fault(Action.STEP_CLOCK, Target.BEAT, (2, 8)),
    Fault(Action.STEP_CLOCK, Target.WEB, (2, 8)),
    Fault(Action.FILL_DISK, Target.POSTGRES, (3, 8)),
)


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault: when so many messages were delivered and `pause` seconds later; then the target is `away`, in seconds.

    `dice` chooses among the processes there are at that moment, and how far a clock is stepped.
    """

    after: int
    pause: float
    target: Target
    away: float
    dice: int
    action: Action = Action.KILL

    def __str__(self) -> str:
        return f"{self.action} {self.target}, away {self.away:.1f} s"


def draw_strikes(
    seed: int, count: int, messages: int, faults: Sequence[Fault] = KILLS, *, lease_seconds: float = 5
) -> list[Strike]:
    """So many strikes, spread over all but the last tenth of the messages; each fault has its turn.

    What is left over after each had its turn is one half kills. The same arguments give the same list.
    """
    rng = random.Random(seed)
    weights = [1 if fault.action is not Action.KILL else max(1, len(faults) // len(Target)) for fault in faults]
    drawn = [*faults, *rng.choices(faults, weights, k=count)]
    turns = drawn[:count] if count >= len(faults) else rng.sample(faults, count)
    rng.shuffle(turns)
    afters = sorted(rng.randrange(max(1, messages * 9 // 10)) for _ in turns)
    return [_strike(rng, after, fault, lease_seconds) for after, fault in zip(afters, turns, strict=True)]


def _strike(rng: random.Random, after: int, fault: Fault, lease_seconds: float) -> Strike:
    away = rng.uniform(*fault.away) * (lease_seconds if fault.in_leases else 1)
    return Strike(after, rng.uniform(0, 0.3), fault.target, away, rng.randrange(1_000_000), fault.action)
