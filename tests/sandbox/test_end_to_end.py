"""The demo of `make run` from its start to its end: what the ledger says equals what the recipients say they did.

It takes about six minutes, so it belongs to the long profile: `pytest -m faults_long tests/sandbox/test_end_to_end.py`.
"""

import csv
import json
import re
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

import ampout.sandbox
from ampout.sandbox.recipients import Behaviour, behaviour_of
from tests.sandbox.running import read_lines
from tests.supervisor.test_supervisor import free_port, launch, read_until_up

pytestmark = pytest.mark.faults_long

LONGEST_RUN = 900
"""Seconds until the campaign must be complete and all that came back is judged."""
QUIET_SECONDS = 25
"""Nobody acts later than this after the last message: the longest wait, a poll, a judgement, and some more."""

CONTACTS = Path(ampout.sandbox.__file__).parent / "contacts.csv"

FEEDBACK: LiteralString = """
    SELECT m.message_id, f.kind, f.hard, f.return_date - f.occurred_at::date
    FROM dispatch_feedback f JOIN dispatch_message m ON m.id = f.message_id
"""
HITS: LiteralString = """
    SELECT m.message_id, h.kind, h.label FROM dispatch_hit h JOIN dispatch_message m ON m.id = h.message_id
"""
STATUSES: LiteralString = """
    SELECT c.email, e.status FROM campaigns_enrollment e JOIN campaigns_contact c ON c.id = e.contact_id
"""
ACCEPTED: LiteralString = "SELECT message_id FROM dispatch_message WHERE state = 'accepted'"
CAMPAIGN: LiteralString = "SELECT status, pause_reason FROM campaigns_campaign"
SENDERS: LiteralString = "SELECT count(*) FROM credentials_smtpcredential WHERE disabled_at IS NOT NULL"
UNJUDGED: LiteralString = "SELECT count(*) FROM dispatch_notice WHERE processed_at IS NULL"


@dataclass
class Run:
    """What both sides say once all is over."""

    campaign: tuple[Any, ...] = ()
    disabled_senders: int = -1
    acts: list[dict[str, Any]] = field(default_factory=list)
    accepted_by_recipients: list[str] = field(default_factory=list)
    accepted_by_us: list[str] = field(default_factory=list)
    feedback: list[tuple[Any, ...]] = field(default_factory=list)
    hits: list[tuple[Any, ...]] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)

    def done(self, *kinds: str, action: str | None = None) -> "Counter[str]":
        """How often the recipients did this, by the Message-ID it was about."""
        wanted = [act for act in self.acts if act["kind"] in kinds and action in {None, act["action"]}]
        return Counter(act["message_id"] for act in wanted)

    def judged(self, kind: str, *, hard: bool | None = None) -> "Counter[str]":
        """How often the ledger says so, likewise."""
        return Counter(row[0] for row in self.feedback if row[1] == kind and hard in {None, row[2]})

    def seen(self, kind: str, label: str) -> "Counter[str]":
        """How often the ledger has such a request, likewise."""
        return Counter(row[0] for row in self.hits if row[1:] == (kind, label))

    def statuses_of(self, *behaviours: Behaviour) -> "Counter[str]":
        """Where the people of these behaviours ended."""
        return Counter(status for email, status in self.statuses.items() if behaviour_of(email) in behaviours)


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with tempfile.TemporaryDirectory(prefix="amp") as folder:
        data = Path(folder)
        with launch(data, AMPOUT_PORT=str(free_port())) as process:
            try:
                read_until_up(process)
                yield watch(data)
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=60)


def watch(data: Path) -> Run:
    """Wait for the end of the campaign and of what it brings back, then read both sides."""
    log = data / "sandbox" / "behaviours.jsonl"
    url = json.loads((data / "environment.json").read_text())["DATABASE_URL"]
    deadline = time.monotonic() + LONGEST_RUN
    with psycopg.connect(url, autocommit=True) as ledger:

        def rows(query: LiteralString) -> list[tuple[Any, ...]]:
            return ledger.execute(query).fetchall()

        quiet_since, size = time.monotonic(), -1
        while time.monotonic() < deadline:
            is_over = rows(CAMPAIGN)[0][0] == "completed" and rows(UNJUDGED) == [(0,)]
            if log.stat().st_size != size or not is_over:
                quiet_since, size = time.monotonic(), log.stat().st_size
            if time.monotonic() - quiet_since > QUIET_SECONDS:
                break
            time.sleep(1)
        return Run(
            campaign=rows(CAMPAIGN)[0],
            disabled_senders=rows(SENDERS)[0][0],
            acts=read_lines(log),
            accepted_by_recipients=[line["message_id"] for line in read_lines(data / "sandbox" / "accepted.jsonl")],
            accepted_by_us=[row[0] for row in rows(ACCEPTED)],
            feedback=rows(FEEDBACK),
            hits=rows(HITS),
            statuses=dict(rows(STATUSES)),
        )


