"""Many clients that make the same calls at the same time, and each of them until it is answered."""

import http.client
import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from ampout.supervisor.ports import HOST

MADE_AGAIN = frozenset({409, 429, 500, 502, 503})
"""Answers after which a client tries again."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: two of them are equal when they are alike to the byte."""

    status: int
    body: bytes
    is_replayed: bool = field(compare=False)

    @property
    def shown(self) -> Any:
        """What its JSON says."""
        return json.loads(self.body) if self.body else {}


@dataclass(frozen=True)
class Call:
    """A call with a key of its own.

    `effects` is a query that counts what it did; `facts` makes its values from what was answered.
    """

    key: str
    method: str
    path: str
    body: Any
    effects: str
    facts: Callable[[Any], tuple[Any, ...]]

    def make(self, port: int, bearer: str, body: Any = None) -> Reply | None:
        """Make it once, with another body if one is given; None when no answer came."""
        content = b"" if self.body is None and body is None else json.dumps(body or self.body).encode()
        headers = {"Authorization": f"Bearer {bearer}", "Idempotency-Key": self.key, "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(HOST, port, timeout=30)
        try:
            connection.request(self.method, self.path, content, headers)
            response = connection.getresponse()
            replayed = response.getheader("Idempotent-Replayed") == "true"
            return Reply(response.status, response.read(), replayed)
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


class Crowd:
    """So many clients, each of which makes all calls; a context manager. What they were answered is in `replies`."""

    def __init__(self, port: int, bearer: str, calls: Sequence[Call], clients: int) -> None:
        self.replies: dict[str, list[Reply]] = defaultdict(list)
        self.statuses: dict[int, int] = defaultdict(int)
        self.unanswered = 0
        self.wanted = len(calls) * clients
        self._clients = clients
        self._port, self._bearer, self._calls = port, bearer, calls
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, name=f"client {number}") for number in range(clients)]

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        """Let everybody call."""
        for thread in self._threads:
            thread.start()

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(60)

    @property
    def answered(self) -> int:
        """How many calls have an answer that stays."""
        return sum(map(len, list(self.replies.values())))

    def report(self) -> str:
        """What became of the calls."""
        missing = [call.key for call in self._calls if len(self.replies.get(call.key, [])) < self._clients]
        kinds = " ".join(f"{status}x{count}" for status, count in sorted(self.statuses.items()))
        return f"{self.answered} of {self.wanted}, unanswered {self.unanswered}, {kinds}, open {missing[:3]}"

    def _run(self) -> None:
        waiting = deque(self._calls)
        while waiting and not self._stop.is_set():
            call = waiting.popleft()
            reply = call.make(self._port, self._bearer)
            with self._lock:
                is_final = self._note(call, reply)
            if not is_final:
                waiting.append(call)
                time.sleep(0.1)

    def _note(self, call: Call, reply: Reply | None) -> bool:
        if reply is None:
            self.unanswered += 1
            return False
        self.statuses[reply.status] += 1
        if reply.status in MADE_AGAIN:
            return False
        self.replies[call.key].append(reply)
        return True
