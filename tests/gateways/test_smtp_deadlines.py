"""Promise A12: no peer holds a conversation longer than its deadlines, which are scaled down here."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from dispatch.gateways.smtp_session import Deadlines, SmtpFailure, SmtpSession, TransactionResult
from dispatch.rules.smtp_reply import Failure, Reply, Stage
from tests.gateways.smtp_cast import BODY, LARGE_BODY, PATIENT, Gate, login_to, opened, run, send_once, target_of, to
from tests.peers.certificates import Certificates
from tests.peers.chaos_behaviours import Action, Kind
from tests.peers.chaos_smtp import ChaosSmtp


def test_the_deadlines_are_those_of_the_promise() -> None:
    assert Deadlines() == Deadlines(connect=30, reply=300, data_block=180, final_reply=600, transaction=1200)


async def timed(
    peer: ChaosSmtp, recipient: str, deadlines: Deadlines, body: bytes = BODY
) -> tuple[TransactionResult, float]:
    """The result, and how many seconds it took after the connection was open."""
    session = await opened(peer, PATIENT)
    session._connection.deadlines = deadlines
    start = asyncio.get_running_loop().time()
    result = await session.send(to(recipient), body, gate=Gate())
    seconds = asyncio.get_running_loop().time() - start
    session.abort()
    return result, seconds


PATIENT_BUT = {"connect": 20.0, "reply": 20.0, "data_block": 20.0, "final_reply": 20.0, "transaction": 60.0}

CASES = [
    ("hang-rcpt", {"reply": 0.3}, Stage.RCPT),
    ("drip-rcpt", {"reply": 0.3}, Stage.RCPT),
    ("hang-data", {"reply": 0.3}, Stage.DATA),
    ("hang", {"final_reply": 0.3}, Stage.DOT),
    ("drip", {"final_reply": 0.3}, Stage.DOT),
    ("hang-rcpt", {"transaction": 0.3}, Stage.RCPT),
    ("hang", {"transaction": 0.3}, Stage.DOT),
]


@pytest.mark.parametrize(("recipient", "short", "stage"), CASES)
def test_silence_and_dripping_end_at_the_stages_deadline(
    certificates: Certificates, recipient: str, short: dict[str, float], stage: Stage
) -> None:
    with ChaosSmtp(certificates) as peer:
        result, seconds = run(timed(peer, recipient, Deadlines(**(PATIENT_BUT | short))))
    assert (result.stage, result.failure, result.connection_usable) == (stage, Failure.TIMEOUT, False)
    assert 0.29 <= seconds < 5


def test_the_final_reply_has_a_longer_deadline_than_the_others(certificates: Certificates) -> None:
    deadlines = Deadlines(**(PATIENT_BUT | {"reply": 0.3, "final_reply": 10.0}))
    with ChaosSmtp(certificates) as peer:
        result, _ = run(timed(peer, "late-0.6", deadlines))
    assert (result.stage, result.failure) == (Stage.DOT, None)


@pytest.fixture
def mute_listener() -> Iterator[socket.socket]:
    """Takes connections in its backlog and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener


