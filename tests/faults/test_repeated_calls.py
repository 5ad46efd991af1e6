"""F4: many clients repeat the same calls while the web process is killed: each key has one effect and one answer."""

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import psycopg
import pytest

from ampout.accounts.models import Account
from ampout.accounts.services import create_account, issue_key
from ampout.events.services.endpoints import create_endpoint
from ampout.lib.addresses import parse_address
from ampout.supervisor.children import descendants
from ampout.supervisor.services import web_answers
from campaigns.models import Campaign
from campaigns.services.campaigns import create_campaign
from campaigns.services.enrolment import enroll_contact
from campaigns.services.imports import NewContact, import_contacts
from credentials.services import CredentialEntry
from tests.faults.conftest import StartLab
from tests.faults.lab import Lab
from tests.faults.repeaters import Call, Crowd
from tests.faults.waiting import wait_for

SECONDS = 240
"""For what takes seconds on a quiet machine, and a minute where a mark has to expire."""
SETTINGS = {"ALLOW_SIGNUP": "1", "SIGNUP_LIMIT_PER_HOUR": "1000000", "RATE_LIMIT_PER_MINUTE": "10000000"}
EXPIRE = """
UPDATE accounts_idempotencyrecord SET started_at = started_at - interval '60 seconds'
WHERE id IN (
    SELECT id FROM accounts_idempotencyrecord
    WHERE answered_at IS NULL AND started_at BETWEEN now() - interval '50 seconds' AND now() - interval '2 seconds'
    FOR UPDATE SKIP LOCKED
)
RETURNING id
"""
"""Two seconds are a minute for every mark that no living call holds."""
HELD = """
SELECT id FROM accounts_idempotencyrecord WHERE answered_at IS NULL
AND id NOT IN (SELECT id FROM accounts_idempotencyrecord WHERE answered_at IS NULL FOR UPDATE SKIP LOCKED)
"""
WEB, CHILD, POSTGRES = "web", "a web worker", "postgres"
ONE_ROW_OF = "SELECT count(*) FROM {} WHERE {} = %s"


