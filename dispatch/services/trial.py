"""The trial of suspects (services/poison): a child process prepares and composes them, one after the other.

The bytes that it made are sent, so the loop itself never touches what a suspect is made of. A child that dies names the
message it died of, as every one before it is answered; and as only a loop that lives sees a child die, whatever kills
the loop meanwhile is counted against nobody. Nor is a database that is slow or away: what is counted is work, not time.
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

from django.db import InterfaceError, OperationalError, connections

from ampout.lib import clock
from ampout.lib.database_thread import DatabaseThread
from ampout.lib.parent_death import die_with_parent
from dispatch.rules.compose import CompositionRefused
from dispatch.rules.wire_hygiene import HygieneFailed
from dispatch.services import outbox
from dispatch.services.claim import Claim

logger = logging.getLogger(__name__)

SECONDS_OF_WORK = 5.0
"""The processor time that one message may take; a child that needs more dies of it."""
SECONDS = 60.0
"""The time that it may take; a child that waits longer, for the database, is ended, and says nothing of the message."""
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

    Raises OSError where no process can be made, and where the database kept the child from an answer.
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
        await asyncio.to_thread(_check_end, pid)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            await asyncio.to_thread(os.waitpid, pid, 0)


def _check_end(pid: int) -> None:
    """Wait for the end of this child, and leave it to be asked again. Raises OSError where it was the database's."""
    with suppress(ChildProcessError):
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        match ended and (ended.si_code, ended.si_status):
            case (os.CLD_KILLED, signal.SIGALRM):
                raise TimeoutError(f"A child was not ready after {SECONDS:.0f} s.")
            case (os.CLD_EXITED, os.EX_TEMPFAIL):
                raise ConnectionError("A child had no answer of the database.")


def _fork(suspects: Sequence[Claim]) -> tuple[int, int]:
    """The child's id, and where its answers can be read. Raises OSError."""
    answers, ours = os.pipe()
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        os.close(answers)
        os.close(ours)
        raise
    if pid == 0:
        _be_child(suspects, ours, parent)
    os.close(ours)
    return pid, answers


def _be_child(suspects: Sequence[Claim], answers: int, parent: int) -> NoReturn:
    status = os.EX_OK
    try:
        die_with_parent(signal.SIGKILL, parent)
        # The loop decides when this ends; and it is the timers' business where composing does not.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        # The parent's connection stays the parent's: it is neither used nor closed here.
        inherited = connections["default"]
        connections["default"] = connections.create_connection("default")
        for suspect in suspects:
            _allow(SECONDS_OF_WORK, SECONDS)
            answer = json.dumps(asdict(_try(suspect))).encode() + b"\n"
            _allow(0, 0)
            _write(answers, answer)
        del inherited
    except (OperationalError, InterfaceError):
        status = os.EX_TEMPFAIL
    finally:
        os._exit(status)


def _allow(seconds_of_work: float, seconds: float) -> None:
    """From now on, whichever comes first; 0 is without an end."""
    signal.setitimer(signal.ITIMER_PROF, seconds_of_work)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _write(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _try(suspect: Claim) -> Finding:
    """Raises OperationalError and InterfaceError: the database's own trouble says nothing of the message."""
    try:
        prepared = outbox.prepare([suspect])[suspect.message_id]
        envelope, payload = prepared.build(clock.utc_now())
    except (CompositionRefused, HygieneFailed) as refusal:
        return Finding(refusal=str(refusal))
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001  # told to the loop, which logs it
        return Finding(error=f"{type(error).__name__}: {error}")
    return Finding(envelope.sender, envelope.recipient, base64.b64encode(payload).decode(), prepared.subject)
