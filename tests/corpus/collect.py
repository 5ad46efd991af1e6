"""Make the mails of real servers anew: `python -m tests.corpus.collect FOLDER`, as root."""

import email
import email.policy
import email.utils
import os
import re
import smtplib
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.corpus import servers
from tests.corpus.absences import absences, set_up
from tests.corpus.faults import Case, cases, documented
from tests.corpus.internet import REFUSING, Names, Providers, serve_names
from tests.corpus.lab import Machine, call, lay_wire
from tests.corpus.labels import Label, Recipient, write_labels
from tests.corpus.reports import letters, scripted
from tests.corpus.servers import Server

PROVIDERS = "192.0.2.3"
WITHOUT_TLS = "192.0.2.4"
NOTHING_NEW_SECONDS = 12
"""When nothing came for so long, nothing will."""
PATIENCE_SECONDS = 90

VERSIONS = {
    "exim": "Exim 4.96",
    "sendmail": "Sendmail 8.17.1",
    "opensmtpd": "OpenSMTPD 6.8.0",
    "courier": "Courier 1.0.16",
    "postfix": "Postfix 3.7.11",
    "dma": "dma 0.13",
    "nullmailer": "Nullmailer 2.2",
    "dovecot": "Dovecot 2.3.19",
}
"""Of Debian 12's packages."""

SENDMAIL = ("sendmail-bin", "sendmail-cf", "sensible-mda", "m4", "procmail", "vacation")
MACHINES = (
    Machine("net", 1, "ns.test"),
    Machine("home", 10, "mx.outreach.example", ("postfix",)),
    Machine("exim", 21, "mail.exim.example", ("exim4-daemon-heavy",)),
    Machine(
        "sendmail",
        22,
        "mail.sendmail.example",
        SENDMAIL,
    ),
    Machine("opensmtpd", 23, "mail.opensmtpd.example", ("opensmtpd",)),
    Machine("courier", 24, "mail.courier.example", ("courier-mta", "maildrop")),
    Machine("postfix", 25, "mail.postfix.example", ("postfix",)),
    Machine("dma", 26, "mail.dma.example", ("dma",)),
    Machine("nullmailer", 27, "mail.nullmailer.example", ("nullmailer",)),
    Machine("dovecot", 28, "mail.dovecot.example", ("postfix", "dovecot-lmtpd", "dovecot-sieve")),
)


@dataclass(frozen=True, slots=True)
class Found:
    """One mail that came back: its bytes, the case it belongs to, and its kind."""

    content: bytes
    case: Case
    kind: str


class Lab:
    """The whole pretend internet, running."""

    def __init__(self) -> None:
        self.machines = {machine.name: machine for machine in MACHINES}
        makers = ("exim", "sendmail", "opensmtpd", "courier", "postfix", "dma", "nullmailer", "dovecot", "home")
        self.servers: Mapping[str, Server] = {name: getattr(servers, name)(self.machines[name]) for name in makers}
        self._seen: set[str] = set()

    def start(self) -> None:
        """Serve the names and the providers, and start every server."""
        for address in (REFUSING, PROVIDERS, WITHOUT_TLS):
            subprocess.run(["ip", "addr", "add", f"{address}/24", "dev", "eth0"], check=False, capture_output=True)
        serve_names(self._names())
        self._serve_providers()
        for server in self.servers.values():
            server.machine.mend_clock()
            server.configure()
        for absence in absences():
            set_up(self.machines[absence.case.origin], absence)
        for person in scripted():
            person.set_up(self.machines["dovecot"])
        for server in self.servers.values():
            server.restart()
        time.sleep(5)
        self._seen = {path.name for path in self._mailbox.glob("*")}

    def stop(self) -> None:
        """End every server."""
        for server in self.servers.values():
            server.machine.stop()

    def set_clock(self, offset: str) -> None:
        """Let all servers but the sender's own live at another time, and try everything again."""
        tried = [server for name, server in self.servers.items() if name != "home"]
        for server in tried:
            if server.machine.name != "courier":
                server.machine.set_clock(offset)
                server.restart()
        time.sleep(5)
        for server in tried:
            server.machine.run(server.flush, check=False)

    def send(self, case: Case) -> None:
        """Give a case's message to its origin: by SMTP, or, where that refuses it, by its sendmail command."""
        machine = self.machines[case.origin]
        if case.origin in ("dma", "nullmailer"):
            self._hand_over(machine, case)
            return
        try:
            with smtplib.SMTP(machine.address, 25, local_hostname="desk.outreach.example", timeout=30) as client:
                message = case.message().replace("\n", "\r\n").encode()
                client.sendmail(case.sender, case.recipients, message, case.mail_options, case.rcpt_options)
        except smtplib.SMTPException as error:
            print(case.origin, error)
            self._hand_over(machine, case)

    def arrived(self) -> list[bytes]:
        """What newly came to the sender's own server, once nothing more comes."""
        quiet, end, before = time.monotonic(), time.monotonic() + PATIENCE_SECONDS, -1
        while time.monotonic() - quiet < NOTHING_NEW_SECONDS and time.monotonic() < end:
            count = len(list(self._mailbox.glob("*")))
            if count != before:
                before, quiet = count, time.monotonic()
            time.sleep(0.5)
        new = [path for path in sorted(self._mailbox.glob("*")) if path.name not in self._seen]
        self._seen |= {path.name for path in new}
        return [path.read_bytes() for path in new]

    @property
    def _mailbox(self) -> Path:
        return self.machines["home"].root / "mail/all/new"

    def _hand_over(self, machine: Machine, case: Case) -> None:
        recipients = " ".join(f'"{recipient}"' for recipient in case.recipients)
        print(case.fault, machine.run(f"sendmail -f {case.sender} {recipients}", stdin=case.message(), check=False))

    def _names(self) -> Names:
        names = Names()
        for machine in MACHINES:
            names.addresses[machine.host] = machine.address
            names.exchangers[machine.host.partition(".")[2]] = machine.host
        hosts = {"refusing": REFUSING, "dead": "192.0.2.66", "wants-tls": WITHOUT_TLS, "google-ok": PROVIDERS}
        for domain, address in hosts.items():
            names.addresses[f"mx.{domain}.example"] = address
            names.exchangers[f"{domain}.example"] = f"mx.{domain}.example"
        for domain, *_ in documented():
            names.exchangers[domain] = f"mx.{domain}"
            names.addresses[f"mx.{domain}"] = PROVIDERS
        names.exchangers["nullmx.example"] = ""
        names.exchangers["elsewhere.example"] = "mail.exim.example"
        names.bare.add("bare.example")
        names.failing.add("servfail.example")
        return names

    def _serve_providers(self) -> None:
        for address in (PROVIDERS, WITHOUT_TLS):
            providers = Providers("mx.example")
            for domain, reply, *_ in documented():
                providers.replies[domain] = reply
            providers.serve(address)


