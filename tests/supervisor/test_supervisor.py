"""The whole program, as `make run` starts it: one cold start, a kill, a warm start, a stop."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ampout.supervisor.children import descendants, is_running
from ampout.supervisor.kept_environment import PROJECT

OURS = re.compile(r"AMPOUT_|DATABASE_URL|CELERY_|SECRET_KEY|FIELD_KEYS|DIGEST_KEY|ALLOW_|DNS_|DJANGO_")
START_SECONDS = 120


def launch(data: Path, **settings: str) -> "subprocess.Popen[str]":
    """A supervisor as a newcomer starts it: nothing set but where its data and port are."""
    environment = {name: value for name, value in os.environ.items() if not OURS.match(name)}
    return subprocess.Popen(
        [sys.executable, "-m", "ampout.supervisor"],
        env={**environment, "AMPOUT_DATA": str(data), **settings},
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def read_until_up(process: "subprocess.Popen[str]") -> dict[str, str]:
    """What it prints until its first live line, by name."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.strip())
        if " UTC  up " in line:
            return dict(text.split(": ", 1) for text in lines if ": " in text)
    raise AssertionError(f"{lines} {process.stderr and process.stderr.read()}")


def family_of(process: "subprocess.Popen[str]") -> list[int]:
    return [process.pid, *descendants(process.pid)]


def left_of(family: list[int]) -> list[int]:
    """Which of these processes still run, after giving them five seconds to end."""
    deadline = time.monotonic() + 5
    while (left := [pid for pid in family if is_running(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def get(url: str) -> int:
    host = url.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(host, timeout=30)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    finally:
        connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Story:
    """What happened, in the order in which it happened."""

    cold: dict[str, str] = field(default_factory=dict)
    health: int = 0
    second: tuple[int, str] = (0, "")
    postgres_restarted: bool = False
    left_after_kill: list[int] = field(default_factory=list)
    warm: dict[str, str] = field(default_factory=dict)
    warm_seconds: float = 0
    stop_code: int = -1
    stop_seconds: float = 0
    left_after_stop: list[int] = field(default_factory=list)


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with tempfile.TemporaryDirectory(prefix="amp") as folder:
        data, port = Path(folder), str(free_port())
        happened = Story()
        run_cold(happened, data, {"AMPOUT_PORT": port})
        run_warm(happened, data, {"AMPOUT_PORT": port})
        yield happened


def run_cold(happened: Story, data: Path, settings: Mapping[str, str]) -> None:
    with launch(data, **settings) as process:
        happened.cold = read_until_up(process)
        happened.health = get(happened.cold["API"])
        with launch(data, **settings) as second:
            _, sentence = second.communicate(timeout=START_SECONDS)
            happened.second = (second.returncode, sentence)
        happened.postgres_restarted = kill_postgres(data)
        family = family_of(process)
        process.kill()
        process.communicate()
        happened.left_after_kill = left_of(family)


def kill_postgres(data: Path) -> bool:
    """Kill the server; whether another one is ready within half a minute."""
    lock = data / "postgres" / "postmaster.pid"
    killed = lock.read_text().split()[0]
    os.kill(int(killed), signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        lines = lock.read_text().splitlines() if lock.exists() else []
        if len(lines) > 7 and lines[0] != killed and lines[7].startswith("ready"):
            return True
        time.sleep(0.05)
    return False


def run_warm(happened: Story, data: Path, settings: Mapping[str, str]) -> None:
    began = time.monotonic()
    with launch(data, **settings) as process:
        happened.warm = read_until_up(process)
        happened.warm_seconds = time.monotonic() - began
        family = family_of(process)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=START_SECONDS)
        happened.stop_code = process.returncode
        happened.stop_seconds = time.monotonic() - began
        happened.left_after_stop = left_of(family)


def test_the_first_start_prints_everything_a_newcomer_needs(story: Story) -> None:
    names = ["API", "Admin", "Operator", "API key", "Sandbox SMTP", "Sandbox IMAP", "Sandbox log"]
    assert [name for name in names if name not in story.cold] == []


def test_the_first_start_prints_a_key_and_a_login(story: Story) -> None:
    assert re.fullmatch(r"ak_live_\S{43}", story.cold["API key"])
    assert re.fullmatch(r"operator / \S{16}", story.cold["Operator"])


def test_the_first_start_names_every_scaled_setting(story: Story) -> None:
    scaled = story.cold["Scaled down for the sandbox, in seconds"]
    assert re.findall(r"(\w+)=\d+", scaled) == [
        "RETRY_FIRST_SECONDS",
        "RETRY_CEILING_SECONDS",
        "RETRY_GIVE_UP_SECONDS",
        "UNKNOWN_GRACE_SECONDS",
        "POLL_EVERY_SECONDS",
    ]


def test_the_web_process_answers_where_the_summary_says(story: Story) -> None:
    assert story.health == 200


def test_a_second_supervisor_on_the_same_data_is_refused_by_one_sentence(story: Story) -> None:
    code, sentence = story.second
    assert (code, sentence.count("\n")) == (1, 1)
    assert re.match(r"Another Ampout \(process \d+\) runs on \S+\. Stop it, or set AMPOUT_DATA", sentence)


def test_a_killed_postgres_is_started_again(story: Story) -> None:
    assert story.postgres_restarted


def test_a_killed_supervisor_leaves_no_process_behind(story: Story) -> None:
    assert story.left_after_kill == []


def test_the_second_start_repeats_no_secret(story: Story) -> None:
    assert {"API key", "Operator"} & set(story.warm) == set()


def test_the_second_start_has_the_same_addresses(story: Story) -> None:
    names = ("API", "Admin", "Sandbox SMTP", "Sandbox IMAP", "Sandbox log")
    assert [story.warm[name] for name in names] == [story.cold[name] for name in names]


def test_a_stop_is_clean_and_takes_seconds(story: Story) -> None:
    assert (story.stop_code, story.left_after_stop) == (0, [])
    assert story.stop_seconds < 20


def test_a_port_in_use_is_one_sentence_and_starts_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with launch(tmp_path, AMPOUT_PORT=port) as process:
            out, sentence = process.communicate(timeout=START_SECONDS)
    assert (process.returncode, out) == (1, "")
    assert sentence == f"Port {port} is in use by another program. Set AMPOUT_PORT to a free one.\n"


def test_a_database_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    url = "postgres://ampout:hidden@127.0.0.1:9/ampout"
    with launch(tmp_path, AMPOUT_PORT=str(free_port()), DATABASE_URL=url) as process:
        _, sentence = process.communicate(timeout=START_SECONDS)
    assert (process.returncode, sentence.count("\n"), "hidden" in sentence) == (1, 1, False)
    assert sentence.startswith("The bootstrap failed: The database does not answer: ")
