"""One lab, one storm, one search."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pytest_django import DjangoDbBlocker

from ampout.supervisor.kept_environment import PROJECT
from tests.faults.conftest import servers
from tests.faults.servers import Servers
from tests.faults.waiting import wait_for
from tests.peers.certificates import Certificates, certificates
from tests.peers.chaos_smtp import ChaosSmtp
from tests.peers.webhook_sink import running_webhook_sink
from tests.secrets import surfaces
from tests.secrets.canaries import Canaries
from tests.secrets.echoes import CASES, Mailbox, running_echoes
from tests.secrets.haystack import Find, Search
from tests.secrets.lab import OPERATOR, CanaryLab
from tests.secrets.storm import Client, Storm

__all__ = ["certificates", "servers"]

FEW = 3
"""Of the mailboxes."""
SECONDS = 60
"""For what takes a few seconds on a quiet machine."""
TRIED = "SELECT count(DISTINCT credential_id) >= %d FROM dispatch_attempt"
COMPLAINED = "SELECT count(*) >= %d FROM dispatch_mailbox WHERE problem <> ''"
CALLED = """SELECT count(DISTINCT endpoint_id) >= 4
FROM events_webhookattempt attempt JOIN events_webhookdelivery delivery ON delivery.id = attempt.delivery_id"""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is left of the storm: the finds by surface, and what the surfaces held, so that silence means something."""

    finds: dict[str, list[Find]]
    contents: dict[str, bytes]
    at_rest: list[str]
    cores: list[str]


@pytest.fixture
def aftermath(
    servers: Servers,
    certificates: Certificates,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Aftermath]:
    """Let everything happen, and search everything for every canary."""
    canaries = Canaries()
    servers.restore()
    lab = CanaryLab(servers, tmp_path_factory.mktemp("canaries"), certificates, canaries)
    try:
        with django_db_blocker.unblock():
            lab.start()
        with running_echoes(certificates, canaries) as (mailboxes, working), running_webhook_sink() as sink:
            storm = Storm(lab, canaries, sink)
            clients = rage(storm, mailboxes)
            said = run_commands(lab)
            look_around(storm, clients, working)
            command_lines = list(surfaces.command_lines(lab))
            leave_tasks_waiting(lab)
            yield search(storm, working, said, command_lines)
    finally:
        lab.stop()


def rage(storm: Storm, mailboxes: list[Mailbox]) -> list[Client]:
    """Every flow, first by the web process as shipped, then again by the one in debug mode."""
    clients = storm.clients()
    # The second time, fewer mailboxes will do: what differs is the web process.
    for client, some in zip(clients, (mailboxes, mailboxes[-FEW:]), strict=True):
        storm.credential_paths.clear()
        storm.sign_up(client)
        storm.use_keys(client)
        storm.make_webhooks(client)
        storm.make_campaigns(client, some)
        storm.check_logins(client)
        storm.misuse_secret_fields(client)
        storm.use_hooks(client)
        storm.change_passwords(client)
    await_consequences(storm.lab)
    return clients


def run_commands(lab: CanaryLab) -> bytes:
    """What an operator types; the first one's only source of a password is the environment."""
    password = {"DJANGO_SUPERUSER_PASSWORD": lab.canaries["operator password"]}
    make_operator = ("createsuperuser", "--noinput", "--username", OPERATOR, "--email", "")
    return lab.run_commands(make_operator, ("check",), ("audit",), ("rotate_keys",), ("dumpdata",), **password)


def look_around(storm: Storm, clients: list[Client], working: ChaosSmtp) -> None:
    """What tenants, operators and recipients see afterwards."""
    for client in clients:
        storm.read_everything(client)
        browser = storm.use_admin(client)
        storm.unsubscribe(client, working)
    storm.read_admin(browser)


def await_consequences(lab: CanaryLab) -> None:
    """Every credential was tried, every mailbox complained, every receiver was called."""
    cases = [*CASES, *CASES[-FEW:]]
    lab.wait_for("all credentials were tried", TRIED % len(cases), SECONDS)
    lab.wait_for("all mailboxes complained", COMPLAINED % sum(bool(case.imap) for case in cases), SECONDS)
    lab.wait_for("all receivers were called", CALLED, SECONDS)


def leave_tasks_waiting(lab: CanaryLab) -> None:
    """Without a worker, beat's tasks lie in the broker."""
    lab.kill("worker0")
    with lab.broker() as client:
        wait_for("tasks wait", lambda: int(client.llen("celery")) > 3, SECONDS, lab.report)


def search(storm: Storm, working: ChaosSmtp, said: bytes, command_lines: list[tuple[str, bytes]]) -> Aftermath:
    """Look everywhere."""
    lab, looking = storm.lab, Search(storm.canaries)
    mails = Search(canary for canary in storm.canaries if canary.name != "unsubscribe token")
    places = {
        "logs": list(surfaces.logs(lab)),
        "tables": list(surfaces.tables(lab)),
        "broker": list(surfaces.broker(lab)),
        "files": list(surfaces.files(lab)),
        "commands": [("what commands said", said)],
        "command lines": command_lines,
        "webhooks": [("body of a webhook", call.body) for path in ("echo",) for call in storm.calls(path)],
    }
    finds = {name: [find for place in kept for find in looking.look(*place)] for name, kept in places.items()}
    finds["answers"] = [find for one in storm.heard for find in looking.look(one.call, one.everything, call=one.call)]
    finds["mails"] = [find for entry in working.log for find in mails.look("a mail", entry["raw"])]
    contents = {name: b"\n".join(held for _, held in kept) for name, kept in places.items()}
    contents["answers"] = b"\n".join(one.call.encode() + b"\n" + one.everything for one in storm.heard)
    contents["mails"] = b"\n".join(entry["raw"] for entry in working.log)
    cores = [core for folder in (PROJECT, lab.folder) for core in surfaces.dumped_cores(folder)]
    return Aftermath(finds, contents, surfaces.secrets_at_rest(lab), cores)
