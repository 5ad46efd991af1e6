"""A small run that breaks no law, to be broken on purpose: what everybody saw, row by row."""

import copy
from dataclasses import dataclass, field
from typing import Any

from tests.faults.history import Entry, History, Kind, Ledger

BEGIN = 1_800_000_000.0 - 1_800_000_000.0 % 86_400 + 3_600
"""One o'clock in the morning (UTC): seconds of the run are counted from here."""

FOLDER = "where/it/lies"

Fields = dict[str, Any]


@dataclass
class Run:
    """A history that can still be changed. Times are seconds from BEGIN."""

    entries: list[Entry] = field(default_factory=list)
    tables: dict[str, list[Fields]] = field(default_factory=dict)
    audit: list[str] = field(default_factory=lambda: ["All 18 checks hold."])
    leaks: list[str] = field(default_factory=list)
    facts: Fields = field(default_factory=dict)

    def history(self) -> History:
        """As the checker takes it."""
        ledger = Ledger(**{name: tuple(rows) for name, rows in self.tables.items()})
        return History(7, tuple(self.entries), ledger, tuple(self.audit), tuple(self.leaks), self.facts)

    def note(self, at: float, kind: Kind, **facts: Any) -> None:
        """Somebody saw something."""
        self.entries.append(Entry(BEGIN + at, kind, facts))

    def add(self, table: str, **columns: Any) -> Fields:
        """A row of the ledger."""
        self.tables.setdefault(table, []).append(columns)
        return columns

    def row(self, table: str, **wanted: Any) -> Fields:
        """The first row with these columns."""
        return next(row for row in self.tables[table] if wanted.items() <= row.items())

    def seen(self, kind: Kind, **wanted: Any) -> Entry:
        """The first entry of a kind with these facts."""
        return next(one for one in self.entries if one.kind is kind and wanted.items() <= one.facts.items())

    def drop(self, entry: Entry) -> None:
        """Nobody saw that."""
        self.entries.remove(entry)

    def again(self, entry: Entry, at: float, **changed: Any) -> None:
        """The same once more, with some facts changed."""
        self.note(at, entry.kind, **{**entry.facts, **changed})

    # -- What makes a run

    def enroll(self, account: str, person: str, **columns: Any) -> Fields:
        """A contact in the campaign of an account, acknowledged by the API."""
        address = f"{person}@chaos.example"
        self.add("contacts", id=f"contact {person} {account}", account=account, contact=address)
        row = self.add("enrollments", id=f"{person} of {account}", account=account, campaign=f"campaign {account}")
        row |= {"contact": address, "status": "sent", "next_position": 3, "steps_due": 2, "stop_reason": ""}
        row |= {"released_at": BEGIN, "stopped_at": None, "finished_at": BEGIN + 90, "replied_at": None}
        row |= {"bounced_at": None, "unsubscribed_at": None, "opened_at": None, **columns}
        self.note(0, Kind.ANSWERED, call="enroll", account=account, contact=address, enrollment=row["id"])
        return row

    def send(self, enrollment: Fields, step: int, at: float, *, answer: str = "250", state: str = "accepted") -> Fields:
        """A step that was put on the wire, was delivered half a second later, and told of."""
        account, login = enrollment["account"], f"login {enrollment['account']}"
        common = {"account": account, "enrollment": enrollment["id"], "stream": "campaign", "step": step}
        common |= {"recipient": enrollment["contact"], "message_id": f"<{step}.{enrollment['id']}>", "login": login}
        message = {"campaign": enrollment["campaign"], "state": state, "reason": "", "wire_at": BEGIN + at}
        row = self.add("messages", id=f"{step} {enrollment['id']}", **common, **message)
        attempt = {"state": state, "is_evidence": False, "started_at": BEGIN + at - 0.1, "ended_at": BEGIN + at + 1}
        self.add("attempts", **common, **attempt)
        if state in {"accepted", "unknown"}:
            seen = {"recipient": enrollment["contact"], "login": login, "answer": answer, "began": BEGIN + at - 0.1}
            self.note(at + 0.5, Kind.DELIVERED, message_id=row["message_id"], **seen)
            self.tell(enrollment, "enrollment.sent", at + 0.6, f":{step}")
        return row

    def tell(self, enrollment: Fields, kind: str, at: float, suffix: str = "") -> None:
        """An event, and its webhook."""
        account = enrollment["account"]
        data = {"enrollment_id": enrollment["id"], "campaign_id": enrollment["campaign"]}
        fact = f"{kind}:{enrollment['id']}{suffix}"
        self.add("events", id=f"id of {fact}", account=account, type=kind, fact=fact, data=data, recorded_at=BEGIN + at)
        call = {"account": account, "endpoint": f"endpoint {account}", "webhook_id": f"id of {fact}", "type": kind}
        self.note(at + 0.1, Kind.CALLED, **call, data=data, body=f"digest of {fact}")

    def come_back(self, message: Fields, behaviour: str, kind: str, at: float) -> None:
        """A mail about a message came into the mailbox that had sent it, and is on record."""
        account, message_id = message["account"], message["message_id"]
        mail = {"mailbox": message["login"], "account": account, "behaviour": behaviour}
        self.note(at, Kind.MAILED, **mail, message_id=message_id, mail_id=f"<{behaviour} {at} to {message_id}>")
        row = {"account": account, "notice_account": account, "message_account": account, "source": "imap"}
        self.add("feedback", **row, message_id=message_id, enrollment=message["enrollment"], kind=kind)

    def pause(self, at: float, until: float) -> None:
        """The campaign of account A paused, told of, and resumed."""
        campaign = "campaign A"
        self.note(at, Kind.STOPPED, account="A", campaign=campaign, reason="pause")
        self.note(until, Kind.RESUMED, account="A", campaign=campaign)
        fact, data = f"campaign.paused:{campaign}:{at}", {"campaign_id": campaign, "reason": "manual"}
        event = {"account": "A", "type": "campaign.paused", "fact": fact, "data": data}
        self.add("events", id=f"id of {fact}", **event, recorded_at=BEGIN + at)
        call = {"account": "A", "endpoint": "endpoint A", "webhook_id": f"id of {fact}", "type": "campaign.paused"}
        self.note(at + 0.1, Kind.CALLED, **call, data=data, body=f"digest of {fact}")


