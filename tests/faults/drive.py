"""The run whose history is judged: two accounts, their people and operators, the nemesis, and the wait for quiet."""

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import psycopg

from tests.faults.followers import Followers
from tests.faults.history import Entry, History, Kind, Recorder, read_entries
from tests.faults.lab import SCALED, Lab
from tests.faults.ledger import audit
from tests.faults.nemesis import KILLS, Nemesis, draw_strikes
from tests.faults.operators import Operator
from tests.faults.people import MANNERS, draw_people, expected_deliveries
from tests.faults.reading import delivered_entries, ledger_as_text, read_ledger
from tests.faults.searching import leaks
from tests.faults.strikes import Fault, Strike
from tests.faults.tenants import LETTERS, Tenant, World, seed_tenants

RECOVERY_SECONDS = 60
"""From a strike to the next message, on a busy machine: restarts, the lease, a tick of reconcile and of the planner."""
QUIET_SECONDS = int(SCALED["LEASE_SECONDS"]) + 60
"""From the last fault to the end of everything (promise A2)."""
LOOK_SECONDS = 0.1
CERTAIN = 0.7
"""The share of the expected messages that arrive whatever operators stop."""
PROGRESS_SECONDS = 10
LOOKS = 6
"""How often a mailbox's folders are opened until everything in them has surely been read: three polls of both."""

UNDER_WAY = """
SELECT (SELECT count(*) FROM dispatch_message WHERE state IN ('planned', 'claimed', 'wire', 'deferred'))
     + (SELECT count(*) FROM campaigns_enrollment WHERE stopped_at IS NULL AND finished_at IS NULL)
     + (SELECT count(*) FROM campaigns_campaign WHERE status <> 'completed')
     + (SELECT count(*) FROM dispatch_notice WHERE processed_at IS NULL)
"""
STATES = """
SELECT count(*) FILTER (WHERE state IN ('planned', 'claimed', 'wire', 'deferred')),
       count(*) FILTER (WHERE state = 'unknown'), count(*) FROM dispatch_message
"""
HURRY = "UPDATE events_webhookdelivery SET due_at = now() WHERE state = 'pending' AND due_at > now()"
UNCALLED = "SELECT count(*) FROM events_webhookdelivery WHERE state = 'pending'"


class Stuck(Exception):
    """Nothing moves any more, and not everything has ended: what is missing is for the checker to say."""


