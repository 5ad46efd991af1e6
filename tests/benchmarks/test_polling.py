"""How fast one worker reads mailboxes whole, beside a bare imapclient loop on the same server in the same run."""

import ssl
import threading
import time

import pytest
from django.db import connection
from imapclient import IMAPClient
from pytest_django.fixtures import Settings

from dispatch.models import Mailbox, MailboxFolder, Notice
from dispatch.services import poll_loop
from tests.faults.waiting import wait_for
from tests.peers.certificates import Certificates, certificates
from tests.peers.chaos_imap import a_mail
from tests.real_peers.conftest import dovecot
from tests.real_peers.dovecot import PASSWORD, Dovecot
from tests.services.mailroom import MailRoom, a_bounce

__all__ = ["certificates", "dovecot"]

MAILBOXES = 50
MAILS = 1_000
MOST_TIMES = 3.0


@pytest.fixture
def room(transactional_db: None, settings: Settings, certificates: Certificates, dovecot: Dovecot) -> MailRoom:
    """Mailboxes of mails of 3 KB, the last of which is a bounce."""
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.SMTP_CA_FILE = str(certificates.authority)
    made = MailRoom(port=dovecot.port, password=PASSWORD)
    for number in range(MAILBOXES):
        dovecot.deliver(f"bench{number}", [_mail(each) for each in range(1, MAILS + 1)], flags="S")
    return made


def _mail(number: int) -> bytes:
    received = "Received: from mx.example by imap.example with ESMTPS; Mon, 02 Nov 2026 10:00:00 +0000\r\n" * 8
    body = "x" * 60 + "\r\n"
    if number == MAILS:
        return a_bounce(number) + body.encode() * 30
    return a_mail(number, extra=received, body=body * 30)


def bare_loop(dovecot: Dovecot, authority: str, *, whole: bool) -> float:
    """Seconds of the plainest loop: every mailbox one after the other, every mail, in one FETCH a mailbox."""
    context = ssl.create_default_context(cafile=authority)
    began = time.monotonic()
    for number in range(MAILBOXES):
        with IMAPClient("localhost", dovecot.port, ssl_context=context) as client:
            client.login(f"bench{number}", PASSWORD)
            client.select_folder("INBOX", readonly=True)
            found = client.fetch(client.search(), ["BODY.PEEK[]" if whole else "BODY.PEEK[HEADER]"])
            assert len(found) == MAILS
    return time.monotonic() - began


def our_loop() -> float:
    """Seconds of one poll loop from its start until every mailbox was read to its end."""
    stopping = threading.Event()

    def run() -> None:
        try:
            poll_loop.poll("bench", stopping.is_set)
        finally:
            connection.close()

    worker = threading.Thread(target=run)
    began = time.monotonic()
    worker.start()
    try:
        read = Mailbox.objects.filter(polled_at__isnull=False)
        wait_for("all are read", lambda: read.count() == MAILBOXES, 300)
        return time.monotonic() - began
    finally:
        stopping.set()
        worker.join(60)


@pytest.mark.bench
def test_fifty_mailboxes_of_a_thousand_mails_against_a_bare_loop(
    room: MailRoom, dovecot: Dovecot, certificates: Certificates
) -> None:
    for number in range(MAILBOXES):
        room.credential(f"bench{number}")
    before = [dovecot.snapshot(f"bench{number}") for number in range(MAILBOXES)]
    bare_loop(dovecot, str(certificates.authority), whole=True)  # once, so that the server has made its indexes
    headers = bare_loop(dovecot, str(certificates.authority), whole=False)
    whole = bare_loop(dovecot, str(certificates.authority), whole=True)
    ours = our_loop()
    print(
        f"\n{MAILBOXES} mailboxes of {MAILS} mails, in seconds: bare imapclient loop over headers {headers:.2f}, over"
    )
    print(f"whole mails {whole:.2f}; one poll loop {ours:.2f}, {ours / headers:.2f} times the headers alone")
    assert Notice.everywhere.count() == MAILBOXES
    assert MailboxFolder.objects.filter(name="INBOX", last_uid=MAILS).count() == MAILBOXES
    assert [dovecot.snapshot(f"bench{number}") for number in range(MAILBOXES)] == before
    assert ours <= headers * MOST_TIMES
