"""`manage.py classify`: one JSON line a file, in order, without a database."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from dispatch.mail_files import MAX_BYTES, judge_file
from tests.rules.mails import ANSWERS_US, mail

PROJECT = Path(__file__).resolve().parents[2]
KEYS = ["path", "kind", "recipients", "return_date", "language", "reply_text", "evidence"]
TODAY = date(2026, 7, 20)
REQUIRED = {"SECRET_KEY", "DIGEST_KEY", "FIELD_KEYS", "DATABASE_URL", "CELERY_BROKER_URL"}


@pytest.fixture
def reply(tmp_path: Path) -> Path:
    return written(tmp_path / "reply.eml", mail("Re: Your offer", "Yes, please.", ANSWERS_US))


def written(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


def classified(*arguments: str) -> list[dict[str, Any]]:
    output = StringIO()
    call_command("classify", *arguments, stdout=output)
    return [json.loads(line) for line in output.getvalue().splitlines()]


def run(nowhere: Path, arguments: Sequence[str], stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """The command as after `make setup`: without a setting, `nowhere` being an empty data folder."""
    command = [sys.executable, str(PROJECT / "manage.py"), "classify", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in REQUIRED}
    environment["AMPOUT_DATA"] = str(nowhere)
    return subprocess.run(
        command, input=stdin, capture_output=True, cwd=PROJECT, env=environment, timeout=120, check=False
    )


def test_a_verdict_has_every_key(reply: Path) -> None:
    [verdict] = classified(str(reply))
    assert list(verdict) == KEYS
    assert (verdict["path"], verdict["kind"], verdict["reply_text"]) == (str(reply), "reply", "Yes, please.")
    assert (verdict["recipients"], verdict["return_date"]) == ([], None)


def test_a_file_that_cannot_be_read_is_a_line_in_its_place(tmp_path: Path, reply: Path) -> None:
    missing, folder, odd = str(tmp_path / "missing.eml"), str(tmp_path), "a\0b"
    found = classified(missing, str(reply), folder, odd)
    assert [verdict["path"] for verdict in found] == [missing, str(reply), folder, odd]
    assert found[0] == {"path": missing, "error": "The file cannot be read: No such file or directory."}
    assert found[2] == {"path": folder, "error": "This is not a regular file. Name files that hold one mail each."}
    assert set(found[3]) == {"path", "error"}


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "error" in judge_file(str(tmp_path / "pipe"), today=TODAY)


def test_recipients_stand_with_status_and_hardness(tmp_path: Path) -> None:
    raw = b"""From: MAILER-DAEMON@example.net
Content-Type: multipart/report; report-type=delivery-status; boundary=part

--part
Content-Type: message/delivery-status

Final-Recipient: rfc822; Ann@example.org
Action: failed
Status: 5.1.1
--part--
"""
    verdict = judge_file(str(written(tmp_path / "bounce.eml", raw)), today=TODAY)
    assert verdict["kind"] == "bounce"
    assert verdict["recipients"] == [{"address": "ann@example.org", "status": "5.1.1", "hard": True}]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Date: Mon, 15 Dec 2025 10:00:00 +0100", "2026-01-03"),
        ("Date: Mon, 15 Dec 2031 10:00:00 +0100", None),
        ("Date: nonsense", None),
        ("X-No-Date: at all", None),
    ],
)
def test_the_day_of_receipt_is_the_mails_own_or_today(tmp_path: Path, header: str, expected: str | None) -> None:
    raw = mail("Automatic reply: Your offer", "I am away until 3 January.", header)
    verdict = judge_file(str(written(tmp_path / "away.eml", raw)), today=TODAY)
    assert verdict["return_date"] == (expected or "2027-01-03")


def test_strict_takes_no_reference_for_ours(tmp_path: Path) -> None:
    raw = mail("Re: Your offer", "Fine.", ANSWERS_US, "Precedence: bulk")
    path = str(written(tmp_path / "list.eml", raw))
    assert [classified(path)[0]["kind"], classified(path, "--strict")[0]["kind"]] == ["reply", "auto_reply"]


def test_only_the_beginning_of_a_huge_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.eml"
    with path.open("wb") as file:
        file.write(mail("Re: Your offer", "Yes.\n", ANSWERS_US))
        file.truncate(100 * MAX_BYTES)
    assert judge_file(str(path), today=TODAY)["kind"] == "reply"


def test_paths_come_by_line_on_stdin_and_no_setting_is_needed(tmp_path: Path, reply: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/\xff.eml"
    done = run(tmp_path / "nowhere", [], os.fsencode(reply) + b"\n\n" + odd + b"\r\n")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, b"")
    assert [os.fsencode(verdict["path"]) for verdict in found] == [os.fsencode(reply), odd]
    assert [verdict.get("kind") for verdict in found] == ["reply", None]
