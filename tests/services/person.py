"""A person with a name that nobody else has, led through every flow that can hold something about them.

Every word that is theirs holds the canary. `facts` are the words that an export must hold.
"""

import base64
import hashlib
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from ampout.api.admin.columns import change_url, list_url
from ampout.events.gateways.webhook_call import CallResult
from ampout.events.rules.retry import Answer
from ampout.events.services import claim as webhook_claim
from ampout.events.services import loops
from ampout.events.services.claim import WebhookCall
from ampout.events.services.fan_out import fan_out
from ampout.events.services.outcomes import Outcome, record_outcomes
from ampout.lib import dice
from campaigns.models import Campaign, Contact
from dispatch.models import Message
from dispatch.rules.hits import HitKind
from dispatch.services import notices, test_send, tracking
from dispatch.services.claim import Claim
from dispatch.services.tracking import Visitor
from dispatch.services.unsubscribe import make_token, unsubscribe_by_token
from tests import factories
from tests.conftest import ApiClient
from tests.services import mails
from tests.services.desk import Desk, S, message_of

CANARY = "ziesel"
ADDRESS = "Kanari.Ziesel@Zieselhaus.example"
STRANGER = "list@strange.example"

FIELDS = {
    "email": ADDRESS,
    "first_name": "Zieselinde",
    "last_name": "Zieselfräulein",
    "company": "Zieselwerke & Söhne",
    "source": "Zieselmesse",
    "lawful_basis": "Zieselwunsch",
    "dog": "Zieselhund",
}


