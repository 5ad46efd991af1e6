"""A client of the API that goes on calling through every outage, and remembers what was acknowledged."""

import http.client
import itertools
import json
import threading
from typing import Self

from ampout.supervisor.ports import HOST
from tests.faults.waiting import wait_for


class Caller:
    """Posts imports of one contact each; a context manager. `acknowledged` are the addresses of those answered 2xx."""

    def __init__(self, port: int, key: str, every_seconds: float = 0.1) -> None:
        self.acknowledged: list[str] = []
        self.refused: list[int] = []
        self.unanswered = 0
        self._port = port
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._every_seconds = every_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caller")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def await_acknowledged(self, count: int, seconds: float) -> None:
        """Wait until so many calls were acknowledged."""
        wait_for(f"the API has answered {count} times", lambda: len(self.acknowledged) >= count, seconds, self.report)

    def report(self) -> str:
        """What became of the calls."""
        return f"{len(self.acknowledged)} acknowledged, {self.unanswered} unanswered, refused: {self.refused}"

    def _run(self) -> None:
        for number in itertools.count():
            if self._stop.wait(self._every_seconds):
                return
            self._call(f"acknowledged{number}@contacts.example")

    def _call(self, email: str) -> None:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=20)
        body = json.dumps({"name": email, "contacts": [{"email": email}]})
        try:
            connection.request("POST", "/contact_imports", body, self._headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            self.unanswered += 1
            return
        finally:
            connection.close()
        if 200 <= status < 300:
            self.acknowledged.append(email)
        else:
            self.refused.append(status)
