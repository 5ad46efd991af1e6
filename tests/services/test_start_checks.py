"""A worker that could not do its work, or could lose a commit, does not start (promise A9)."""

import os
import subprocess
import sys

import pytest
from django.db import connection

from ampout.celery import LOOPS
from ampout.checks import unsafe_database_settings

pytestmark = pytest.mark.django_db(transaction=True)


def start_worker(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "celery", "-A", "ampout", "worker", *options]
    return subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, timeout=60, check=False)


def test_too_few_processes_end_the_worker_with_a_sentence() -> None:
    ended = start_worker("--concurrency", str(LOOPS))
    assert ended.returncode != 0
    assert "at least 4 processes" in ended.stderr
    assert "--concurrency 6" in ended.stderr


@pytest.mark.parametrize(("given", "named"), [("off", ["synchronous_commit"]), ("on", []), ("local", [])])
def test_a_server_that_may_lose_commits_is_named_with_the_fix(given: str, named: list[str]) -> None:
    """The tests' own server runs without fsync, and is told of as well."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET synchronous_commit = {given}")
    sentences = [one for one in unsafe_database_settings() if "fsync" not in one and "full_page" not in one]
    assert [one.partition(" = off")[0].rpartition(" ")[2] for one in sentences] == named
    assert all("= on in postgresql.conf" in one for one in sentences)
