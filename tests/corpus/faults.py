"""The faults: who is written to through which server, what is wrong there, and so what a notice has to say."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path

from tests.corpus.internet import Reply

ORIGINS = ("postfix", "exim", "sendmail", "opensmtpd", "courier")
REPLIES = Path(__file__).parent / "replies.toml"
SUBJECTS = (
    "A question about your roadmap",
    "=?UTF-8?Q?Gr=C3=BC=C3=9Fe_aus_M=C3=BCnchen?=",
    "Re: the numbers for spring",
    "=?UTF-8?B?5pil44Gu44GU5o+Q5qGI?=",
    "=?ISO-8859-1?Q?Proposition_pour_l=27=E9t=E9?=",
    "Quick follow-up",
)
LOOP = ("looper@postfix.example", "looper@exim.example")
"""A message to any looper goes to and fro between these."""
LINE = "We build schedules for small workshops, and would like to hear how you plan yours.\n"


@dataclass(frozen=True, slots=True)
class Truth:
    """One recipient that fails: the address that was written to, whether for good, and other names it has."""

    address: str
    hard: bool
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One message sent through `origin`, those of its recipients that fail, and what is asked of the servers.

    `wait` says when the notice is due: at once, or after the message has been late and then too late.
    `kind` is what the notice is if it is none of those.
    """

    origin: str
    fault: str
    failing: tuple[Truth, ...]
    reached: tuple[str, ...] = ()
    wait: bool = False
    kind: str = "bounce"
    source: str = ""
    lines: int = 4
    mail_options: tuple[str, ...] = ()
    rcpt_options: tuple[str, ...] = ()
    number: int = 0

    @property
    def sender(self) -> str:
        """The address that the notice comes to."""
        return f"anna.{self.number}@outreach.example"

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everyone it is sent to."""
        return (*(truth.address for truth in self.failing), *self.reached)

    def message(self) -> str:
        """The message itself; where several get it, its header names none of them."""
        to = self.recipients[0] if len(self.recipients) == 1 else "undisclosed-recipients:;"
        # Sieve's vacation answers nothing that names a list.
        listed = f"List-Unsubscribe: <mailto:{self.sender}?subject=unsubscribe>\n" if self.kind != "auto_reply" else ""
        return (
            f"From: Anna Beck <{self.sender}>\nTo: {to}\nSubject: {SUBJECTS[self.number % len(SUBJECTS)]}\n"
            f"Message-ID: <{self.number}.6f1d2c@outreach.example>\nDate: Sun, 22 Nov 2026 08:00:00 +0000\n"
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 7bit\n"
            f"{listed}\nHello,\n\n{LINE * self.lines}\nKind regards\nAnna\n"
        )


def documented() -> Iterator[tuple[str, Reply, Truth, str, bool]]:
    """Of each documented reply: the domain that gives it, the reply, the truth, the source, and whether it is later."""
    for provider in tomllib.loads(REPLIES.read_text(encoding="utf-8"))["provider"]:
        for index, known in enumerate(provider["replies"], 1):
            lines = known["text"].split("|")
            domain = f"{provider['name']}-{index}.example"
            reply = Reply(known.get("stage", "rcpt"), int(lines[0][:3]), tuple(line[4:] for line in lines))
            truth = Truth(f"maria.lopez{index}@{domain}", known.get("hard", False))
            yield domain, reply, truth, provider["source"], reply.code < 500


def cases() -> list[Case]:
    """All of them, numbered."""
    made = [*_documented_cases(), *_real_cases(), *_local_cases(), *_late_cases(), *_reports(), *_simple_cases()]
    return [replace(case, number=number) for number, case in enumerate(made, 101)]


def _documented_cases() -> Iterator[Case]:
    origins = cycle((*ORIGINS, "postfix", "exim", "dma"))
    late = cycle(ORIGINS)
    for domain, _, truth, source, later in documented():
        hdrs = ("RET=HDRS",) if truth.hard and len(domain) % 2 else ()
        origin = next(late if later else origins)
        yield Case(origin, f"documented reply of {domain}", (truth,), wait=later, source=source, mail_options=hdrs)


def _real_cases() -> Iterator[Case]:
    names = cycle(("john.smith", "k.tanaka", "info-desk", "o'brien", "p.nowak+news", "First.Last"))
    for origin in ORIGINS:
        for target in (*ORIGINS, "dovecot"):
            if target != origin:
                failing = (Truth(f"{next(names)}@{target}.example", hard=True),)
                yield Case(origin, f"user unknown at {target}", failing)
        for target in ("exim", "sendmail"):
            if origin not in ("exim", "sendmail"):
                big = (Truth(f"alice@{target}.example", hard=False),)
                yield Case(origin, f"too large for {target}", big, lines=160)
        yield Case(origin, "mailbox full at dovecot", (Truth("full@dovecot.example", hard=False),))
        relayed = (Truth("someone@elsewhere.example", hard=False),)
        yield Case(origin, "relaying denied at exim", relayed, wait=origin == "exim")  # Exim sees itself there
        yield Case(origin, "no such domain", (Truth("sales@nowhere.example", hard=True),))
        unsure = origin == "opensmtpd"  # it takes the absence of an MX for a passing fault
        yield Case(origin, "null MX (RFC 7505)", (Truth("sales@nullmx.example", hard=True),), wait=unsure)
        bare = (Truth("sales@bare.example", hard=True),)
        yield Case(origin, "domain without MX and address", bare, wait=unsure)
        mixed = (Truth("john.smith@exim.example", hard=True), Truth("sales@nowhere.example", hard=True))
        full = Truth("full@dovecot.example", hard=False)
        yield Case(origin, "three recipients, two fail", mixed, reached=("alice@sendmail.example",))
        yield Case(origin, "three recipients of three domains fail", (*mixed, full), mail_options=("RET=HDRS",))
        two = (Truth("tom@postfix.example", hard=True), Truth("eva@postfix.example", hard=True))
        yield Case(origin, "two recipients of one domain fail", two, lines=40)
        original = ("ORCPT=rfc822;Jane.Doe@exim.example",)
        yield Case(origin, "user unknown, ORCPT", (Truth("jane.doe@exim.example", hard=True),), rcpt_options=original)


def _local_cases() -> Iterator[Case]:
    for origin in ORIGINS:
        domain = f"{origin}.example"
        yield Case(origin, "local user unknown", (Truth(f"nemo@{domain}", hard=True),))
        forwarded = Truth(f"forward@{domain}", hard=True, also=("gone.person@exim.example",))
        if origin != "exim":
            yield Case(origin, "forwarded to a user unknown at exim", (forwarded,))
        team = Truth(f"team@{domain}", hard=True, also=("gone@nowhere.example", "someone@unknown.postfix.example"))
        yield Case(origin, "alias of which two members fail", (team,))
        if origin != "courier":
            yield Case(origin, "delivery to a failing program", (Truth(f"piped@{domain}", hard=False),))
        yield Case(origin, "forwarding loop", (Truth(f"looper@{domain}", hard=False, also=LOOP),))
    yield Case("postfix", "local mailbox full", (Truth("full@postfix.example", hard=False),))
    yield Case("exim", "address made to fail (:fail:)", (Truth("left@exim.example", hard=True),))


def _late_cases() -> Iterator[Case]:
    for origin in ORIGINS:
        yield Case(origin, "connection refused", (Truth("office@refusing.example", hard=False),), wait=True)
        yield Case(origin, "host down", (Truth("office@dead.example", hard=False),), wait=True)
        yield Case(origin, "name server fails", (Truth("office@servfail.example", hard=False),), wait=True)
        both = (Truth("office@refusing.example", hard=False), Truth("hr@dead.example", hard=False))
        yield Case(origin, "two hosts that do not answer", both, wait=True)
    yield Case("postfix", "TLS required, not offered", (Truth("alice@wants-tls.example", hard=False),), wait=True)
    yield Case("exim", "local mailbox full", (Truth("full@exim.example", hard=False),), wait=True)
    yield Case("exim", "address made to wait (:defer:)", (Truth("busy@exim.example", hard=False),), wait=True)


def _reports() -> Iterator[Case]:
    for origin in ORIGINS:
        success = ("NOTIFY=SUCCESS",)
        relayed = ("alice@google-ok.example",)
        yield Case(origin, "relayed, NOTIFY=SUCCESS", (), reached=relayed, kind="machine", rcpt_options=success)
        local = (f"alice@{origin}.example",)
        yield Case(origin, "delivered, NOTIFY=SUCCESS", (), reached=local, kind="machine", rcpt_options=success)


def _simple_cases() -> Iterator[Case]:
    for origin in ("dma", "nullmailer"):
        yield Case(origin, "user unknown at exim", (Truth("john.smith@exim.example", hard=True),))
        yield Case(origin, "relaying denied at exim", (Truth("someone@elsewhere.example", hard=False),))
    yield Case("dma", "mailbox full at dovecot", (Truth("full@dovecot.example", hard=False),))
    yield Case("dma", "no such domain", (Truth("sales@nowhere.example", hard=True),))
    yield Case("dma", "user unknown at postfix", (Truth("tom@postfix.example", hard=True),), lines=40)
    unicode = Truth("jörg@postfix.example", hard=True)
    yield Case("exim", "internationalized address unknown at postfix", (unicode,), mail_options=("SMTPUTF8",))
    local = Truth("jürgen@exim.example", hard=True)
    yield Case("postfix", "internationalized address unknown at exim", (local,), mail_options=("SMTPUTF8",))
    yield Case("courier", "internationalized address unknown at exim", (local,), mail_options=("SMTPUTF8",))
    asked = Truth("zoë@sendmail.example", hard=False)
    yield Case("postfix", "SMTPUTF8 not offered", (asked,), mail_options=("SMTPUTF8",))