class Town:
    """An account with something to call upon for every key."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.key = issue_key(account).plaintext
        self.campaign = self._campaign("campaign")

    def calls(self) -> Iterator[Call]:
        """One call of every kind, over and over."""
        makers: list[Callable[[str], Call]] = [
            self._import,
            self._enrollment,
            self._webhook,
            self._change,
            self._deletion,
            self._dispatch,
            self._api_key,
            self._signup,
            self._rotation,
        ]
        for number, maker in enumerate(makers * 1_000):
            yield maker(f"key-{number}")

    def _import(self, key: str) -> Call:
        body = {"name": key, "contacts": [{"email": f"{key}@contacts.example"}]}
        effects = ONE_ROW_OF.format("campaigns_contactimport", "name")
        return Call(key, "POST", "/contact_imports", body, effects, lambda _shown: (key,))

    def _enrollment(self, key: str) -> Call:
        path, body = f"/campaigns/{self.campaign.pk}/enroll_contact", {"contact_id": str(self._contact(key))}
        effects = ONE_ROW_OF.format("campaigns_enrollment", "contact_id")
        return Call(key, "POST", path, body, effects, lambda _shown: (body["contact_id"],))

    def _webhook(self, key: str) -> Call:
        host = f"1.1.1.{key.partition('-')[2]}"
        effects = ONE_ROW_OF.format("events_webhookendpoint", "host")
        return Call(key, "POST", "/webhooks", {"url": f"https://{host}/"}, effects, lambda _shown: (host,))

    def _change(self, key: str) -> Call:
        # A second change would have a later time.
        effects = ONE_ROW_OF.format("campaigns_campaign", "name") + " AND updated_at = %s"
        path = f"/campaigns/{self._campaign('before').pk}"
        return Call(key, "PATCH", path, {"name": key}, effects, lambda shown: (key, shown["updated_at"]))

    def _deletion(self, key: str) -> Call:
        contact_id = self._contact(key)
        effects = ONE_ROW_OF.format("campaigns_contact", "id") + " AND deleted_at IS NOT NULL"
        return Call(key, "DELETE", f"/contacts/{contact_id}", None, effects, lambda _shown: (contact_id,))

    def _dispatch(self, key: str) -> Call:
        number = int(key.partition("-")[2])
        enroll_contact(self.account, self.campaign.pk, self._contact(key), batch_number=number)
        path, effects = f"/campaigns/{self.campaign.pk}/dispatch", ONE_ROW_OF.format("campaigns_batch", "number")
        effects += " AND released_at IS NOT NULL AND %s = 1"
        return Call(key, "POST", path, {"batch_number": number}, effects, lambda shown: (number, shown["released"]))

    def _api_key(self, key: str) -> Call:
        effects = ONE_ROW_OF.format("accounts_apikey", "label") + " AND prefix = %s"
        return Call(key, "POST", "/api_keys", {"label": key}, effects, lambda shown: (key, shown["plaintext"][:12]))

    def _signup(self, key: str) -> Call:
        body = {"email": f"{key}@tenant.example", "name": key}
        return Call(key, "POST", "/signup", body, ONE_ROW_OF.format("accounts_account", "name"), lambda _shown: (key,))

    def _rotation(self, key: str) -> Call:
        endpoint = create_endpoint(self.account, "https://1.0.0.1/")
        # A second rotation would have a later time.
        effects = ONE_ROW_OF.format("events_webhookendpoint", "id") + " AND updated_at = %s"
        path = f"/webhooks/{endpoint.pk}/rotate_secret"
        return Call(key, "POST", path, None, effects, lambda shown: (endpoint.pk, shown["updated_at"]))

    def _contact(self, key: str) -> uuid.UUID:
        contact = NewContact(parse_address(f"{key}@people.example"))
        imported = import_contacts(self.account, "people", [contact]).contact_import
        found: uuid.UUID = imported.contacts.get().pk
        return found

    def _campaign(self, name: str) -> Campaign:
        mailbox = CredentialEntry(
            {
                "smtp_host": "127.0.0.1",
                "smtp_port": 2525,
                "smtp_username": name,
                "smtp_password": "a password for loopback",
                "from_email": "sender@sender.example",
                "daily_limit": 1_000,
            }
        )
        return create_campaign(
            self.account, {"name": name}, [{"subject": "Step", "body_text": "Step"}], [mailbox]
        ).campaign


@dataclass
class Siege:
    """What befalls the server while a crowd makes its calls. With `time_flies`, marks that nobody holds expire soon."""

    lab: Lab
    crowd: Crowd
    time_flies: bool

    def begin(self, part: str) -> None:
        """Let the crowd in, and kill a part of the server while calls hang between their mark and their end."""
        with suppress(psycopg.OperationalError), psycopg.connect(self.lab.database_url) as database:
            # Nothing that names an account can be written meanwhile.
            database.execute("SELECT FROM accounts_account FOR UPDATE")
            self.crowd.start()
            self.lab.wait_for("calls hang", f"SELECT count(*) > 0 FROM ({HELD}) AS held", SECONDS)
            self._kill(part)
        self._revive(part)

    def go_on(self, part: str) -> None:
        """Kill another part when half of the calls are answered, and wait for the rest."""
        self._await_answered(self.crowd.wanted // 2)
        self._kill(part)
        self._revive(part)
        self._await_answered(self.crowd.wanted)
        self.lab.note(self.crowd.report())

    def _await_answered(self, count: int) -> None:
        wait_for(f"{count} calls are answered", lambda: self._has(count), SECONDS, self._report)

    def _has(self, count: int) -> bool:
        if self.time_flies:
            self.lab.ask(EXPIRE)
        return self.crowd.answered >= count

    def _report(self) -> str:
        return f"{self.crowd.report()}\n{self.lab.report()}"

    def _kill(self, part: str) -> None:
        self.lab.note(f"{part} dies; {self.crowd.report()}")
        web = self.lab.programs["web"]
        assert web.pid is not None
        if part == POSTGRES:
            self.lab.servers.postgres.stop("immediate")
        elif part == WEB:
            self.lab.kill("web")
        else:
            os.kill(descendants(web.pid)[0], signal.SIGKILL)

    def _revive(self, part: str) -> None:
        if part == POSTGRES:
            self.lab.servers.postgres.start()
        elif part == WEB:
            self.lab.programs["web"].start()
            self.lab.programs["web"].await_ready()
        else:
            wait_for("another serves", lambda: web_answers(self.lab.web_port), SECONDS, self._report)


def besiege(lab: Lab, town: Town, calls: list[Call], *, clients: int, parts: tuple[str, str], time_flies: bool) -> None:
    """So many clients make these calls, and two parts of the server are killed; every key has had one effect."""
    with Crowd(lab.web_port, town.key, calls, clients) as crowd:
        siege = Siege(lab, crowd, time_flies)
        siege.begin(parts[0])
        siege.go_on(parts[1])
    assert [problem for call in calls for problem in problems_of(lab, town, call, crowd)] == [], lab.report()
    assert crowd.unanswered, "no call was hit by a kill"
    assert crowd.statuses[409], "no two calls met"


def start_town(start_lab: StartLab) -> tuple[Lab, Town]:
    """A lab that only serves the API, and its account."""
    lab = start_lab(workers=0, beats=0, settings=SETTINGS)
    with lab.django():
        return lab, Town(create_account("owner@tenant.example", "Repeaters"))


def problems_of(lab: Lab, town: Town, call: Call, crowd: Crowd) -> list[str]:
    """What is wrong with a call that everybody made."""
    replies = crowd.replies[call.key]
    first, problems = replies[0], []
    if len(set(replies)) != 1 or not 200 <= first.status < 300:
        problems.append(f"{call}: {set(replies)}")
    elif (effects := lab.ask(call.effects, *call.facts(first.shown))) != [(1,)]:
        problems.append(f"{call}: {effects} effects")
    if sum(not reply.is_replayed for reply in replies) > 1:
        problems.append(f"{call}: carried out more than once")
    other = call.make(lab.web_port, town.key, {"other": "body"})
    if other is None or (other.status, other.shown["code"]) != (422, "unprocessable"):
        problems.append(f"{call}: another body is answered by {other}")
    return problems


def test_repeated_calls_have_one_effect_amid_kills(start_lab: StartLab) -> None:
    lab, town = start_town(start_lab)
    with lab.django():
        calls = list(islice(town.calls(), 18))
    besiege(lab, town, calls, clients=10, parts=(WEB, CHILD), time_flies=True)
    print("\n".join(lab.happened))


@pytest.mark.faults_long
def test_50_clients_repeat_200_calls_amid_kills(start_lab: StartLab) -> None:
    lab, town = start_town(start_lab)
    with lab.django():
        calls = list(islice(town.calls(), 200))
    for number, parts in enumerate([(WEB, CHILD), (CHILD, WEB), (POSTGRES, WEB), (CHILD, CHILD), (WEB, POSTGRES)] * 2):
        share = calls[number * 20 : number * 20 + 20]
        # One minute is a true one.
        besiege(lab, town, share, clients=50, parts=parts, time_flies=number > 0)
    print("\n".join(lab.happened))
