"""The seeded nemesis: what is killed, after how many messages, and for how long it stays away."""

import contextlib
import os
import random
import signal
import time
from dataclasses import dataclass
from enum import StrEnum

from ampout.supervisor.children import descendants
from tests.faults.lab import Lab


class Target(StrEnum):
    """What a kill hits."""

    WORKER = "worker"
    """The Celery worker; its pool dies with it."""
    POOL = "pool"
    """The process of the worker's pool that holds the deliver loop."""
    BEAT = "beat"
    WEB = "web"
    POSTGRES = "postgres"
    """The whole server."""
    BACKEND = "backend"
    """One process of the server, upon which it ends all others and recovers."""
    BROKER = "broker"


@dataclass(frozen=True, slots=True)
class Strike:
    """One kill: when so many messages were delivered and `pause` seconds later; then the target is `away`, in seconds.

    `dice` chooses among the processes there are at that moment.
    """

    after: int
    pause: float
    target: Target
    away: float
    dice: int


def draw_strikes(seed: int, kills: int, messages: int) -> list[Strike]:
    """So many strikes, spread over all but the last tenth of the messages; each target has its turn."""
    rng = random.Random(seed)
    targets = [*Target, *rng.choices(list(Target), k=kills)][:kills]
    rng.shuffle(targets)
    afters = sorted(rng.randrange(messages * 9 // 10) for _ in targets)
    return [
        Strike(after, rng.uniform(0, 0.3), target, rng.uniform(0, 1), rng.randrange(1_000))
        for after, target in zip(afters, targets, strict=True)
    ]


class Nemesis:
    """Carries strikes out and restarts what they hit, as a supervisor would.

    `in_doubt` counts the SMTP connections that were open at the kills: each may leave one message unknown.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.in_doubt = 0

    def strike(self, strikes: list[Strike], seconds: float) -> None:
        """All of them in order; each may be waited for so many seconds."""
        for strike in strikes:
            self.lab.await_delivered(strike.after, seconds)
            time.sleep(strike.pause)  # the moment within the message is the point, and the seed draws it
            self.lab.note(f"kill -9 {strike.target}, away {strike.away:.1f} s")
            self._hit(strike)

    def _hit(self, strike: Strike) -> None:
        if strike.target in {Target.POSTGRES, Target.BACKEND}:
            self._hit_postgres(strike)
        elif strike.target is Target.POOL:
            self._hit_pool(strike)
        elif strike.target is Target.BROKER:
            self.lab.servers.valkey.kill9()
            time.sleep(strike.away)
            self.lab.servers.valkey.start()
        else:
            self._hit_program(strike)

    def _hit_program(self, strike: Strike) -> None:
        names = [name for name in self.lab.programs if name.startswith(strike.target.value)]
        name = names[strike.dice % len(names)]
        if strike.target is Target.WORKER:
            # Frozen first, so that the count of its connections is that of the very moment.
            self.in_doubt += self.lab.freeze(name)
        self.lab.kill(name)
        time.sleep(strike.away)
        self.lab.programs[name].start()

    def _hit_pool(self, strike: Strike) -> None:
        """The process with the SMTP connections, if there is one just now; else any."""
        workers = [program for name, program in self.lab.programs.items() if name.startswith("worker")]
        pool = [pid for worker in workers if worker.pid for pid in descendants(worker.pid)]
        pool = [pid for pid in pool if self.lab.is_sending(pid)] or pool
        if pool:
            self.in_doubt += self.lab.open_connections()
            _kill(pool[strike.dice % len(pool)])

    def _hit_postgres(self, strike: Strike) -> None:
        postgres = self.lab.servers.postgres
        if postgres.pid is None:
            return
        # An outage that outlasts the lease puts in doubt what was on the wire.
        self.in_doubt += self.lab.open_connections()
        if strike.target is Target.BACKEND:
            backends = descendants(postgres.pid)
            _kill(backends[strike.dice % len(backends)])
            return
        postgres.kill9()
        time.sleep(strike.away)
        postgres.start()


def _kill(pid: int) -> None:
    """`kill -9` a process that may have ended by itself since it was looked up."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