@dataclass
class Person:
    """The person's life in one account, by the real services. `say` registers a word that the export must hold."""

    desk: Desk
    api: ApiClient
    facts: set[str] = field(default_factory=set)
    sent: dict[str, Claim] = field(default_factory=dict)
    in_flight: list[WebhookCall] = field(default_factory=list)

    def say(self, word: str) -> str:
        """A word of theirs, unlike any other."""
        self.facts.add(f"Ziesel{word}")
        return f"Ziesel{word}"

    @property
    def contact(self) -> Contact:
        """The contact, as it is now."""
        found: Contact = Contact.objects.of(self.desk.account).exclude(first_name="Bystander").get()
        return found

    def message(self, name: str) -> Message:
        """The message that was sent under this name."""
        return message_of(self.sent[name])

    # -- Coming in

    def come_in(self) -> None:
        """Imported as JSON, known again in a file with rows that cannot be used, and changed under a key."""
        self.facts |= set(FIELDS.values())
        rows = [{**FIELDS}]
        answer = self.api.post("/contact_imports", {"name": "Fair", "contacts": rows}, idempotency_key="import-1")
        assert answer.json()["record_count"] == 1, answer.json()
        bad = f"email,first_name\n{ADDRESS},Zieselinde\n{ADDRESS}@x,Zieselinde\nZieselzelle,a\tb{CANARY}\n"
        file = SimpleUploadedFile("people.csv", bad.encode())
        answer = self.api.upload("/contact_imports", {"file": file}, idempotency_key="import-2")
        assert answer.json()["error_count"] == 2, answer.json()
        change = {"company": FIELDS["company"]}
        assert self.api.patch(f"/contacts/{self.contact.pk}", change, idempotency_key="patch-1").status_code == 200

    # -- Being written to

    def be_written_to(self) -> None:
        """Five sequences and a test send; the servers' answers repeat the address."""
        names = ("read", "late_yes", "late_no", "decided", "refused")
        campaigns = {name: self.desk.campaign(steps=2) for name in names}
        for campaign in campaigns.values():
            factories.enroll(campaign, self.contact)
        bystander = factories.make_contact(self.desk.account, "bystander@elsewhere.example", first_name="Bystander")
        factories.enroll(campaigns["read"], bystander)
        for campaign in campaigns.values():
            self.desk.release(campaign)
        self.desk.tick()
        by_name: dict[uuid.UUID | None, str] = {campaign.pk: name for name, campaign in campaigns.items()}
        for claimed in self.desk.claim():
            message = message_of(claimed)
            name = by_name[message.campaign_id] if message.contact_id == self.contact.pk else "bystander"
            self.sent[name] = claimed
        for name in ("read", "bystander"):
            word = self.say("antwort") if name == "read" else "fine"
            self._send(name, S.ACCEPTED, reply_text=f"250 2.1.5 <{ADDRESS}> {word}" if name == "read" else "250 ok")
        for name in ("late_yes", "late_no", "decided"):
            self._send(name, S.UNKNOWN, reply_text="")
        self.desk.wire(self.sent["refused"])
        assert self.desk.bounce(self.sent["refused"], f"550 5.1.1 <{ADDRESS}> {self.say('absage')}")
        self._test_send(campaigns["read"])

    def _send(self, name: str, state: S, **facts: Any) -> None:
        subject = "Hello Bystander" if name == "bystander" else f"Hello {FIELDS['first_name']}"
        self.desk.send(self.sent[name], state=state, subject=subject, **facts)

    def _test_send(self, campaign: Campaign) -> None:
        address = f"other.{CANARY}@zieselhaus.example"
        factories.make_contact(self.desk.account, address, first_name="Bystander")
        test_send.send_test(self.desk.account, campaign.pk, [address], self.contact.pk, now=self.desk.now)
        Contact.objects.of(self.desk.account).filter(email=address).delete()
        self.desk.tick()
        for claimed in self.desk.claim():
            if message_of(claimed).stream == "test":
                self.desk.send(claimed, subject=f"Hello {FIELDS['first_name']}", reply_text=f"250 <{address}>")

    # -- What comes back

    def answer(self) -> None:
        """Everything that can come back about them: mails of theirs and about them, calls, opens and clicks."""
        message = self.message("read")
        address = ADDRESS
        self.mail(mails.auto_reply(message).replace(b"I am out", f"{self.say('urlaub')} I am out".encode()))
        self.mail(mails.reply(message, body=f"{self.say('satz')}, call me.\n"))
        self.mail(mails.bounce(message, diagnostic=f"550 5.1.1 <{address}> {self.say('zustellung')}"))
        self.mail(self._stray())
        self.mail(self._colleague())
        self.call(message, event="spam", id="1", note=self.say("beschwerde"))
        self.call(
            message, **{"message-id": "<nobody@strange.example>"}, event="bounce", id="2", note=self.say("irrlauf")
        )
        self.read(self.say("browser"), self.say("ziel"))
        assert unsubscribe_by_token(make_token(message.pk), now=self.desk.now)

    def mail(self, raw: bytes) -> None:
        """A mail comes into the mailbox that the read message left through, and is judged."""
        message = self.message("read")
        assert message.credential_id is not None
        assert notices.store_mail(message.credential_id, message.account_id, raw, received_at=self.desk.now)
        assert notices.process_due(now=self.desk.now) == 1

    def call(self, message: Message, **fields: str) -> None:
        """SMTP2GO calls about a message, or about nothing of ours."""
        assert message.credential is not None
        hook = factories.make_hook(message.credential, provider="smtp2go") if not self._hook(message) else None
        facts = {"rcpt": ADDRESS, "message-id": message.message_id, "bounce": "soft", "message": f"no <{ADDRESS}>"}
        body = json.dumps(facts | fields).encode()
        stored = notices.store_call(
            hook or self._hook(message), body, hashlib.sha256(body).digest(), received_at=self.desk.now
        )
        assert stored
        assert notices.process_due(now=self.desk.now) == 1

    def _hook(self, message: Message) -> Any:
        assert message.credential is not None
        return message.credential.provider_hooks.first()

    def _stray(self) -> bytes:
        """A mail that is about nothing of ours: its headers name the person."""
        word = self.say("verteiler")
        return mails.mail(f"From: {STRANGER}", f"To: {word} <{ADDRESS}>", f"Subject: {word}", body=f"{word}\n")

    def _colleague(self) -> bytes:
        """Somebody else's answer that names them, in a body that has to be decoded."""
        text = base64.b64encode(f"Write to {ADDRESS} instead, please.\n".encode()).decode()
        raw = mails.reply(self.message("bystander"), body=text)
        return raw.replace(b"MIME-Version: 1.0", b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64")

    def read(self, agent: str, target: str) -> None:
        """They open a message and follow a link."""
        visitor = Visitor("GET", user_agent=f"Mozilla/5.0 {agent}", network="198.51.100.0/24")
        pk = self.message("read").pk
        tracking.record_hit(HitKind.OPEN, pk, visitor, now=self.desk.now)
        tracking.record_hit(HitKind.CLICK, pk, visitor, target=f"https://x.example/{target}", now=self.desk.now)

    # -- What is told of them

    def be_told_of(self) -> None:
        """A receiver of webhooks repeats what it is told; one call is under way when this returns."""
        *heard, under_way = self.calls()
        self.in_flight = [under_way]
        self.hear(heard)

    def calls(self) -> list[WebhookCall]:
        """The calls that are due now."""
        fan_out(now=self.desk.now)
        loop = loops.start_loop(f"loop {uuid.uuid4()}")
        assert loop is not None
        due: list[WebhookCall] = []
        facts: dict[str, Any] = {"now": self.desk.now, "limit": 9}
        claimed = [webhook_claim.claim_endpoints(loop, failing=failing, **facts) for failing in (False, True)]
        for endpoint in claimed[0] + claimed[1]:
            due += webhook_claim.next_turn(loop, endpoint, now=self.desk.now, limit=99).calls
            webhook_claim.release_endpoints(loop, [endpoint], now=self.desk.now)
        return due

    def hear(self, calls: list[WebhookCall]) -> None:
        """The receiver fails, and repeats the body."""
        outcomes = [
            Outcome(
                *(one.delivery_id, one.endpoint_id, one.number, self.desk.now, self.desk.now),
                CallResult(Answer(500), error="The receiver answered 500.", excerpt=one.body.decode()[:1_000]),
            )
            for one in calls
        ]
        record_outcomes(outcomes, rng=dice.new_rng())

    def be_looked_at(self) -> None:
        """An operator decides about one of their messages, by the admin."""
        client = Client()
        client.force_login(User.objects.create_superuser("olga"))
        message = self.message("decided")
        chosen = {"_selected_action": [str(message.pk)], "action": "count_as_sent"}
        assert client.post(list_url(Message), chosen, follow=True).status_code == 200
        assert LogEntry.objects.get().object_id == str(message.pk)
        for record in (message, self.contact):
            assert client.get(change_url(record)).status_code == 200

    # -- Later

    def come_late(self) -> None:
        """What comes in after the erasure."""
        desk, message = self.desk, self.message("read")
        words = f"<{ADDRESS}> Zieselspät"
        desk.settle(self.sent["late_yes"], S.ACCEPTED, reply_text=f"250 {words}", subject="Hello Zieselinde")
        desk.bounce(self.sent["late_no"], f"550 5.1.1 {words}")
        self.hear(self.in_flight)
        raw = mails.reply(message, from_email=ADDRESS, body="Zieselnachtrag\n")
        self.mail(raw)
        self.mail(mails.reply(message, from_email=ADDRESS, refers=False, body="Zieselnachwort\n"))
        self.mail(mails.bounce(message, recipient=ADDRESS, diagnostic=f"550 5.1.1 {words}"))
        self.mail(mails.auto_reply(message).replace(b"<>", f"<{ADDRESS}>".encode()))
        self.mail(self._stray())
        self.mail(self._colleague())
        self.call(message, event="spam", id="3")
        self.call(message, **{"message-id": "<nobody@strange.example>"}, event="bounce", id="4")
        self.read("Zieselbrowser", "Zieselziel")
        self.hear(self.calls())
