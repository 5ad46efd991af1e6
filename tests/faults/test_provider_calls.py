"""D5: providers call, again and again and in any order, while the web process, the worker and PostgreSQL are killed.

Whatever was answered by 200 is stored, once; every report has its one effect.
"""

import base64
import http.client
import json
import random
import threading
from collections import deque
from typing import Self

import pytest

from ampout.supervisor.ports import HOST
from credentials.models import SmtpCredential
from credentials.provider_hooks import create_hook
from credentials.rules.hook_provider import SECRET_USER, HookProvider
from tests.faults.conftest import StartLab
from tests.faults.lab import Lab
from tests.faults.ledger import audit
from tests.faults.seeding import people, seed
from tests.faults.waiting import wait_for

SECONDS = 90
"""For what takes seconds on a quiet machine."""
PEOPLE = 30
TIMES = 5


class Provider:
    """Makes each of its calls until it is answered by 200, as providers do; a context manager."""

    def __init__(self, port: int, path: str, secret: str, calls: list[bytes]) -> None:
        login = base64.b64encode(f"{SECRET_USER}:{secret}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        self._port, self._path = port, path
        self._waiting = deque(calls)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="provider")
        self.taken = 0
        self.unanswered = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _run(self) -> None:
        while self._waiting and not self._stop.wait(0.03):
            body = self._waiting.popleft()
            if self._call(body) == 200:
                self.taken += 1
            else:
                self.unanswered += 1
                self._waiting.append(body)

    def _call(self, body: bytes) -> int:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=20)
        try:
            connection.request("POST", self._path, body, self._headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


def reports_of(lab: Lab) -> list[bytes]:
    """A delivery and a hard bounce of every message."""
    rows = lab.ask("SELECT message_id, recipient FROM dispatch_message ORDER BY message_id")
    bounced = {"event": "bounce", "bounce": "hard", "message": "550 5.1.1 No such user"}
    return [
        json.dumps({"rcpt": recipient, "message-id": message_id} | facts).encode()
        for message_id, recipient in rows
        for facts in (bounced, {"event": "delivered"})
    ]


def make_hook(lab: Lab) -> tuple[str, str]:
    """Path and secret of a hook for the only credential."""
    with lab.django():
        credential = SmtpCredential.everywhere.get()
        issued = create_hook(credential, HookProvider.SMTP2GO)
        return f"/hooks/in/smtp2go/{credential.pk}", issued.secret


def strike(lab: Lab, provider: Provider, calls: int) -> None:
    """One fault after the other, at equal shares of the calls."""
    faults = ["web", "worker0", "postgres", "web", "worker0"]
    for number, name in enumerate(faults, start=1):
        due = calls * number // (len(faults) + 2)
        wait_for(f"{due} calls are taken", lambda due=due: provider.taken >= due, SECONDS, lab.report)  # type: ignore[misc]
        lab.note(f"{name} dies")
        if name == "postgres":
            lab.servers.postgres.stop("immediate")
            lab.servers.postgres.start()
        else:
            lab.kill(name)
            lab.programs[name].start()
            lab.programs[name].await_ready()


@pytest.mark.faults_long
def test_reports_amid_kills_have_one_effect_each(start_lab: StartLab) -> None:
    lab = start_lab()
    seed(lab, people(PEOPLE), credentials=1)
    lab.wait_for("all is sent", f"SELECT count(*) = {PEOPLE} FROM dispatch_message WHERE state = 'accepted'", SECONDS)
    path, secret = make_hook(lab)
    calls = reports_of(lab) * TIMES
    random.Random(7).shuffle(calls)
    with Provider(lab.web_port, path, secret, calls) as provider:
        strike(lab, provider, len(calls))
        wait_for("all calls are taken", lambda: provider.taken == len(calls), SECONDS, lab.report)
    lab.wait_for("all is judged", "SELECT bool_and(processed_at IS NOT NULL) FROM dispatch_notice", SECONDS)
    print("\n".join(lab.happened), provider.unanswered, "calls were made again")
    assert lab.ask("SELECT count(*) FROM dispatch_notice") == [(2 * PEOPLE,)], lab.report()
    assert lab.ask("SELECT status, count(*) FROM campaigns_enrollment GROUP BY 1") == [("bounced", PEOPLE)]
    assert lab.ask("SELECT count(*) FROM events_event WHERE type = 'enrollment.bounced'") == [(PEOPLE,)]
    assert lab.ask("SELECT count(*) FROM campaigns_suppression") == [(PEOPLE,)]
    assert lab.ask("SELECT kind, hard, count(*) FROM dispatch_feedback GROUP BY 1, 2") == [("bounce", True, PEOPLE)]
    assert audit(lab) == []
