"""The seeded nemesis: carries strikes out, and sets right what they hit, as a supervisor would."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from ampout.supervisor.children import descendants
from tests.faults import clocks
from tests.faults.duplicates import duplicate_tasks
from tests.faults.history import Kind, Recorder
from tests.faults.lab import Lab
from tests.faults.strikes import EVERYTHING, KILLS, Action, Fault, Strike, Target, draw_strikes
from tests.faults.waiting import wait_for

__all__ = ["EVERYTHING", "KILLS", "Action", "Fault", "Nemesis", "Strike", "Target", "draw_strikes"]

HARMLESS = {Target.BEAT, Target.WEB, Target.BROKER}
"""Whose loss leaves nothing in doubt that is on the wire."""


class Nemesis:
    """Strikes a lab, from the main thread only: programs end with the thread that started them.

    `in_doubt` adds up the SMTP connections that were open at the strikes: each may leave one message unknown.
    """

    def __init__(self, lab: Lab, recorder: Recorder | None = None) -> None:
        self.lab = lab
        self.in_doubt = 0
        self._recorder = recorder
        self._later: list[_Later] = []

    def strike(self, strikes: Sequence[Strike], seconds: float) -> None:
        """All of them in order; each may be waited for so many seconds. Everything runs again when this returns."""
        try:
            for strike in strikes:
                self._await_delivered(strike.after, seconds)
                time.sleep(strike.pause)  # the moment within the message is the point, and the seed draws it
                self.hit(strike)
        finally:
            self.set_right()

    def hit(self, strike: Strike) -> None:
        """Carry out one strike now; one that can't be carried out here is left out, with a word in the report."""
        self.tend()
        reason = self.why_not(strike)
        if reason:
            self.lab.note(f"left out: {strike}: {reason}")
            return
        self._hands()[strike.action](strike)

    def _await_delivered(self, count: int, seconds: float) -> None:
        def are_delivered() -> bool:
            self.tend()
            return self.lab.delivered_count() >= count

        wait_for(f"{count} messages are delivered", are_delivered, seconds, self.lab.report)

    def tend(self) -> None:
        """Start again what has ended by itself, as a supervisor would."""
        servers = self.lab.servers
        for server in (servers.postgres, servers.valkey):
            if server.pid is None:
                self.lab.note(f"{server.name} had ended by itself")
                server.start()
        for name, program in self.lab.programs.items():
            if program.pid is None:
                self.lab.note(f"{name} had ended by itself")
                program.start()

    def set_right(self) -> None:
        """Wake all that is frozen and set all clocks right, now; and start what has ended."""
        for later in self._later:
            later.now()
        self._later.clear()
        self.tend()

    def why_not(self, strike: Strike) -> str:
        """Why this strike can't be carried out here; empty where it can."""
        if strike.action is Action.STEP_CLOCK and not self.lab.clocks:
            return clocks.why_missing() or "the programs of this lab have no clocks of their own"
        if strike.action is Action.FILL_DISK and self.lab.servers.disk is None:
            return "the disk of this lab is not its own"
        kind = Target.WORKER if strike.target is Target.POOL else strike.target
        if kind in {Target.WORKER, Target.BEAT, Target.WEB} and not self._names(kind):
            return f"there is no {kind}"
        return ""

    def _hands(self) -> dict[Action, Callable[[Strike], None]]:
        return {
            Action.KILL: self._kill,
            Action.FREEZE: self._freeze,
            Action.RESTART: self._restart,
            Action.TERMINATE: self._terminate,
            Action.FLUSH: self._flush,
            Action.SHUTDOWN: self._shut_down,
            Action.LOSE: self._lose,
            Action.STEP_CLOCK: self._step_clock,
            Action.DUPLICATE: self._duplicate,
            Action.FILL_DISK: self._fill_disk,
        }

    def _note(self, strike: Strike, name: str, detail: str = "", *, clock_skew: float = 0) -> None:
        """Remember a strike, which happens now, with what it may leave in doubt, and how wrong it makes a clock."""
        open_now = 0 if strike.target in HARMLESS else self.lab.open_connections()
        self.in_doubt += open_now
        detail = detail or f"away {strike.away:.1f} s"
        self.lab.note(f"{strike.action} {name}, {detail}; {open_now} in doubt")
        if self._recorder is not None:
            facts = {"action": strike.action.value, "target": name, "detail": detail, "in_doubt": open_now}
            self._recorder.note(Kind.STRIKE, **facts, **({"clock_skew": clock_skew} if clock_skew else {}))

    # -- Processes

    def _kill(self, strike: Strike) -> None:
        if strike.target is Target.POSTGRES:
            self._note(strike, "postgres")
            self.lab.servers.postgres.kill9()
            time.sleep(strike.away)
            self.lab.servers.postgres.start()
        elif strike.target is Target.BROKER:
            self._note(strike, "broker")
            self.lab.servers.valkey.kill9()
            time.sleep(strike.away)
            self.lab.servers.valkey.start()
        elif strike.target in {Target.POOL, Target.BACKEND}:
            for pid in self._pids(strike):
                self._note(strike, f"{strike.target} process {pid}")
                _send(pid, signal.SIGKILL)
        else:
            self._kill_program(strike)

    def _kill_program(self, strike: Strike) -> None:
        name = self._name(strike)
        if strike.target is Target.WORKER:
            # Frozen first, so that the count of its connections is that of the very moment.
            self.lab.freeze(name)
        self._note(strike, name)
        self.lab.kill(name)
        time.sleep(strike.away)
        self.lab.programs[name].start()

    def _freeze(self, strike: Strike) -> None:
        """Stop processes in their tracks; the nemesis goes on meanwhile."""
        pids = self._pids(strike)
        frozen = [_Frozen(pid) for pid in pids]

        def thaw() -> None:
            for process in frozen:
                process.thaw()

        name = (
            self._name(strike) if strike.target in {Target.WORKER, Target.BEAT} else f"{strike.target} process {pids}"
        )
        self._note(strike, name)
        self._after(strike.away, thaw)

    def _pids(self, strike: Strike) -> list[int]:
        """Whom a strike hits: one process, but a worker with its pool; none where it has just ended."""
        if strike.target is Target.BROKER:
            pids = [self.lab.servers.valkey.pid]
        elif strike.target is Target.BACKEND:
            pids = [self._one_of(descendants(self.lab.servers.postgres.pid or 0), strike)]
        elif strike.target is Target.POOL:
            pids = [self._one_of(self._pool(), strike)]
        else:
            program = self.lab.programs[self._name(strike)]
            pids = [program.pid, *descendants(program.pid or 0)]
        return [pid for pid in pids if pid]

    def _pool(self) -> list[int]:
        """The processes with SMTP connections, if there are any just now; else all processes of pools."""
        workers = [self.lab.programs[name] for name in self._names(Target.WORKER)]
        pool = [pid for worker in workers if worker.pid for pid in descendants(worker.pid)]
        return [pid for pid in pool if self.lab.is_sending(pid)] or pool

    def _names(self, target: Target) -> list[str]:
        return [name for name in self.lab.programs if name.startswith(target.value)]

    def _name(self, strike: Strike) -> str:
        names = self._names(strike.target)
        return names[strike.dice % len(names)]

    @staticmethod
    def _one_of(pids: Sequence[int], strike: Strike) -> int | None:
        return pids[strike.dice % len(pids)] if pids else None

    # -- PostgreSQL

    def _restart(self, strike: Strike) -> None:
        self._note(strike, str(strike.target), "immediate" if strike.target is Target.POSTGRES else "with no memory")
        if strike.target is Target.POSTGRES:
            self.lab.servers.restart_postgres()
        else:
            self.lab.servers.restart_broker_without_memory()

    def _terminate(self, strike: Strike) -> None:
        """Two thirds of the lab's connections."""
        backends = self.lab.backends()
        chosen = random.Random(strike.dice).sample(backends, len(backends) * 2 // 3)
        self._note(strike, "backends", f"{len(chosen)} of {len(backends)}")
        self.lab.terminate(chosen)

    def _fill_disk(self, strike: Strike) -> None:
        disk = self.lab.servers.disk
        assert disk is not None
        self._note(strike, "postgres", f"disk full for {strike.away:.1f} s")
        with disk.kept_full():
            if strike.dice % 2:
                self.lab.want_segment()
            time.sleep(strike.away)
        self.tend()

    # -- Broker

    def _flush(self, strike: Strike) -> None:
        self._note(strike, "broker", "FLUSHALL")
        self.lab.servers.flush_broker()

    def _shut_down(self, strike: Strike) -> None:
        self._note(strike, "broker", f"NOSAVE, away {strike.away:.1f} s")
        self.lab.servers.shut_broker_down()
        time.sleep(strike.away)
        self.lab.servers.valkey.start()

    def _lose(self, strike: Strike) -> None:
        self._note(strike, "broker", f"data removed, away {strike.away:.1f} s")
        self.lab.servers.lose_broker()
        time.sleep(strike.away)
        self.lab.servers.valkey.start()

    def _duplicate(self, strike: Strike) -> None:
        copied = duplicate_tasks(self.lab.servers.valkey)
        self._note(strike, "broker", f"{copied} tasks five times")

    # -- Clocks

    def _step_clock(self, strike: Strike) -> None:
        """One program is wrong about the time for a while; then its clock is set right, which is a step as well."""
        name = self._name(strike)
        seconds = clocks.STEPS[strike.dice % len(clocks.STEPS)]
        self._note(strike, name, f"{seconds:+} s for {strike.away:.1f} s", clock_skew=abs(seconds))
        self.lab.clocks[name].step(seconds)
        self._after(strike.away, partial(self.lab.clocks[name].step, 0))

    def _after(self, seconds: float, act: Callable[[], object]) -> None:
        self._later.append(_Later(seconds, act))


class _Later:
    """Something that is done once: when its time has come, or earlier."""

    def __init__(self, seconds: float, act: Callable[[], object]) -> None:
        self._act = act
        self._is_done = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self.now)
        self._timer.daemon = True
        self._timer.start()

    def now(self) -> None:
        """Do it, where it was not done yet; it is done when this returns."""
        self._timer.cancel()
        with self._lock:
            if not self._is_done:
                self._is_done = True
                self._act()


class _Frozen:
    """A process that is stopped from here on, known by a file (pidfd_open(2)), as ids are used again."""

    def __init__(self, pid: int) -> None:
        self._file = -1
        with suppress(ProcessLookupError):
            self._file = os.pidfd_open(pid)
            signal.pidfd_send_signal(self._file, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, if it was not killed."""
        file, self._file = self._file, -1
        if file < 0:
            return
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(file, signal.SIGCONT)
        os.close(file)


def _send(pid: int, number: signal.Signals) -> None:
    """Signal a process that may have ended by itself since it was looked up."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
