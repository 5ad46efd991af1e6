"""A client of the API that repeats each call, under one Idempotency-Key, until it is answered for good."""

import http.client
import json
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any

from ampout.supervisor.ports import HOST
from tests.faults.repeaters import MADE_AGAIN

TIMEOUT_SECONDS = 10
PAUSE_SECONDS = 0.1
IN_FLIGHT = 409
PATIENCE_SECONDS = 3
"""With 409: who was killed over the call is only known to be dead after a minute, so it is made under a new key."""


class Stopped(Exception):
    """The run ends, and this call was not answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for good."""

    status: int
    body: bytes

    @property
    def is_good(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300

    @property
    def shown(self) -> Any:
        """What its JSON says."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of a refusal."""
        return str(self.shown.get("code", ""))


class Client:
    """The API of one web process for one key; usable from any thread. `ended` makes it give up."""

    def __init__(self, port: int, key: str, ended: threading.Event) -> None:
        self._port = port
        self._key = key
        self._ended = ended

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Make a call that may be made twice without harm. Raises Stopped."""
        content = b"" if body is None else json.dumps(body).encode()
        key, began = str(uuid.uuid4()), time.monotonic()
        while True:
            answer = self._try(method, path, content, key)
            if answer is not None and answer.status not in MADE_AGAIN:
                return answer
            if self._ended.wait(PAUSE_SECONDS):
                raise Stopped
            if answer is not None and answer.status == IN_FLIGHT and time.monotonic() - began > PATIENCE_SECONDS:
                key = str(uuid.uuid4())

    def _try(self, method: str, path: str, content: bytes, key: str) -> Answer | None:
        """Once; None where no answer came."""
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        connection = http.client.HTTPConnection(HOST, self._port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read())
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
