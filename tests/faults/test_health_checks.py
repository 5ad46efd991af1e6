"""G14: /readyz says after three periods that beat or the workers stand still, and when all is well again."""

import http.client
import json
from typing import Any

import redis

from tests.faults.conftest import StartLab
from tests.faults.lab import Lab
from tests.faults.waiting import wait_for


def ask(lab: Lab, path: str) -> tuple[int, str]:
    """The answer of the lab's web process, asked by address."""
    connection = http.client.HTTPConnection("127.0.0.1", lab.web_port, timeout=20)
    try:
        connection.request("GET", path, headers={"Host": "10.9.8.7"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def await_ready(lab: Lab) -> None:
    wait_for("all is ready", lambda: ask(lab, "/readyz")[0] == 200, 60, lab.report)


def await_trouble(lab: Lab, name: str) -> dict[str, Any]:
    """The check of that name, once it fails."""
    found: dict[str, Any] = {}

    def fails() -> bool:
        status, text = ask(lab, "/readyz")
        found.update(json.loads(text)["details"]["checks"][name] if status == 503 else {"ok": True})
        return not found["ok"]

    wait_for(f"{name} is in trouble", fails, 30, lab.report)
    return found


def test_killed_beats_and_workers_are_told_after_three_periods(start_lab: StartLab) -> None:
    lab = start_lab(settings={"PLAN_EVERY_SECONDS": "2"})
    await_ready(lab)
    lab.kill("beat0")
    check = await_trouble(lab, "beat")
    assert check["value"] >= 6
    assert check["limit"] == 6
    assert check["message"].endswith("beat, the broker or every worker stands still.")
    assert ask(lab, "/healthz") == (200, '{"status": "ok"}')
    assert "ampout_beat_age_seconds" in ask(lab, "/metrics")[1]
    # What was known of beat is in the database: an empty broker changes nothing.
    with redis.Redis(unix_socket_path=str(lab.servers.valkey.socket_path)) as client:
        client.flushall()
    assert await_trouble(lab, "beat")["value"] >= 6
    lab.programs["beat0"].start()
    await_ready(lab)
    lab.kill("worker0")
    assert await_trouble(lab, "beat")["value"] >= 6
