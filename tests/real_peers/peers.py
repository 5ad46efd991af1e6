"""The servers that the reader's mailbox is at: each takes submissions, and shows what it delivered to whom."""

import asyncio
import email
import email.policy
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.faults.lab import free_port
from tests.gateways.test_smtp_real_peers import serve, stop
from tests.peers.certificates import Certificates
from tests.real_peers.postfix import Postfix

USERNAME = "you@readers.test"
PASSWORD = "b7 $x&%:=!#{}"
"""Shells and JSON would trip over it if they were careless."""
RECIPIENTS = ["you+ann@readers.test", "you+bob@readers.test"]


@dataclass(frozen=True, slots=True)
class Peer:
    """A running submission server that knows USERNAME; `mailbox` lists what a recipient got, oldest first."""

    port: int
    mailbox: Callable[[str], list[EmailMessage]]
    report: Callable[[], str]


@contextmanager
def postfix_peer(certificates: Certificates) -> Iterator[Peer]:
    """Postfix, delivering into maildirs."""
    folder = Path(tempfile.mkdtemp(prefix="ampout-postfix-"))
    folder.chmod(0o755)
    server = Postfix(folder, certificates.good, free_port())
    try:
        server.start(USERNAME, PASSWORD, RECIPIENTS)
        yield Peer(server.port, server.mailbox, lambda: server.log)
    finally:
        server.stop()
        shutil.rmtree(folder)


class Inbox:
    """Keeps what aiosmtpd was given."""

    def __init__(self) -> None:
        self.received: list[tuple[list[str], bytes]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert session.ssl is not None
        assert session.authenticated
        assert isinstance(envelope.content, bytes)
        self.received.append((envelope.rcpt_tos, envelope.content))
        return "250 2.0.0 Ok"

    def mailbox(self, recipient: str) -> list[EmailMessage]:
        mine = [content for recipients, content in self.received if recipient in recipients]
        return [email.message_from_bytes(content, policy=email.policy.default) for content in mine]


def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: object) -> AuthResult:
    return AuthResult(success=login == LoginPassword(USERNAME.encode(), PASSWORD.encode()), handled=False)


@contextmanager
def aiosmtpd_peer(certificates: Certificates) -> Iterator[Peer]:
    """aiosmtpd, which lets nobody in but by STARTTLS and AUTH; its connections end with it."""
    inbox = Inbox()

    def make() -> SMTP:
        context = certificates.good.server_context()
        return SMTP(inbox, tls_context=context, require_starttls=True, auth_required=True, authenticator=authenticate)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(serve(make), loop).result(10)
    try:
        port = int(server.sockets[0].getsockname()[1])
        yield Peer(port, inbox.mailbox, lambda: f"{len(inbox.received)} messages")
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
