"""Alice writes to Bob through a peer: what the SMTP tests have in common."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from ampout.lib.door import CheckedTarget
from dispatch.gateways.smtp_session import Deadlines, Envelope, SmtpLogin, SmtpSession, TransactionResult
from tests.peers.chaos_smtp import ChaosSmtp

T = TypeVar("T")

ALICE = "alice@sender.example"
PASSWORD = "correct-horse-battery"
BODY = b"Message-ID: <1@sender.example>\r\nSubject: Hello\r\n\r\nHello Bob\r\n"
LARGE_BODY = BODY + b"All work and no play makes Jack a dull boy.\r\n" * 200_000
"""8.8 MB: more than the sockets and buffers in between can hold."""

QUICK = Deadlines(connect=5, reply=1, data_block=1, final_reply=1, transaction=10)
"""Promise A12's deadlines, scaled for peers that misbehave; peers that behave get PATIENT ones."""
PATIENT = Deadlines(connect=20, reply=20, data_block=20, final_reply=20, transaction=60)


def login_to(peer: ChaosSmtp, **changes: Any) -> SmtpLogin:
    facts: dict[str, Any] = {
        "host": "localhost",
        "port": peer.port,
        "username": "alice",
        "password": PASSWORD,
        "ca_file": peer.ca_file,
    }
    return SmtpLogin(**(facts | changes))


def target_of(login: SmtpLogin, *addresses: str) -> CheckedTarget:
    return CheckedTarget(login.host, login.port, addresses or ("127.0.0.1",))


async def opened(peer: ChaosSmtp, deadlines: Deadlines = PATIENT, **changes: Any) -> SmtpSession:
    login = login_to(peer, **changes)
    return await SmtpSession.open(login, target_of(login), deadlines)


@dataclass
class Gate:
    """Counts how often it was asked, and answers the same each time."""

    answer: bool = True
    asked: int = 0

    async def __call__(self) -> bool:
        self.asked += 1
        return self.answer


def to(local_part: str) -> Envelope:
    return Envelope(ALICE, f"{local_part}@recipient.example")


async def send_once(
    peer: ChaosSmtp,
    envelope: Envelope,
    body: bytes = BODY,
    *,
    gate: Callable[[], Awaitable[bool]] | None = None,
    deadlines: Deadlines = PATIENT,
) -> TransactionResult:
    session = await opened(peer, deadlines)
    try:
        return await session.send(envelope, body, gate=gate or Gate())
    finally:
        await session.quit()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end; a test that hangs fails after 60 s."""
    return asyncio.run(asyncio.wait_for(coroutine, 60))


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds, which something else brings about; fail after 5 s."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came about")
