"""The two accounts of a fault run, and the world around them: mailboxes, DNS, and who is called about events."""

import contextlib
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ampout.accounts.models import Account
from ampout.accounts.services import create_account, issue_key, update_account
from ampout.events.services.endpoints import create_endpoint
from ampout.lib import clock
from ampout.lib.addresses import parse_address
from campaigns.models import Contact
from campaigns.services.campaigns import CampaignValues, create_campaign
from campaigns.services.enrolment import enroll_import
from campaigns.services.imports import NewContact, import_contacts
from credentials.services import CredentialEntry, CredentialValues
from dispatch.services.lifecycle import release
from tests.faults.lab import Lab
from tests.faults.people import HOME, NO_MAIL
from tests.peers.certificates import Certificates
from tests.peers.chaos_imap import ChaosImap, ImapUser, StoredFolder, StoredMail, running_chaos_imap
from tests.peers.dns_server import DnsServer, running_dns_server
from tests.peers.webhook_sink import WebhookSink, running_webhook_sink
from tests.secrets.canaries import Canary

LETTERS = "ab"
CREDENTIALS = 4
FIRST_NUMBER = 1 << 20
"""The first UID of a mailbox; each renumbering halves it, so that new mails get lower numbers than those seen."""
TIGHT = 10
"""The first credential of an account may begin with every so-many-th person, and never with more."""
DROPPED = 0.15
"""The share of calls that the receivers drop."""
SETTINGS = {
    "POLL_EVERY_SECONDS": "2",
    "RETRY_GIVE_UP_SECONDS": "10",
    "COMPLAINT_RATE_THRESHOLD": "100",
    "TEST_SEND_PER_DAY": "100000",
}


class Postbox:
    """The mailbox of a credential. Whole folders are exchanged, so that no conversation sees half a change."""

    def __init__(self, user: ImapUser) -> None:
        self.user = user
        self._first = FIRST_NUMBER
        self._lock = threading.Lock()
        for name in ("INBOX", "Spam"):
            user.folders[name].uid_next = FIRST_NUMBER

    def put(self, raw: bytes, folder: str) -> None:
        """One more mail."""
        with self._lock:
            kept = self.user.folders[folder]
            mail = StoredMail(kept.uid_next, raw, clock.utc_now())
            self.user.folders[folder] = replace(kept, mails=[*kept.mails, mail], uid_next=kept.uid_next + 1)

    def renumber(self) -> int:
        """A new UIDVALIDITY, under which the same mails have lower UIDs; returns it."""
        with self._lock:
            self._first //= 2
            for name in ("INBOX", "Spam"):
                self.user.folders[name] = self._numbered(self.user.folders[name])
            return self.user.folders["INBOX"].uid_validity

    def _numbered(self, folder: StoredFolder) -> StoredFolder:
        mails = [replace(mail, uid=self._first + number) for number, mail in enumerate(folder.mails)]
        return replace(folder, mails=mails, uid_validity=folder.uid_validity + 1, uid_next=self._first + len(mails))

    @property
    def looks(self) -> int:
        """How often a folder was opened."""
        return len(self.user.heard_of("EXAMINE"))