def collect() -> list[Found]:
    """Run every case; returns what came back, in the order of the cases."""
    lab = Lab()
    lab.start()
    found = []
    try:
        made = [*cases(), *(person.case for person in scripted()), *(absence.case for absence in absences())]
        for case in made:
            lab.send(case)
        made += [letter.case for letter in letters()]
        for letter in letters():
            command = f"sendmail -f maria@postfix.example {letter.case.sender}"
            lab.machines["postfix"].run(command, stdin=letter.message.decode("ascii"))
        found += _sort(lab.arrived(), made)
        for offset in ("+5h", "+6d", "+7d"):
            lab.set_clock(offset)
            found += _sort(lab.arrived(), made)
    finally:
        lab.stop()
    return sorted(found, key=lambda one: one.case.number)


def _sort(contents: Iterable[bytes], made: Iterable[Case]) -> list[Found]:
    by_sender = {case.sender: case for case in made}
    found = []
    for content in contents:
        mail = email.message_from_bytes(content, policy=email.policy.compat32)
        case = by_sender.get(str(mail["Delivered-To"]).strip())
        if case is None:
            print("nobody's:", mail["Delivered-To"], mail["Subject"])
        else:
            found.append(Found(content, case, _kind(content) if case.kind == "bounce" else case.kind))
    return found


def _kind(content: bytes) -> str:
    """Whether a server gives up or still tries, by the field that its server made for machines (RFC 3464)."""
    return "delay" if re.search(rb"(?im)^Action: *delayed", content) else "bounce"


def save(found: Iterable[Found], folder: Path) -> None:
    """Write each mail, and the labels of all."""
    labels = []
    away = {absence.number: absence for absence in absences()}
    languages = {letter.case.number: letter.language for letter in letters()}
    times: Counter[int] = Counter()
    for one in found:
        times[one.case.number] += 1
        label = _label(one, times[one.case.number])
        absence = away.get(one.case.number)
        if absence:
            source = f"{label.source}, the text: {absence.source}"
            label = replace(label, source=source, language=absence.language, return_date=absence.return_date)
        label = replace(label, language=label.language or languages.get(one.case.number, ""))
        path = folder / label.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.content)
        labels.append(label)
    write_labels(labels, folder / "labels.toml")


def _label(one: Found, turn: int) -> Label:
    """What is known of a mail from how it came about; a notice is about those recipients that it names.

    `turn` counts what came back to one message.
    """
    mail = email.message_from_bytes(one.content, policy=email.policy.compat32)
    slug = re.sub(r"[^a-z0-9]+", "-", f"{one.case.fault} {one.kind}".lower()).strip("-")
    received = email.utils.parsedate_to_datetime(str(mail.get_all("Received", [])[0]).rpartition(";")[2].strip())
    text = one.content.decode("utf-8", "replace").lower()
    named = [known for known in one.case.failing if any(name.lower() in text for name in (known.address, *known.also))]
    source = f"{VERSIONS[one.case.origin]}: {one.case.fault}"
    return Label(
        path=f"{one.case.origin}/{one.case.number}-{slug}{f'-{turn}' if turn > 1 else ''}.eml",
        kind=one.kind,
        source=f"{source} ({one.case.source})" if one.case.source else source,
        received_on=received.date(),
        refers=f"<{one.case.number}.6f1d2c@outreach.example>" in f"{mail['In-Reply-To']} {mail['References']}",
        recipients=tuple(Recipient(known.address.lower(), known.hard, known.also) for known in named),
    )


def main() -> None:
    """Enter namespaces of its own, make the machines there, then go into their network and collect."""
    again = [sys.executable, "-m", "tests.corpus.collect", *sys.argv[1:]]
    stage = os.environ.get("AMPOUT_CORPUS", "")
    if stage == "inside":
        save(collect(), Path(sys.argv[1]))
    elif stage == "mounts":
        make_machines()
        os.environ["AMPOUT_CORPUS"] = "inside"
        os.execvp("ip", ["ip", "netns", "exec", MACHINES[0].name, *again])
    else:
        os.environ["AMPOUT_CORPUS"] = "mounts"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", *again])


def make_machines() -> None:
    """Install all of them and join them; all of it ends with the last process of this mount namespace."""
    Path("/run/netns").mkdir(exist_ok=True)
    call("mount", "-t", "tmpfs", "none", "/run/netns")
    for machine in MACHINES:
        if machine.packages:
            machine.install()
    lay_wire()
    for machine in MACHINES:
        machine.join()


if __name__ == "__main__":
    main()
