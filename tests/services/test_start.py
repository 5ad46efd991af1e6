"""What does not start, and why: each setting in a process of its own, as in production (promise 3.13)."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from ampout import env

PROJECT = Path(__file__).resolve().parents[2]
OURS = ("AMPOUT_", "DJANGO_", "ALLOW", "PUBLIC_URL", "BEHIND_PROXY", "DEBUG")
STRONG = secrets.token_urlsafe(48)
PRODUCTION = {
    "SECRET_KEY": STRONG,
    "DIGEST_KEY": secrets.token_urlsafe(48),
    "FIELD_KEYS": Fernet.generate_key().decode(),
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    "PUBLIC_URL": "https://mail.example.com",
    "ALLOWED_HOSTS": "mail.example.com",
    "BEHIND_PROXY": "1",
}


def manage(nowhere: Path, *arguments: str, **changed: str | None) -> "subprocess.CompletedProcess[str]":
    """A command under production's settings, some of them changed or left out."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    settings = {**bare, **PRODUCTION, "AMPOUT_DATA": str(nowhere), **changed}
    environment = {name: value for name, value in settings.items() if value is not None}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_production_passes_every_check_for_deployment(tmp_path: Path) -> None:
    answer = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING")
    assert (answer.returncode, answer.stdout) == (0, "System check identified no issues (0 silenced).\n"), answer.stderr


def test_what_weakens_it_fails_them(tmp_path: Path) -> None:
    weakened = {"PUBLIC_URL": "http://mail.example.com", "ALLOWED_HOSTS": "*"}
    answer = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **weakened)
    told = {"W004", "W008", "W012", "W016", "W002"}
    assert (answer.returncode, {word for word in told if f".{word}" in answer.stderr}) == (1, told)


WEAK = {
    "": "is empty",
    STRONG[:49]: "has fewer than 50 characters",
    "abcabcabc" * 8: "has too few different characters",
    f"django-insecure-{STRONG}": "is one that is known",
    f"CHANGE-ME-{STRONG}": "is one that is known",
}


@pytest.mark.parametrize("value", WEAK, ids=WEAK.values())
def test_a_key_that_can_be_guessed_is_refused_without_being_told(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SECRET_KEY", value)
    with pytest.raises(ImproperlyConfigured, match=f"SECRET_KEY {WEAK[value]}, .* Make one with: python -c") as refusal:
        env.secret("SECRET_KEY", strict=True)
    assert not value or value not in str(refusal.value)


@pytest.mark.parametrize("value", [STRONG, secrets.token_hex(32)], ids=["of letters", "of hex digits"])
def test_a_random_key_is_taken(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SECRET_KEY", value)
    assert env.secret("SECRET_KEY", strict=True) == value


@pytest.mark.parametrize(
    "value",
    [
        "mail.example.com",
        "ftp://mail.example.com",
        "https://",
        "https://[x",
        "https://a@b.example",
        "http://h:0",
        "//h",
    ],
)
def test_an_address_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("PUBLIC_URL", value)
    with pytest.raises(ImproperlyConfigured, match=r"PUBLIC_URL is .* Use an address such as https://mail"):
        env.url("PUBLIC_URL", "http://localhost")


REFUSED: dict[str, tuple[dict[str, str | None], str]] = {
    "no key": ({"SECRET_KEY": None}, "SECRET_KEY is not set"),
    "a short key": ({"SECRET_KEY": STRONG[:49]}, "SECRET_KEY has fewer than 50 characters"),
    "an empty digest key": ({"DIGEST_KEY": ""}, "DIGEST_KEY is empty"),
    "a debug mode": ({"DEBUG": "True"}, "DEBUG is set, but there is no debug mode"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_does_not_start(tmp_path: Path, name: str) -> None:
    changed, sentence = REFUSED[name]
    answer = manage(tmp_path, "check", **changed)
    assert answer.returncode == 1
    assert sentence in answer.stderr
    assert STRONG[:40] not in answer.stderr


def test_what_serves_and_what_sends_do_not_start_either(tmp_path: Path) -> None:
    weak = {**os.environ, **PRODUCTION, "SECRET_KEY": "secret", "AMPOUT_TEST": "0"}
    for module in ("ampout.wsgi", "ampout.celery"):
        code = f"import {module}; from django.conf import settings; settings.SECRET_KEY"
        answer = subprocess.run(
            [sys.executable, "-c", code], cwd=PROJECT, env=weak, capture_output=True, text=True, check=False
        )
        assert (answer.returncode, "SECRET_KEY is one that is known" in answer.stderr) == (1, True)


def test_the_host_of_the_public_address_is_always_let_in(tmp_path: Path) -> None:
    code = "from django.conf import settings; print(settings.ALLOWED_HOSTS, settings.DEBUG)"
    hosts = manage(tmp_path, "shell", "-v", "0", "-c", code, PUBLIC_URL="https://links.example.com:8443/").stdout
    assert hosts == "['mail.example.com', 'links.example.com'] False\n"


def test_a_command_that_needs_nothing_still_runs(tmp_path: Path) -> None:
    nothing: dict[str, str | None] = dict.fromkeys(PRODUCTION)
    answer = manage(tmp_path, "classify", "--help", **nothing)
    assert (answer.returncode, answer.stderr) == (0, "")