@pytest.fixture
def full_listener() -> Iterator[socket.socket]:
    """Its backlog is full, so a further connection is neither taken nor refused."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        yield listener
        for filler in fillers:
            filler.close()


def open_at(certificates: Certificates, listener: socket.socket, deadlines: Deadlines) -> SmtpFailure:
    with ChaosSmtp(certificates) as peer:
        login = login_to(peer, port=listener.getsockname()[1])
    with pytest.raises(SmtpFailure) as caught:
        run(SmtpSession.open(login, target_of(login), deadlines))
    return caught.value


def test_a_connection_that_is_not_taken_ends_at_its_deadline(
    certificates: Certificates, full_listener: socket.socket
) -> None:
    failure = open_at(certificates, full_listener, Deadlines(connect=0.3))
    assert (failure.stage, failure.failure) == (Stage.CONNECT, Failure.TIMEOUT)


def test_a_server_that_never_greets_ends_at_its_deadline(
    certificates: Certificates, mute_listener: socket.socket
) -> None:
    failure = open_at(certificates, mute_listener, Deadlines(reply=0.3))
    assert (failure.stage, failure.failure) == (Stage.BANNER, Failure.TIMEOUT)


def test_a_handshake_that_hangs_ends_at_the_connect_deadline(
    certificates: Certificates, mute_listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credentials.gateways.smtp_connection.IMPLICIT_TLS_PORTS", {mute_listener.getsockname()[1]})
    failure = open_at(certificates, mute_listener, Deadlines(connect=0.3))
    assert (failure.stage, failure.failure) == (Stage.STARTTLS, Failure.TIMEOUT)


def test_opening_as_a_whole_has_a_deadline(certificates: Certificates) -> None:
    """Each reply is in time, all together are not."""
    with ChaosSmtp(certificates, delay_ms=150) as peer:
        login = login_to(peer)
        with pytest.raises(SmtpFailure) as caught:
            run(SmtpSession.open(login, target_of(login), Deadlines(transaction=0.4)))
    assert caught.value.failure is Failure.TIMEOUT


def test_a_server_that_stops_reading_ends_at_the_data_deadline(certificates: Certificates) -> None:
    """Its socket and ours fill up; nothing of the final dot was written, so the message may be tried again."""
    deadlines = Deadlines(**(PATIENT_BUT | {"data_block": 0.5}))
    with ChaosSmtp(certificates) as peer:
        result, _ = run(timed(peer, "deaf", deadlines, LARGE_BODY))
        assert (result.stage, result.failure, result.dot_written) == (Stage.BODY, Failure.TIMEOUT, False)
        assert peer.log == []


# -- The late final reply is evidence


async def late(peer: ChaosSmtp, recipient: str, seconds: float) -> tuple[TransactionResult, Reply | None]:
    session = await opened(peer)
    session._connection.deadlines = Deadlines(final_reply=0.2)
    result = await session.send(to(recipient), BODY, gate=Gate())
    reply = await session.late_reply(seconds)
    assert not session.usable
    session.abort()
    return result, reply


def test_a_late_final_reply_is_still_heard(certificates: Certificates) -> None:
    with ChaosSmtp(certificates) as peer:
        result, reply = run(late(peer, "late-0.6", 10))
    assert (result.stage, result.failure) == (Stage.DOT, Failure.TIMEOUT)
    assert reply == Reply(250, "2.0.0", "Ok, late but sure")


@pytest.mark.parametrize("recipient", ["hang", "drop-after-dot", "garbage-after-dot"])
def test_there_may_be_no_late_reply(certificates: Certificates, recipient: str) -> None:
    with ChaosSmtp(certificates) as peer:
        result, reply = run(late(peer, recipient, 0.3))
    assert (result.stage, reply) == (Stage.DOT, None)


def test_a_quit_that_is_not_answered_holds_nobody_up(certificates: Certificates) -> None:
    async def scenario(peer: ChaosSmtp) -> float:
        session = await opened(peer)
        session._connection.deadlines = Deadlines(reply=0.3)
        start = asyncio.get_running_loop().time()
        await session.quit()
        return asyncio.get_running_loop().time() - start

    with ChaosSmtp(certificates, script={"quit": Action(Kind.HANG)}) as peer:
        assert run(scenario(peer)) < 3


def test_one_slow_peer_holds_only_its_own_slot(certificates: Certificates) -> None:
    """Eight messages to a good peer go through while one to a silent peer waits for its deadline."""

    async def scenario(good: ChaosSmtp, silent: ChaosSmtp) -> list[Stage]:
        slow = asyncio.create_task(send_once(silent, to("hang-rcpt"), deadlines=Deadlines(reply=1.5)))
        quick = [await send_once(good, to(f"ok+{number}")) for number in range(8)]
        assert not slow.done()
        assert (await slow).failure is Failure.TIMEOUT
        return [result.stage for result in quick]

    with ChaosSmtp(certificates) as good, ChaosSmtp(certificates) as silent:
        assert run(scenario(good, silent)) == [Stage.DOT] * 8
