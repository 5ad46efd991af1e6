"""Servers that misbehave with our secrets: they refuse, hang up or talk rubbish, and echo in every spelling."""

import base64
import html
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from tests.peers.certificates import Certificates
from tests.peers.chaos_behaviours import Action, Kind
from tests.peers.chaos_smtp import ChaosSmtp
from tests.peers.imap_server import ImapScript, running_imap_server
from tests.secrets.canaries import Canaries

LONGEST_LINE = 1_900
SABOTAGED = "sabotaged"


@dataclass(frozen=True, slots=True)
class Case:
    """One credential: what its SMTP and its IMAP server do, and the forms of its passwords. No `imap`: no mailbox."""

    smtp: str
    smtp_form: str
    imap: str
    imap_form: str


CASES = (
    Case("refuses the login", "quotes", "refuses the login", "unicode"),
    Case("refuses the sender", "percent", "keeps INBOX closed", "backslash"),
    Case("refuses the recipient", "unicode", "talks rubbish", "quotes"),
    Case("refuses the message", "backslash", "says goodbye", "percent"),
    Case("hangs up", "plain", "hangs up", "long"),
    Case("talks rubbish", "long", "has a bad certificate", "plain"),
    Case("has a bad certificate", "blanks", "keeps mails back", "blanks"),
    Case(SABOTAGED, "quotes", SABOTAGED, "quotes"),
    Case("works", "unicode", "", "plain"),
)


def spelled(username: str, password: str) -> list[str]:
    """What servers write into their answers; long lines are cut, as servers do."""
    octets = password.encode()
    login = f"\0{username}\0{password}".encode()
    lines = [
        password,
        base64.b64encode(login).decode(),
        base64.b64encode(octets).decode(),
        base64.b64encode(b"x" + octets + b"y").decode(),
        base64.urlsafe_b64encode(octets).decode(),
        quote(password, safe=""),
        quote_plus(password),
        json.dumps(password),
        repr(password),
        repr(octets),
        ascii(password),
        html.escape(password),
        octets.hex(),
        password.upper(),
        f"user={quote(username)}&pass={quote(password)}",
    ]
    return [line for line in lines if len(line.encode()) < LONGEST_LINE]


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A credential as the API takes it, without what all have alike."""

    case: Case
    fields: dict[str, Any]


@contextmanager
def running_echoes(certificates: Certificates, canaries: Canaries) -> Iterator[tuple[list[Mailbox], ChaosSmtp]]:
    """The servers of all cases, and the one that works and keeps what it was sent."""
    with ExitStack() as stack:
        mailboxes = []
        for number, case in enumerate(CASES):
            name = SABOTAGED if case.smtp == SABOTAGED else f"user{number}"
            smtp_password = canaries.add(f"SMTP password of {name}", canaries.tricky(case.smtp_form))
            imap_password = canaries.add(f"IMAP password of {name}", canaries.tricky(case.imap_form))
            smtp = stack.enter_context(_smtp(certificates, case, name, smtp_password))
            fields = {
                "smtp_host": "localhost",
                "smtp_port": smtp.port,
                "smtp_username": name,
                "smtp_password": smtp_password,
            }
            if case.imap:
                script = _imap_script(certificates, case, name, imap_password)
                imap = stack.enter_context(running_imap_server(script))
                fields |= {"imap_host": "localhost", "imap_port": imap.port}
                fields |= {"imap_username": name, "imap_password": imap_password}
            mailboxes.append(Mailbox(case, fields))
        yield mailboxes, smtp


def _smtp(certificates: Certificates, case: Case, name: str, password: str) -> ChaosSmtp:
    stage, code = _SMTP_STAGES.get(case.smtp, ("", ""))
    script = {}
    if stage:
        lines = [f"{code[:3]}-{code[4:]} {line}\r\n" for line in spelled(name, password)]
        script[stage] = Action(Kind.ANSWER, "".join([*lines, f"{code} bye\r\n"]).encode())
    elif case.smtp == "hangs up":
        script["auth"] = Action(Kind.DROP)
    elif case.smtp == "talks rubbish":
        script["auth"] = Action(Kind.ANSWER, f"what is {password[:LONGEST_LINE]}?\r\n".encode())
    bad = case.smtp == "has a bad certificate"
    certificate = certificates.self_signed if bad else certificates.good
    return ChaosSmtp(certificates, certificate=certificate, script=script, keep_bodies=True)


_SMTP_STAGES = {
    "refuses the login": ("auth", "535 5.7.8"),
    "refuses the sender": ("mail", "451 4.7.0"),
    "refuses the recipient": ("rcpt", "550 5.1.1"),
    "refuses the message": ("dot", "554 5.7.1"),
}


def _imap_script(certificates: Certificates, case: Case, name: str, password: str) -> ImapScript:
    bad = case.imap == "has a bad certificate"
    tls = (certificates.self_signed if bad else certificates.good).server_context()
    script = ImapScript(username=name, password=password, tls=tls)
    echo = " ".join(spelled(name, password))
    # With UIDs and folders, polls come as far as the command that fails.
    script.answers = {
        "refuses the login": {"AUTHENTICATE": f"{{tag}} NO [AUTHENTICATIONFAILED] {echo}\r\n"},
        "keeps INBOX closed": {"LIST": f"{{tag}} NO {echo}\r\n", "EXAMINE": f"{{tag}} NO {echo}\r\n"},
        "talks rubbish": {"AUTHENTICATE": f"{echo}\r\n"},
        "says goodbye": {"AUTHENTICATE": f"* BYE {echo}\r\n{{tag}} NO {echo}\r\n"},
        "keeps mails back": {
            "LIST": '* LIST () "/" INBOX\r\n{tag} OK done\r\n',
            "UID": f"{{tag}} NO {echo}\r\n",
        },
    }.get(case.imap, {})
    if case.imap == "hangs up":
        script.hang_up_at = "AUTHENTICATE"
    return script
