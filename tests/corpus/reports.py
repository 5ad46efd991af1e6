"""Complaints and refusals that Dovecot's Sieve sends, and what people write: answers, requests to be removed."""

import email
import email.policy
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import EmailMessage
from pathlib import Path

from tests.corpus.faults import Case, Truth
from tests.corpus.lab import Machine
from tests.corpus.servers import add_person

REQUESTS = Path(__file__).parent / "requests.toml"
ANSWERS = Path(__file__).parent / "answers.toml"
CHARSETS = {"de": "iso-8859-1", "es": "iso-8859-15", "cs": "iso-8859-2", "ru": "koi8-r", "bg": "windows-1251"}
"""What some people's programs write; the others write UTF-8."""

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
class Letter:
    """What a person writes to the sender of `case`, as a mail program sends it."""

    language: str
    message: bytes
    case: Case


def letters() -> list[Letter]:
    """All of them: requests to be removed from 451 on, answers from 601 on."""
    asked = tomllib.loads(REQUESTS.read_text(encoding="utf-8"))["request"]
    said = tomllib.loads(ANSWERS.read_text(encoding="utf-8"))["answer"]
    wishes = [
        _letter(
            Case("postfix", "request to be removed", (), kind="unsubscribe", source=one["source"], number=number), one
        )
        for number, one in enumerate(asked, 451)
    ]
    answers = [
        _letter(
            Case("postfix", f"answer {one['language']}", (), kind="reply", source=one["source"], number=number), one
        )
        for number, one in enumerate(said, 601)
    ]
    return wishes + answers


def _letter(case: Case, text: Mapping[str, str]) -> Letter:
    """Every second answer quotes what it answers."""
    language = text.get("language", "")
    ours = email.message_from_string(case.message())
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["From"] = "Maria Lopez <maria@postfix.example>"
    mail["To"] = case.sender
    mail["Subject"] = text.get("subject", f"Re: {make_header(decode_header(ours['Subject']))}")
    mail["Message-ID"] = f"<r{case.number}@postfix.example>"
    mail["Date"] = "Sun, 22 Nov 2026 09:00:00 +0000"
    if str(mail["Subject"]).startswith("Re:"):
        mail["In-Reply-To"] = ours["Message-ID"]
    quoted = "".join(f"> {line}\n" for line in str(ours.get_payload()).splitlines())
    body = text["body"] + (f"\n{quoted}" if language and case.number % 2 else "")
    mail.set_content(
        body, charset=CHARSETS.get(language, "utf-8"), cte="base64" if language == "ru" else "quoted-printable"
    )
    return Letter(language, mail.as_bytes(policy=email.policy.SMTP.clone(linesep="\n")), case)
