"""The running sandbox as a fixture."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.running import RunningSandbox, run_sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[RunningSandbox]:
    """A fresh sandbox on free loopback ports."""
    with run_sandbox(tmp_path) as running:
        yield running


@pytest.fixture(autouse=True)
def quiet_server(caplog: pytest.LogCaptureFixture) -> None:
    """The server's log repeats what clients say, lone surrogates included, which parallel test runs cannot pass on."""
    caplog.set_level(logging.WARNING, logger="mail.log")