def lawful() -> Run:
    """Two accounts that both write to Anna; in A, besides, people who reply, bounce, unsubscribe and are in doubt."""
    run = Run(facts={"limits": {}, "folder": FOLDER})
    for account in ("A", "B"):
        run.add("campaigns", id=f"campaign {account}", account=account, status="completed")
        endpoint = {"account": account, "event_filters": ["*"], "since": BEGIN - 10}
        run.add("endpoints", id=f"endpoint {account}", **endpoint, disabled_at=None, deleted_at=None)
        run.add("credentials", login=f"login {account}", account=account, daily_limit=6)
        run.facts["limits"][f"login {account}"] = 6
        run.note(-1, Kind.ANSWERED, call="create", account=account, campaign=f"campaign {account}")
        anna = run.enroll(account, "anna")
        run.send(anna, 1, 1)
        run.send(anna, 2, 50)
    _reply(run)
    _bounce(run)
    _unsubscribe(run)
    _doubt(run)
    _refusal(run)
    run.pause(30, 40)
    return run


def _stopped(run: Run, person: str, reason: str, at: float, *, position: int = 2) -> Fields:
    ended = {"stopped_at": BEGIN + at, "stop_reason": reason, "finished_at": None, "next_position": position}
    return run.enroll("A", person, **ended, status=reason, **{f"{reason}_at": BEGIN + at})


def _reply(run: Run) -> None:
    rita = _stopped(run, "rita", "replied", 5)
    first = run.send(rita, 1, 2)
    run.come_back(first, "reply", "reply", 4)
    run.tell(rita, "enrollment.replied", 5)
    forged = {"mailbox": "login B", "account": "B", "behaviour": "reply", "mail_id": "<forged>"}
    run.note(4.5, Kind.MAILED, **forged, message_id="<1.anna of A>")


def _bounce(run: Run) -> None:
    bert = _stopped(run, "bert", "bounced", 7)
    run.come_back(run.send(bert, 1, 3), "bounce", "bounce", 6)
    run.tell(bert, "enrollment.bounced", 7)
    run.add("suppressions", account="A", contact=bert["contact"], kind="address", reason="hard_bounce")


def _unsubscribe(run: Run) -> None:
    ursula = _stopped(run, "ursula", "unsubscribed", 9)
    run.send(ursula, 1, 8)
    run.tell(ursula, "enrollment.unsubscribed", 9)
    run.note(9.05, Kind.STOPPED, account="A", contact=ursula["contact"], reason="unsubscribed")
    run.add("suppressions", account="A", contact=ursula["contact"], kind="address", reason="unsubscribed")


def _doubt(run: Run) -> None:
    """The worker was killed while one connection was open; another person's server never answers the final dot."""
    doris = run.enroll("A", "doris")
    run.send(doris, 1, 10, state="unknown")
    run.note(10.7, Kind.STRIKE, action="kill", target="worker", detail="", in_doubt=1)
    run.send(doris, 2, 60)
    silent = run.enroll("A", "drop-after-dot+1")
    run.send(silent, 1, 11, answer="none", state="unknown")
    run.send(silent, 2, 61, answer="none", state="unknown")


def _refusal(run: Run) -> None:
    """In account B, so that A's login has reached its limit by what it delivered."""
    ended = {"stopped_at": BEGIN + 12, "stop_reason": "bounced", "finished_at": None, "next_position": 2}
    row = run.enroll("B", "5xx-rcpt+2", **ended, status="bounced", bounced_at=BEGIN + 12)
    message = run.send(row, 1, 12, state="refused")
    message["wire_at"] = None
    run.tell(row, "enrollment.bounced", 12)


def changed(run: Run) -> Run:
    """A copy to be broken."""
    return copy.deepcopy(run)
