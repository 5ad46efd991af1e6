"""People who are away: each has one of the texts of absences.toml, and a program that answers with it."""

import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from email.header import Header
from itertools import islice
from pathlib import Path

from tests.corpus.faults import Case
from tests.corpus.lab import Machine
from tests.corpus.servers import add_person

TEXTS = Path(__file__).parent / "absences.toml"
PROGRAMS = {
    "sieve": "dovecot",
    "autoreply": "exim",
    "vacation": "sendmail",
    "procmail": "sendmail",
    "mailbot": "courier",
}
"""What answers, and the machine where it does."""
SECOND_ROUND = 27
"""So many texts are answered with by a second program too."""

# The recipe of procmailex(5).
PROCMAIL = """\
SHELL=/bin/sh
:0 Whc: vacation.lock
* $^To:.*\\<$\\LOGNAME\\>
* !^FROM_DAEMON
* !^X-Loop: {address}
| formail -rD 8192 vacation.cache
  :0 ehc
  | (formail -rI"Precedence: junk" \\
       -A"X-Loop: {address}" {headers} ; \\
     cat $HOME/text ; \\
    ) | $SENDMAIL -oi -t
"""


@dataclass(frozen=True, slots=True)
class Absence:
    """One person who is away; `number` makes the address."""

    number: int
    program: str
    language: str
    source: str
    subject: str
    body: str
    return_date: date | None

    @property
    def user(self) -> str:
        """The local part."""
        return f"p{self.number}"

    @property
    def case(self) -> Case:
        """The message that is answered."""
        origin = PROGRAMS[self.program]
        to = f"{self.user}@{origin}.example"
        return Case(origin, f"absence {self.language} {self.program}", (), (to,), kind="auto_reply", number=self.number)

    @property
    def encoded_subject(self) -> str:
        """The subject as a header may carry it."""
        return Header(self.subject, "utf-8", maxlinelen=10000).encode() if self.subject else ""


def absences() -> list[Absence]:
    """All of them, numbered from 501."""
    known = tomllib.loads(TEXTS.read_text(encoding="utf-8"))["absence"]
    programs = tuple(PROGRAMS)

    def rounds() -> Iterator[tuple[str, dict[str, object]]]:
        for index, text in enumerate(known):
            yield programs[index % len(programs)], text
        for index, text in enumerate(islice(known, 0, 2 * SECOND_ROUND, 2)):
            yield programs[(index + 1) % len(programs)], text

    return [_absence(number, program, text) for number, (program, text) in enumerate(rounds(), 501)]


def _absence(number: int, program: str, text: dict[str, object]) -> Absence:
    back = text.get("return_date")
    return Absence(
        number,
        program,
        str(text["language"]),
        str(text["source"]),
        str(text["subject"]),
        str(text["body"]),
        back if isinstance(back, date) else None,
    )


def set_up(machine: Machine, absence: Absence) -> None:
    """Let the program answer for the person."""
    {
        "sieve": _sieve,
        "autoreply": _autoreply,
        "vacation": _vacation,
        "procmail": _procmail,
        "mailbot": _mailbot,
    }[absence.program](machine, absence)


def _sieve(machine: Machine, absence: Absence) -> None:
    quoted = absence.body.replace("\\", "\\\\").replace('"', '\\"')
    subject = absence.subject.replace('"', '\\"')
    words = f':subject "{subject}" ' if subject else ""
    machine.write(f"/vmail/{absence.user}.sieve", f'require "vacation";\nvacation :days 1 {words}"{quoted}";\n')
    add_person(machine, absence.user)


def _autoreply(machine: Machine, absence: Absence) -> None:
    subject = absence.encoded_subject or "Re: your mail"
    machine.write(f"/etc/exim4/texts/{absence.user}", absence.body)
    machine.run("cat >> /etc/exim4/vacations", stdin=f"{absence.user}: {subject}\n")
    machine.run("cat >> /etc/exim4/vacation-files", stdin=f"{absence.user}: /etc/exim4/texts/{absence.user}\n")
    machine.run("chmod -R a+rX /etc/exim4")


def _vacation(machine: Machine, absence: Absence) -> None:
    home = _home(machine, absence)
    subject = absence.encoded_subject or "Re: $SUBJECT"
    # What vacation(1) shows, and puts there itself; some people take it out.
    marks = "Delivered-By-The-Graces-Of: The Vacation program\nPrecedence: bulk\n" if absence.number % 4 else ""
    headers = f"Subject: {subject}\n{marks}MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
    machine.write(f"{home}/.vacation.msg", f"{headers}Content-Transfer-Encoding: 8bit\n\n{absence.body}")
    machine.write(f"{home}/.forward", f'\\{absence.user}, "|/usr/bin/vacation {absence.user}"\n')
    machine.run(f"chown -R {absence.user} {home}; chmod 755 {home}; su {absence.user} -s /bin/sh -c 'vacation -I'")


def _procmail(machine: Machine, absence: Absence) -> None:
    home = _home(machine, absence)
    added = "-I" + shlex.quote(f"Subject: {absence.encoded_subject}") if absence.subject else ""
    mime = '-I"MIME-Version: 1.0" -I"Content-Type: text/plain; charset=utf-8" -I"Content-Transfer-Encoding: 8bit"'
    address = f"{absence.user}@{absence.case.origin}.example"
    machine.write(f"{home}/.procmailrc", PROCMAIL.format(address=address, headers=f"{added} {mime}"))
    machine.write(f"{home}/text", absence.body)
    machine.run(f"chown -R {absence.user} {home}; chmod 755 {home}")


def _mailbot(machine: Machine, absence: Absence) -> None:
    home = _home(machine, absence)
    machine.write(f"{home}/text", absence.body)
    subject = f"-s {shlex.quote(absence.subject)} " if absence.subject else ""
    address = f"{absence.user}@{absence.case.origin}.example"
    command = f"mailbot -T reply -N -c UTF-8 -t {home}/text {subject}-A 'From: {address}' /usr/sbin/sendmail -f ''"
    machine.write(f"{home}/.courier", f"| /usr/bin/{command}\n", mode=0o600)
    machine.run(f"chown -R {absence.user} {home}; chmod 755 {home}")


def _home(machine: Machine, absence: Absence) -> str:
    machine.run(f"id {absence.user} >/dev/null 2>&1 || useradd -m {absence.user}; rm -f /home/{absence.user}/*.cache")
    return f"/home/{absence.user}"
