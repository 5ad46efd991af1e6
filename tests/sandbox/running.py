"""A sandbox running in a thread of the test, with a clock of the test's own."""

import asyncio
import json
import smtplib
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from imapclient import IMAPClient

from ampout.lib import clock
from ampout.sandbox.aftermath import Aftermath
from ampout.sandbox.ca import CA_CERTIFICATE, make_server_context
from ampout.sandbox.dns import DnsServer, start_dns_server
from ampout.sandbox.imap import start_imap_server
from ampout.sandbox.log import JsonLinesLog, behaviours_log_path, refused_log_path
from ampout.sandbox.mailboxes import Mailboxes
from ampout.sandbox.recipients import Pace
from ampout.sandbox.server import Recipients, start_smtp_server

HOST = "127.0.0.1"
PASSWORD = "correct horse"
SENDER = "sender1@sandbox.test"
START = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
SLOW_SECONDS = 0.05
ANSWER_SECONDS = 0.1


@dataclass
class MovableClock:
    """The time the recipients see; moves only when told to."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class RunningSandbox:
    """What a test needs of a running sandbox."""

    log_path: Path
    state_dir: Path
    clock: MovableClock = field(default_factory=MovableClock)
    port: int = 0
    dns_port: int = 0
    imap_port: int = 0
    web_port: int | None = None

    @property
    def ca_file(self) -> Path:
        return self.state_dir / CA_CERTIFICATE

    @property
    def accepted(self) -> list[dict[str, Any]]:
        return read_lines(self.log_path)

    @property
    def refused(self) -> list[dict[str, Any]]:
        return read_lines(refused_log_path(self.log_path))

    @property
    def behaviours(self) -> list[dict[str, Any]]:
        return read_lines(behaviours_log_path(self.log_path))

    def await_behaviours(self, count: int) -> list[dict[str, Any]]:
        """The lines of the third log, once there are so many; all there are after ten seconds."""
        deadline = time.monotonic() + 10
        while len(self.behaviours) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.behaviours

    def open_mailbox(self, login: str = SENDER) -> IMAPClient:
        """A client that has verified the server's certificate and logged in."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        client = IMAPClient(HOST, port=self.imap_port, ssl_context=context, timeout=10)
        client.plain_login(login, PASSWORD)
        return client

    def read_folder(self, name: str = "INBOX", login: str = SENDER) -> list[bytes]:
        """Every mail of a folder, the oldest first."""
        client = self.open_mailbox(login)
        try:
            client.select_folder(name, readonly=True)
            fetched = client.fetch(client.search("ALL"), ["BODY.PEEK[]"])
            return [fetched[uid][b"BODY[]"] for uid in sorted(fetched)]
        finally:
            client.logout()

    def connect(self) -> smtplib.SMTP:
        """A client that has said nothing yet."""
        return smtplib.SMTP(HOST, self.port, timeout=10)

    @contextmanager
    def session(self, login: str = SENDER) -> Iterator[smtplib.SMTP]:
        """A client that has verified the server's certificate and logged in."""
        with self.connect() as client:
            client.starttls(context=ssl.create_default_context(cafile=str(self.ca_file)))
            client.login(login, PASSWORD)
            yield client


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def make_message(message_id: str = "<one@ampout.test>", subject: str = "Hello", more: str = "") -> bytes:
    return f"Subject: {subject}\r\nMessage-ID: {message_id}\r\n{more}\r\nHow are you?\r\n".encode()


def send(client: smtplib.SMTP, recipient: str, message: bytes | None = None) -> tuple[int, str]:
    """One transaction up to its first refusal or its end; the reply that decided it."""
    code, text = client.mail(SENDER)
    if code == 250:
        code, text = client.rcpt(recipient)
    if code == 250:
        code, text = client.data(make_message() if message is None else message)
    if code != 250:
        client.rset()
    return code, text.decode()


@contextmanager
def run_sandbox(folder: Path, web_port: int | None = None) -> Iterator[RunningSandbox]:
    """Start a sandbox on free ports, its files in ``folder``; stop it afterwards."""
    sandbox = RunningSandbox(folder / "log" / "accepted.jsonl", folder / "state", web_port=web_port)
    ready = threading.Event()
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        loop.set_exception_handler(lambda _loop, _context: None)
        smtp, imap, dns, aftermath, logs = await _start(sandbox)
        stop.append((loop, stopped))
        ready.set()
        await stopped.wait()
        smtp.close()
        imap.close()
        dns.close()
        await aftermath.close()
        for log in logs:
            await log.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield sandbox
    finally:
        loop, stopped = stop[0]
        loop.call_soon_threadsafe(stopped.set)
        thread.join(10)


async def _start(
    sandbox: RunningSandbox,
) -> tuple[asyncio.Server, asyncio.Server, DnsServer, Aftermath, tuple[JsonLinesLog, JsonLinesLog]]:
    logs = JsonLinesLog(sandbox.log_path), JsonLinesLog(refused_log_path(sandbox.log_path))
    pace = Pace(greylist_seconds=60, full_tries=2, slow_seconds=SLOW_SECONDS, answer_seconds=ANSWER_SECONDS)
    mailboxes = Mailboxes(sandbox.state_dir / "mail", sandbox.clock())
    aftermath = Aftermath(
        mailboxes=mailboxes,
        log=JsonLinesLog(behaviours_log_path(sandbox.log_path)),
        pace=pace,
        web_port=sandbox.web_port,
        read_clock=sandbox.clock,
    )
    recipients = Recipients(
        accepted=logs[0],
        refused=logs[1],
        aftermath=aftermath,
        password=PASSWORD,
        pace=pace,
        read_clock=sandbox.clock,
    )
    context = make_server_context(sandbox.state_dir, HOST, clock.utc_now())
    smtp = await start_smtp_server(recipients, host=HOST, port=0, context=context)
    dns = await start_dns_server(host=HOST, port=0)
    imap = await start_imap_server(mailboxes, password=PASSWORD, host=HOST, port=0, context=context)
    sandbox.port, sandbox.imap_port = (server.sockets[0].getsockname()[1] for server in (smtp, imap))
    sandbox.dns_port = dns.port
    return smtp, imap, dns, aftermath, logs
