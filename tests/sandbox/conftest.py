"""The running sandbox as a fixture."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.running import RunningSandbox, run_sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    """A fresh sandbox on free loopback ports."""
    with run_sandbox(tmp_path) as running:
        yield running
