"""The session and aiosmtpd, a server that is not ours."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, Session
from aiosmtpd.smtp import Envelope as Received

from ampout.lib.door import CheckedTarget
from dispatch.gateways.smtp_session import SmtpFailure, SmtpLogin, SmtpSession, TransactionResult
from dispatch.rules.smtp_reply import Reply, Stage
from tests.gateways.smtp_cast import BODY, PASSWORD, PATIENT, Gate, run, to
from tests.peers.certificates import Certificates


class Inbox:
    """Keeps what it is given; refuses nobody@ and, after the dot, spam@."""

    def __init__(self) -> None:
        self.received: list[tuple[str | None, list[str], bytes]] = []

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Received, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 5.1.1 No such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Received) -> str:  # noqa: N802
        if envelope.rcpt_tos[0].startswith("spam@"):
            return "554 5.7.1 Refused as spam"
        assert isinstance(envelope.original_content, bytes)
        self.received.append((envelope.mail_from, envelope.rcpt_tos, envelope.original_content))
        return "250 2.0.0 Ok: queued"


def authenticate(server: SMTP, session: Session, envelope: Received, mechanism: str, login: object) -> AuthResult:
    assert isinstance(login, LoginPassword)
    good = login == LoginPassword(b"alice", PASSWORD.encode())
    return AuthResult(success=good, handled=False)  # the answer, 535 or 235, is the server's


@contextmanager
def aiosmtpd_server(certificates: Certificates, inbox: Inbox, *, excluded: list[str]) -> Iterator[int]:
    """Its port, on 127.0.0.1. (Its own Controller cannot be asked for a free port.)"""
    context: ssl.SSLContext = certificates.good.server_context()

    def make() -> SMTP:
        return SMTP(
            inbox,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=authenticate,
            auth_exclude_mechanism=excluded,
        )

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(serve(make), loop).result(10)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(stop(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def serve(make: Callable[[], SMTP]) -> asyncio.Server:
    """A listening server, on the loop that runs this."""
    return await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)


async def stop(server: asyncio.Server) -> None:
    """Close the server and let its conversations end."""
    server.close()
    await server.wait_closed()
    conversations = asyncio.all_tasks() - {asyncio.current_task()}
    for task in conversations:
        task.cancel()
    await asyncio.gather(*conversations, return_exceptions=True)


def login_for(certificates: Certificates, port: int, password: str = PASSWORD) -> SmtpLogin:
    return SmtpLogin("localhost", port, "alice", password, ca_file=str(certificates.authority))


async def converse(login: SmtpLogin, *recipients: str) -> list[TransactionResult]:
    session = await SmtpSession.open(login, CheckedTarget(login.host, login.port, ("127.0.0.1",)), PATIENT)
    results = [await session.send(to(recipient), BODY + b".dotted\r\n", gate=Gate()) for recipient in recipients]
    await session.quit()
    return results


@pytest.mark.parametrize("excluded", [[], ["PLAIN"]], ids=["PLAIN", "LOGIN"])
def test_aiosmtpd_gets_what_was_sent_and_refuses_what_it_refuses(
    certificates: Certificates, excluded: list[str]
) -> None:
    inbox = Inbox()
    with aiosmtpd_server(certificates, inbox, excluded=excluded) as port:
        results = run(converse(login_for(certificates, port), "bob", "nobody", "spam", "carol"))
    assert [(result.stage, result.reply) for result in results] == [
        (Stage.DOT, Reply(250, "2.0.0", "Ok: queued")),
        (Stage.RCPT, Reply(550, "5.1.1", "No such user")),
        (Stage.DOT, Reply(554, "5.7.1", "Refused as spam")),
        (Stage.DOT, Reply(250, "2.0.0", "Ok: queued")),
    ]
    assert inbox.received == [
        ("alice@sender.example", [f"{name}@recipient.example"], BODY + b".dotted\r\n") for name in ("bob", "carol")
    ]


def test_aiosmtpd_refuses_a_wrong_password(certificates: Certificates) -> None:
    with aiosmtpd_server(certificates, Inbox(), excluded=[]) as port, pytest.raises(SmtpFailure) as caught:
        run(converse(login_for(certificates, port, "wrong"), "bob"))
    assert caught.value.reply is not None
    assert (caught.value.stage, caught.value.reply.code) == (Stage.AUTH, 535)