@dataclass(frozen=True, slots=True)
class Sender:
    """A credential: its id, its address, its mailbox, and the daily limit that it begins with."""

    credential_id: str
    login: str
    email: str
    postbox: Postbox
    limit: int
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tenant:
    """An account with one campaign, released, to all people. `contacts` are ids by address."""

    letter: str
    account_id: str
    campaign_id: str
    batch: int
    key: str = field(repr=False)
    senders: Sequence[Sender]
    contacts: Mapping[str, str]
    hook: str
    hook_secret: str = field(repr=False)

    def canaries(self) -> Iterator[Canary]:
        """What must show up nowhere."""
        yield Canary(f"API key of {self.letter}", self.key)
        yield Canary(f"webhook secret of {self.letter}", self.hook_secret)
        for sender in self.senders:
            yield Canary(f"password of {sender.login}", sender.password)


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside but the SMTP server, which is a process of the lab."""

    imap: ChaosImap
    dns: DnsServer
    sink: WebhookSink

    @property
    def settings(self) -> dict[str, str]:
        """What the programs have to be told of it."""
        return {**SETTINGS, "DNS_SERVERS": self.dns.address}


@contextlib.contextmanager
def running_world(certificates: Certificates) -> Iterator[World]:
    """A world that runs inside the block."""
    with running_chaos_imap(certificates) as imap, running_dns_server() as dns, running_webhook_sink() as sink:
        dns.mx(HOME, f"10 mail.{HOME}.")
        dns.addresses(f"mail.{HOME}", "127.0.0.1")
        dns.null_mx(NO_MAIL)
        yield World(imap, dns, sink)


def seed_tenants(lab: Lab, world: World, people: Sequence[str], steps: int) -> list[Tenant]:
    """Two accounts that write to the same people."""
    with lab.django():
        return [_seed(lab, world, letter, people, steps) for letter in LETTERS]


def _seed(lab: Lab, world: World, letter: str, people: Sequence[str], steps: int) -> Tenant:
    account = create_account(f"owner@{letter}.example", f"Tenant {letter}")
    update_account(account, sender_name=f"Tenant {letter}", postal_address="1 Loopback Lane, Nowhere")
    hook = f"/hooks/{letter}"
    endpoint = create_endpoint(account, world.sink.url(hook))
    world.sink.drop(hook, DROPPED)
    imported = import_contacts(account, "everybody", [NewContact(parse_address(text)) for text in people])
    values = [_mailbox(lab, world, f"{letter}{number}", _limit(number, len(people))) for number in range(CREDENTIALS)]
    created = create_campaign(account, _campaign(), _steps(steps), [CredentialEntry(one) for one in values])
    enrolled = enroll_import(account, created.campaign.pk, imported.contact_import.pk)
    release(account, created.campaign.pk)
    senders = [
        _sender(world, admission.credential.pk, one) for admission, one in zip(created.admissions, values, strict=True)
    ]
    return Tenant(
        letter=letter,
        account_id=str(account.pk),
        campaign_id=str(created.campaign.pk),
        batch=enrolled.batch_numbers[0],
        key=issue_key(account).plaintext,
        senders=senders,
        contacts=_contacts(account),
        hook=hook,
        hook_secret=endpoint.secret,
    )


def _campaign() -> CampaignValues:
    """Without gaps; and health, which has tests of its own, would judge the many strange people."""
    return {
        "name": "faults",
        "min_wait_seconds": 0,
        "max_wait_seconds": 0,
        "bounce_rate_min_sends": 1_000_000,
        "verify_email_mx": True,
    }


def _steps(count: int) -> list[Any]:
    return [
        {"subject": f"Step {number}", "body_html": f"<p>Step {number}</p>", "delay_minutes": 0}
        for number in range(1, count + 1)
    ]


def _limit(number: int, people: int) -> int:
    """In sum too little for everybody: an operator has to raise what may be raised, all but the first."""
    return max(2, people // TIGHT if number == 0 else people // 5)


def _mailbox(lab: Lab, world: World, login: str, limit: int) -> CredentialValues:
    user = world.imap.user(login)
    user.password = secrets.token_urlsafe(18)
    return {
        "label": f"sender {login}",
        "smtp_host": "127.0.0.1",
        "smtp_port": lab.smtp_port,
        "smtp_username": login,
        "smtp_password": user.password,
        "from_name": "Fault Lab",
        "from_email": f"{login}@sender.example",
        "daily_limit": limit,
        "imap_host": "localhost",
        "imap_port": world.imap.port,
        "imap_username": login,
        "imap_password": user.password,
    }


def _sender(world: World, credential_id: object, values: CredentialValues) -> Sender:
    login = values["smtp_username"]
    postbox = Postbox(world.imap.users[login])
    return Sender(
        str(credential_id), login, values["from_email"], postbox, values["daily_limit"], values["smtp_password"]
    )


def _contacts(account: Account) -> dict[str, str]:
    rows = Contact.objects.of(account).values_list("email", "id")
    return {email: str(contact_id) for email, contact_id in rows}
