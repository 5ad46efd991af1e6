"""When the tests with Postfix may be skipped, and when they may not."""

import os
import shutil
from pathlib import Path

import pytest

from tests.real_peers.postfix import PROGRAMS, is_demanded, why_missing


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def add_program(folder: Path, name: str) -> None:
    (folder / name).touch(mode=0o755)


def test_what_is_missing_is_named_with_its_packages(empty_path: Path) -> None:
    add_program(empty_path, "postfix")
    reason = "not installed: postconf, saslpasswd2 (Debian: postfix, sasl2-bin, libsasl2-modules)"
    assert why_missing() == reason


def test_nobody_but_root_can_start_it(empty_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROGRAMS:
        add_program(empty_path, name)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    assert why_missing() == "only root can start a Postfix"


@pytest.mark.parametrize(
    ("ci", "has_apt", "user", "demanded"),
    [
        ("true", True, 0, True),
        ("", True, 0, False),
        ("true", False, 0, False),
        ("true", True, 1000, False),
    ],
)
def test_only_a_ci_that_could_install_it_may_not_go_without(
    empty_path: Path, monkeypatch: pytest.MonkeyPatch, ci: str, has_apt: bool, user: int, demanded: bool
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(os, "getuid", lambda: user)
    if has_apt:
        add_program(empty_path, "apt-get")
    assert (shutil.which("apt-get") is not None) is has_apt
    assert is_demanded() is demanded
