"""The trial of suspects (services/poison): a child process prepares and composes them, one after the other.

The bytes that it made are sent, so the loop itself never touches what a suspect is made of. A child that dies names the
message it died of, as every one before it is answered; and as only a loop that lives sees a child die, whatever kills
the loop meanwhile is counted against nobody.
"""

import asyncio
import base64
import json
import logging
import os
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from typing import NoReturn

from django.db import connections

from ampout.lib import clock
from ampout.lib.database_thread import DatabaseThread
from dispatch.rules.compose import CompositionRefused
from dispatch.rules.wire_hygiene import HygieneFailed
from dispatch.services import outbox
from dispatch.services.claim import Claim

logger = logging.getLogger(__name__)

SECONDS = 10
"""What one message may take; a child that needs longer counts as dead."""
LONGEST_ANSWER = 64_000_000
"""Octets; the largest message has 25,000,000 before base64."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one suspect came to: its bytes, in base64; or why it cannot be composed; or an error of ours."""

    sender: str = ""
    recipient: str = ""
    payload: str = ""
    subject: str = ""
    refusal: str = ""
    error: str = ""


async def findings(database: DatabaseThread, suspects: Sequence[Claim]) -> AsyncGenerator[Finding, None]:
    """What came of these suspects, in their order; where the child died, it was of the first without a finding.

    Raises OSError where no process can be made.
    """
    # By the thread that talks to the database, so that it is in the midst of nothing.
    pid, descriptor = await database.run_once(_fork, suspects)
    try:
        reader = asyncio.StreamReader(limit=LONGEST_ANSWER)
        pipe = os.fdopen(descriptor, "rb")
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        with closing(transport):
            while (line := await reader.readline()).endswith(b"\n"):
                yield Finding(**json.loads(line))
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            await asyncio.to_thread(os.waitpid, pid, 0)


def _fork(suspects: Sequence[Claim]) -> tuple[int, int]:
    """The child's id, and where its answers can be read."""
    answers, ours = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be_child(suspects, ours)
    os.close(ours)
    return pid, answers


def _be_child(suspects: Sequence[Claim], answers: int) -> NoReturn:
    try:
        # The loop decides when this ends; and it is the alarm's business where composing does not.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        # The parent's connection stays the parent's: it is neither used nor closed here.
        inherited = connections["default"]
        connections["default"] = connections.create_connection("default")
        for suspect in suspects:
            signal.alarm(SECONDS)
            answer = json.dumps(asdict(_try(suspect))).encode() + b"\n"
            signal.alarm(0)
            _write(answers, answer)
        del inherited
    finally:
        os._exit(0)


def _write(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _try(suspect: Claim) -> Finding:
    try:
        prepared = outbox.prepare([suspect])[suspect.message_id]
        envelope, payload = prepared.build(clock.utc_now())
    except (CompositionRefused, HygieneFailed) as refusal:
        return Finding(refusal=str(refusal))
    except Exception as error:  # noqa: BLE001  # told to the loop, which logs it
        return Finding(error=f"{type(error).__name__}: {error}")
    return Finding(envelope.sender, envelope.recipient, base64.b64encode(payload).decode(), prepared.subject)
