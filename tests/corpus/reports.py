"""Complaints and refusals that Dovecot's Sieve sends, and requests to be removed that a person's program sends."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.corpus.faults import Case, Truth
from tests.corpus.lab import Machine
from tests.corpus.servers import add_person

REQUESTS = Path(__file__).parent / "requests.toml"

# The words are those of the examples in the specification of the extension and in RFC 5429.
SPECIFICATION = "vnd.dovecot.report (spec-bosch-sieve-report), an example"
COMPLAINTS = (
    ("abuse", ":headers_only ", "This message is spam!"),
    ("abuse", "", "This message is spam!"),
    ("fraud", ":headers_only ", "This message is spam!"),
    ("fraud", "", "This message is spam!"),
    ("virus", ":headers_only ", "This message is spam!"),
    ("other", "", "This message is spam!"),
    ("other", ":headers_only ", "This message is spam!"),
    ("abuse", ":headers_only ", "Report by the user"),
)
REFUSALS = (
    "I am not taking mail from you, and I don't want your birdseed, either!",
    "Your message is too big.  If you want to send me a big attachment, put it on a public web site.",
)


@dataclass(frozen=True, slots=True)
class Scripted:
    """A person at Dovecot whose Sieve script answers our message."""

    script: str
    case: Case

    def set_up(self, machine: Machine) -> None:
        """Install the script."""
        user = self.case.recipients[0].partition("@")[0]
        machine.write(f"/vmail/{user}.sieve", self.script)
        add_person(machine, user)


def scripted() -> Iterator[Scripted]:
    """All of them, numbered from 401."""
    for number, (kind, option, words) in enumerate(COMPLAINTS, 401):
        address = f"r{number}@dovecot.example"
        fault = f"complaint {kind} {option.strip(': ')}".strip()
        case = Case("dovecot", fault, (), (address,), kind="feedback", source=SPECIFICATION, number=number)
        script = f'require "vnd.dovecot.report";\nreport {option}"{kind}" "{words}" "{case.sender}";\n'
        yield Scripted(script, case)
    for number, words in enumerate(REFUSALS, 421):
        truth = Truth(f"r{number}@dovecot.example", hard=False)
        case = Case("dovecot", "refused by Sieve's reject", (truth,), source="RFC 5429, an example", number=number)
        yield Scripted(f'require "reject";\nreject "{words}";\n', case)


@dataclass(frozen=True, slots=True)
class Request:
    """A request to be removed; it is sent to the sender of `case`."""

    subject: str
    body: str
    case: Case

    @property
    def message(self) -> str:
        """The request as a mail program writes it."""
        number = self.case.number
        answers = f"In-Reply-To: <{number}.6f1d2c@outreach.example>\n" if self.subject.startswith("Re:") else ""
        return (
            f"From: Maria Lopez <maria@postfix.example>\nTo: {self.case.sender}\nSubject: {self.subject}\n"
            f"Message-ID: <r{number}@postfix.example>\nDate: Sun, 22 Nov 2026 09:00:00 +0000\n{answers}"
            f"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{self.body}"
        )


def requests() -> list[Request]:
    """All of them, numbered from 451."""
    known = tomllib.loads(REQUESTS.read_text(encoding="utf-8"))["request"]
    return [
        Request(
            one["subject"],
            one["body"],
            Case("postfix", "request to be removed", (), kind="unsubscribe", source=one["source"], number=number),
        )
        for number, one in enumerate(known, 451)
    ]
