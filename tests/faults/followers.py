"""Follows the SMTP server's log and does what each person does about what arrived: writes back, leaves, complains."""

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import format_datetime
from typing import Self
from urllib.parse import urlsplit

from ampout.lib import clock
from credentials.models import SmtpCredential
from dispatch.models import Message
from tests.faults.client import Client, Stopped
from tests.faults.history import Kind, Recorder
from tests.faults.lab import Lab
from tests.faults.people import Fate, Person, read_name
from tests.faults.tenants import Sender, Tenant
from tests.peers.oracle_log import Entry
from tests.services import mails

LOOK_SECONDS = 0.05
CLICKS_AT_ONCE = 4
ONE_CLICK = "/u/"
TWICE, SPAM, RENUMBERED = 8, 5, 25
"""Every so-many-th mail lies there twice, is put among spam, or is followed by a renumbering of its mailbox."""


class Followers:
    """All people, in a thread; a context manager. `is_idle` tells when they have done all they will do."""

    def __init__(self, lab: Lab, recorder: Recorder, tenants: Sequence[Tenant], seed: int) -> None:
        self.lab = lab
        self.acts: Counter[str] = Counter()
        self._recorder = recorder
        self._senders = {sender.login: (tenant, sender) for tenant in tenants for sender in tenant.senders}
        self._rng = random.Random(f"{seed} followers")
        self._seen: Counter[tuple[str, str]] = Counter()
        self._read = 0
        self._ended = threading.Event()
        self._problems: list[BaseException] = []
        self._clicks = ThreadPoolExecutor(CLICKS_AT_ONCE, "one click")
        self._clicking = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="followers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join(60)
        self._clicks.shutdown(cancel_futures=True)

    @property
    def is_idle(self) -> bool:
        """Whether everything that arrived was acted upon. Raises what went wrong in a thread."""
        if self._problems:
            raise self._problems[0]
        path = self.lab.oracle_path
        # In this order: a click is counted before the line that asks for it counts as read.
        return (not path.exists() or self._read == path.stat().st_size) and not self._clicking

    def _run(self) -> None:
        try:
            while not self._ended.wait(LOOK_SECONDS):
                self._look()
        except BaseException as problem:  # raised again in the main thread
            self._problems.append(problem)

    def _look(self) -> None:
        if not self.lab.oracle_path.exists():
            return
        with self.lab.oracle_path.open("rb") as log:
            log.seek(self._read)
            lines = log.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self._receive(json.loads(line))
        self._read += len(whole)

    def _receive(self, entry: Entry) -> None:
        person = read_name(entry["recipient"])
        tenant, sender = self._senders[entry["login"]]
        self._seen[tenant.letter, entry["recipient"]] += 1
        if person is None or tenant.letter not in person.towards:
            return
        if self._seen[tenant.letter, entry["recipient"]] == person.step and person.fate is not Fate.NOTHING:
            self.acts[person.fate] += 1
            self._act(person, entry, tenant, sender)

    def _act(self, person: Person, entry: Entry, tenant: Tenant, sender: Sender) -> None:
        if person.fate is Fate.LEAVES:
            with self._lock:
                self._clicking += 1
            self._clicks.submit(self._leave, entry, tenant)
            return
        behaviour, raw = _mail(person.fate, entry, sender)
        copies = 2 if self._rng.randrange(TWICE) == 0 else 1
        for _ in range(copies):
            sender.postbox.put(raw, "Spam" if self._rng.randrange(SPAM) == 0 else "INBOX")
        self._recorder.note(
            Kind.MAILED,
            account=tenant.account_id,
            mailbox=sender.login,
            behaviour=behaviour,
            fate=person.fate.value,
            hard=person.fate is Fate.BOUNCES,
            message_id=entry["message_id"],
            recipient=entry["recipient"],
            copies=copies,
        )
        if self._rng.randrange(RENUMBERED) == 0:
            self._renumber(sender)

    def _renumber(self, sender: Sender) -> None:
        self.acts["renumbered"] += 1
        validity = sender.postbox.renumber()
        self._recorder.note(
            Kind.STRIKE, action="renumber", target=sender.login, detail=f"UIDVALIDITY {validity}", in_doubt=0
        )

    def _leave(self, entry: Entry, tenant: Tenant) -> None:
        """The one click of the mail's header (RFC 8058)."""
        try:
            path = urlsplit(entry["unsubscribe"]).path
            answer = Client(self.lab.web_port, "", self._ended).call("POST", path)
            assert answer.is_good, f"one click was answered {answer.status}"
            self._recorder.note(
                Kind.STOPPED,
                account=tenant.account_id,
                contact=entry["recipient"],
                reason="unsubscribed",
            )
        except Stopped:
            pass
        except BaseException as problem:  # raised again in the main thread
            self._problems.append(problem)
        finally:
            with self._lock:
                self._clicking -= 1


def _mail(fate: Fate, entry: Entry, sender: Sender) -> tuple[str, bytes]:
    """What the history calls it, and its bytes."""
    credential = SmtpCredential(from_email=sender.email)
    message = Message(message_id=entry["message_id"], recipient=entry["recipient"], credential=credential)
    behaviour, write = _MAILS[fate]
    now = format_datetime(clock.utc_now())
    return behaviour, write(message).replace(mails.DATE.encode(), now.encode())


def _returned(message: Message) -> bytes:
    return mails.bounce(message, status="5.7.1", diagnostic="550 5.7.1 Message content rejected")


_MAILS: dict[Fate, tuple[str, Callable[[Message], bytes]]] = {
    Fate.REPLIES: ("reply", mails.reply),
    Fate.IS_AWAY: ("absence", mails.auto_reply),
    Fate.BOUNCES: ("bounce", mails.bounce),
    Fate.RETURNS: ("bounce", _returned),
    Fate.COMPLAINS: ("complaint", mails.complaint),
}