class Drive:
    """One run on a started lab, whose settings are those of the world. With `verbose` it tells how it goes.

    `manners` are the shares in which people are met with by the SMTP server.
    """

    def __init__(
        self,
        lab: Lab,
        world: World,
        recorder: Recorder,
        seed: int,
        people: int,
        steps: int,
        *,
        manners: Mapping[str, int] = MANNERS,
        verbose: bool = False,
    ) -> None:
        self.lab = lab
        self.world = world
        self.recorder = recorder
        self.seed = seed
        self.steps = steps
        self.people = draw_people(seed, people, steps, shares=manners)
        self.tenants: list[Tenant] = []
        self.nemesis = Nemesis(lab, recorder)
        self.struck = 0
        self._is_calm = False
        self._stuck = ""
        self._verbose = verbose
        self._operators: list[Operator] = []
        self._began = time.monotonic()

    def run(self, strikes: int, faults: Sequence[Fault] = KILLS) -> History:
        """Everything, from the seed to the history; a run that gets stuck has one, too."""
        self._say(f"seed {self.seed}: {len(self.people)} people, {len(LETTERS)} accounts, {self.steps} steps")
        self.tenants = seed_tenants(self.lab, self.world, self.people, self.steps)
        certain = int(expected_deliveries(self.people, self.steps, LETTERS) * CERTAIN)
        drawn = draw_strikes(self.seed, strikes, certain, faults)
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._telling())
            followers = stack.enter_context(Followers(self.lab, self.recorder, self.tenants, self.seed))
            self._operators = [stack.enter_context(self._operator(tenant)) for tenant in self.tenants]
            try:
                self._strike(drawn, certain // 2)
                self._await_quiet(followers)
            except Stuck as stuck:
                self._stuck = str(stuck)
            self._say(f"people {dict(followers.acts)}")
        self._say(f"operators {[dict(operator.acts) for operator in self._operators]}")
        return self._history()

    def _operator(self, tenant: Tenant) -> Operator:
        return Operator(tenant, self.lab.web_port, self.recorder, self.seed, self.people, self.steps)

    # -- Faults

    def _strike(self, strikes: Sequence[Strike], half: int) -> None:
        """All strikes; half-way the operators make room, so that caps bind before and do not in the end."""
        try:
            for strike in strikes:
                self._await_delivered(min(strike.after, half))
                if strike.after >= half:
                    self._make_room()
                self._await_delivered(strike.after)
                time.sleep(strike.pause)  # the moment within the message is the point, and the seed draws it
                self.nemesis.hit(strike)
                self.struck += 1
        finally:
            self.nemesis.set_right()

    def _await_delivered(self, count: int) -> None:
        self._wait(f"{count} messages are delivered", lambda: self.lab.delivered_count() >= count, RECOVERY_SECONDS)

    def _make_room(self) -> None:
        for operator in self._operators:
            operator.make_room()

    # -- Quiet

    def _await_quiet(self, followers: Followers) -> None:
        """Until nothing is under way any more: sends, mails, judgements, events and calls."""
        self._is_calm = True
        for operator in self._operators:
            operator.finish()
        self._wait("the operators are answered", lambda: all(operator.is_done for operator in self._operators))
        self._wait("all is sent", lambda: self._is_sent() and followers.is_idle)
        looks = [(sender.postbox, sender.postbox.looks) for tenant in self.tenants for sender in tenant.senders]
        self._wait("the mailboxes are read", lambda: all(box.looks >= seen + LOOKS for box, seen in looks))
        self._wait("all is judged", lambda: self._is_sent() and followers.is_idle)
        for tenant in self.tenants:
            self.world.sink.drop(tenant.hook, 0)
        self._wait("all events are told", self._is_told)

    def _wait(self, what: str, condition: Callable[[], bool], seconds: float = QUIET_SECONDS) -> None:
        """Fail only when nothing moved for so long: how fast it moves depends on the machine."""
        moved, seen = time.monotonic(), self._movement()
        while not condition():
            if self._movement() != seen:
                moved, seen = time.monotonic(), self._movement()
            if time.monotonic() - moved > seconds:
                raise Stuck(f"Nothing moved for {seconds:.0f} s until {what}.\n{self.lab.report()}")
            time.sleep(LOOK_SECONDS)

    def _movement(self) -> tuple[int, ...]:
        """Numbers that change as long as there is less and less to do."""
        calls = sum(len(self.world.sink.accepted(tenant.hook)) for tenant in self.tenants)
        return (self.lab.delivered_count(), calls, self._under_way if self._is_calm else 0)

    @property
    def _under_way(self) -> int:
        return int(self.lab.ask(UNDER_WAY)[0][0])

    def _is_sent(self) -> bool:
        return self._under_way == 0

    def _is_told(self) -> bool:
        """Nobody waits for the minutes that lie between two tries of a call."""
        if not self.lab.ask(UNCALLED)[0][0]:
            return True
        with contextlib.suppress(psycopg.Error), psycopg.connect(self.lab.database_url) as database:
            # Locked in the order in which the loop locks them.
            database.execute("SELECT id FROM events_webhookendpoint ORDER BY id FOR NO KEY UPDATE")
            database.execute(HURRY)
            database.execute("UPDATE events_webhookendpoint SET hold_until = NULL")
        time.sleep(0.2)
        return False

    # -- What came of it

    def _history(self) -> History:
        entries = [*read_entries(self.recorder.path), *delivered_entries(self.lab.delivered()), *self._called()]
        ledger = read_ledger(self.lab)
        (self.recorder.path.parent / "ledger.json").write_text(ledger_as_text(ledger))
        return History(
            seed=self.seed,
            entries=tuple(sorted(entries, key=lambda entry: entry.at)),
            ledger=ledger,
            audit=tuple(audit(self.lab)),
            leaks=tuple(leaks(self.lab, self.recorder.path, self.tenants)),
            facts=self._facts(),
        )

    def _called(self) -> Iterator[Entry]:
        """What the receivers answered 2xx."""
        ahead = time.time() - time.monotonic()
        for tenant in self.tenants:
            for call in self.world.sink.accepted(tenant.hook):
                told = json.loads(call.body)
                yield Entry(
                    call.at + ahead,
                    Kind.CALLED,
                    {
                        "account": tenant.account_id,
                        "webhook_id": call.headers["webhook-id"],
                        "type": told["type"],
                        "data": told["data"],
                        "body": hashlib.sha256(call.body).hexdigest(),
                    },
                )

    def _facts(self) -> dict[str, Any]:
        accounts: dict[str, list[str]] = {address: [] for address in self.people}
        for tenant, operator in zip(self.tenants, self._operators, strict=True):
            for address in [*self.people, *operator.enrolled]:
                accounts.setdefault(address, []).append(tenant.account_id)
        return {
            "steps": self.steps,
            "limits": {sender.login: sender.limit for tenant in self.tenants for sender in tenant.senders},
            "folder": str(self.recorder.path.parent),
            "accounts": accounts,
            "in_doubt": self.nemesis.in_doubt,
            "delivered": self.lab.delivered_count(),
            "stuck": self._stuck,
            "seconds": round(time.monotonic() - self._began),
        }

    # -- Words

    def _say(self, sentence: str) -> None:
        self.lab.note(sentence)
        if self._verbose:
            print(f"{time.monotonic() - self._began:6.0f} s  {sentence}", flush=True)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """A line now and then, until the block ends."""
        ended = threading.Event()
        teller = threading.Thread(target=self._tell, args=[ended], name="progress", daemon=True)
        if self._verbose:
            teller.start()
        try:
            yield
        finally:
            ended.set()
            if self._verbose:
                teller.join(60)

    def _tell(self, ended: threading.Event) -> None:
        while not ended.wait(PROGRESS_SECONDS):
            print(f"{time.monotonic() - self._began:6.0f} s  {self._progress()}", flush=True)

    def _progress(self) -> str:
        with contextlib.suppress(psycopg.Error), psycopg.connect(self.lab.database_url) as database:
            row = database.execute(STATES).fetchone() or (0, 0)
            waiting, unknown = row[0], row[1]
            struck = f"{unknown} unknown, {self.struck} strikes"
            return f"{self.lab.delivered_count()} delivered, {waiting} waiting, {struck}"
        return f"{self.lab.delivered_count()} delivered, the database is away, {self.struck} strikes"
