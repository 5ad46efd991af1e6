import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ampout.supervisor import programs
from ampout.supervisor.errors import StartError
from ampout.supervisor.programs import find_postgres, find_valkey


def forget() -> None:
    find_postgres.cache_clear()
    find_valkey.cache_clear()


@pytest.fixture(autouse=True)
def unremembered() -> Iterator[None]:
    """Nothing found before or here is remembered, least of all a made-up program by the tests that come after."""
    forget()
    yield
    forget()


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def make_program(folder: Path, name: str, script: str = "exit 0") -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_a_valkey_on_the_path_comes_first(empty_path: Path) -> None:
    make_program(empty_path, "redis-server")
    assert find_valkey() == empty_path / "redis-server"


@pytest.mark.usefixtures("empty_path")
def test_without_one_on_the_path_the_packaged_valkey_is_used() -> None:
    assert (find_valkey().name, os.access(find_valkey(), os.X_OK)) == ("valkey-server", True)


def test_a_postgres_on_the_path_comes_first(empty_path: Path) -> None:
    make_program(empty_path, "initdb")
    make_program(empty_path, "postgres", "echo 'postgres (PostgreSQL) 17.2 (Debian 17.2-1)'")
    assert find_postgres() == programs.PostgresPrograms(empty_path, 17)


@pytest.mark.parametrize("words", ["echo 'postgres (PostgreSQL) 13.4'", "exit 1", "echo nonsense"])
def test_a_postgres_that_is_too_old_or_broken_is_passed_over(empty_path: Path, words: str) -> None:
    make_program(empty_path, "initdb")
    make_program(empty_path, "postgres", words)
    assert find_postgres().folder != empty_path


def test_the_packaged_postgres_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    packaged = list(programs._postgres_folders())[-1]
    monkeypatch.setattr(programs, "_postgres_folders", lambda: iter([packaged]))
    assert find_postgres() == programs.PostgresPrograms(packaged, 18)


def test_without_any_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_postgres_folders", lambda: iter(()))
    with pytest.raises(StartError, match=r"^PostgreSQL 14 or newer was not found\. Install it, or set DATABASE_URL\.$"):
        find_postgres()
