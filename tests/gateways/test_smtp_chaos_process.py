"""The chaos peer as a process of its own: its log is true even when it is killed."""

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from credentials.gateways.smtp_connection import SmtpLogin
from dispatch.gateways.smtp_session import SmtpSession
from dispatch.rules.smtp_reply import Failure, Stage
from tests.gateways.smtp_cast import ALICE, BODY, PATIENT, Gate, run, target_of, to
from tests.peers.certificates import Certificates
from tests.peers.oracle_log import read_log


@contextmanager
def chaos_process(certificates: Certificates, log: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process, and the port that it printed."""
    module = [sys.executable, "-m", "tests.peers.chaos_smtp"]
    keys = ["--cert", str(certificates.good.chain), "--key", str(certificates.good.key)]
    with subprocess.Popen([*module, "--log", str(log), *keys, *more], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


async def deliver(certificates: Certificates, port: int, *recipients: str) -> list[tuple[Stage, Failure | None]]:
    login = SmtpLogin("localhost", port, "alice", "any", ca_file=str(certificates.authority))
    session = await SmtpSession.open(login, target_of(login), PATIENT)
    results = [await session.send(to(recipient), BODY, gate=Gate()) for recipient in recipients]
    await session.quit()
    return [(result.stage, result.failure) for result in results]


def test_every_message_that_was_answered_is_in_the_log(certificates: Certificates, tmp_path: Path) -> None:
    log = tmp_path / "oracle.jsonl"
    with chaos_process(certificates, log) as (process, port):
        ends = run(deliver(certificates, port, "ok+1", "5xx-rcpt", "5xx-after-dot", "ok+2", "drop-after-dot"))
        process.kill()
    assert ends[-1] == (Stage.DOT, Failure.DISCONNECTED)
    entries = read_log(log)
    assert [(entry["recipient"], entry["answer"]) for entry in entries] == [
        ("ok+1@recipient.example", "250"),
        ("ok+2@recipient.example", "250"),
        ("drop-after-dot@recipient.example", "none"),
    ]
    assert entries[0]["digest"] == hashlib.sha256(BODY).hexdigest()
    assert (entries[0]["message_id"], entries[0]["sender"]) == ("<1@sender.example>", ALICE)


def test_a_kill_loses_no_answered_message(certificates: Certificates, tmp_path: Path) -> None:
    """Killed while twenty conversations are under way: whoever saw a 250 is in the log."""
    log = tmp_path / "oracle.jsonl"
    accepted: list[str] = []

    async def lane(port: int, name: str) -> None:
        login = SmtpLogin("localhost", port, "alice", "any", ca_file=str(certificates.authority))
        session = await SmtpSession.open(login, target_of(login), PATIENT)
        for number in range(1_000):
            result = await session.send(to(f"ok+{name}-{number}"), BODY, gate=Gate())
            if result.reply is None or not result.connection_usable:
                session.abort()
                return
            accepted.append(to(f"ok+{name}-{number}").recipient)

    async def scenario(process: subprocess.Popen[str], port: int) -> None:
        lanes = [asyncio.create_task(lane(port, str(number))) for number in range(20)]
        while len(accepted) < 200:  # noqa: ASYNC110 - what is waited for happens in the lanes
            await asyncio.sleep(0.005)
        process.kill()
        await asyncio.gather(*lanes)

    with chaos_process(certificates, log) as (process, port):
        run(scenario(process, port))
    logged = [entry["recipient"] for entry in read_log(log)]
    assert set(accepted) <= set(logged)
    assert len(logged) == len(set(logged)) <= len(accepted) + 20