def test_the_campaign_completes_and_no_sender_is_disabled(run: Run) -> None:
    assert (run.campaign, run.disabled_senders) == (("completed", ""), 0)
    assert len(run.statuses) == len(list(csv.DictReader(CONTACTS.read_text("utf-8").splitlines())))


def test_what_the_recipients_accepted_is_what_the_ledger_says(run: Run) -> None:
    assert Counter(run.accepted_by_recipients) == Counter(run.accepted_by_us)


def test_replies_are_those_that_people_wrote(run: Run) -> None:
    assert run.judged("reply") == run.done("reply")
    assert run.statuses_of(Behaviour.REPLY, Behaviour.REPLY_HTML) == {"replied": 14}


def test_automatic_replies_are_those_that_programs_wrote_and_stop_nothing(run: Run) -> None:
    assert run.judged("auto_reply") == run.done("auto_reply")
    away = [one for one in Behaviour if one.value.startswith("ooo-")]
    assert run.statuses_of(*away) == {"sent": 16}


def test_days_of_return_are_read(run: Run) -> None:
    dated = {act["message_id"] for act in run.acts if act["behaviour"] == Behaviour.OOO_LATER}
    days = [row[3] for row in run.feedback if row[0] in dated and row[1] == "auto_reply"]
    assert len(days) == 4
    assert all(3 <= one <= 10 for one in days)


def test_bounces_are_those_that_servers_wrote_hard_and_soft(run: Run) -> None:
    assert run.judged("bounce", hard=True) == run.done("bounce_hard")
    assert run.judged("bounce", hard=False) == run.done("bounce_soft")
    returned = [one for one in Behaviour if one.value.startswith("dsn-") and one is not Behaviour.DSN_DELAY]
    assert run.statuses_of(*returned, Behaviour.UNKNOWN, Behaviour.CONTENT) == {"bounced": 16}


def test_delays_are_seen_and_stop_nothing(run: Run) -> None:
    assert run.judged("delay") == run.done("delay")
    assert run.statuses_of(Behaviour.DSN_DELAY) == {"sent": 2}


def test_complaints_and_requests_to_be_left_alone_end_the_sequence(run: Run) -> None:
    assert run.judged("feedback") == run.done("complaint")
    assert run.judged("unsubscribe") == run.done("unsubscribe", action="mail")
    assert sum(run.done("unsubscribe", action="POST").values()) == 3
    unwilling = (Behaviour.REMOVE, Behaviour.ONECLICK, Behaviour.COMPLAIN)
    assert run.statuses_of(*unwilling) == {"unsubscribed": 7}


def test_opens_and_clicks_are_those_of_people(run: Run) -> None:
    assert run.seen("open", "human") == run.done("open")
    assert run.seen("click", "human") == run.done("click")
    assert run.seen("open", "proxy") == run.done("proxy")
    assert run.statuses_of(Behaviour.OPEN, Behaviour.CLICK) == {"opened": 29}
    assert run.statuses_of(Behaviour.OPEN_PROXY, Behaviour.OPEN_SCANNER) == {"sent": 10}


def test_scanners_are_told_from_people_and_unsubscribe_nobody(run: Run) -> None:
    looked = [act for act in run.acts if act["kind"] == "scan" and re.search(r"/[oc]/", act["url"])]
    assert run.seen("open", "scanner") + run.seen("click", "scanner") == Counter(act["message_id"] for act in looked)


def test_every_visit_was_answered(run: Run) -> None:
    assert [act for act in run.acts if act["kind"] is None] == []


def test_nothing_was_seen_that_nobody_did(run: Run) -> None:
    assert {row[1] for row in run.feedback} == {"reply", "auto_reply", "bounce", "delay", "feedback", "unsubscribe"}
    assert {row[2] for row in run.hits} == {"human", "proxy", "scanner"}
