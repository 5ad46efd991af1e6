"""What mails in files are: one verdict a file, as `manage.py classify` prints it. No database is asked.

Which messages are ours cannot be known here. So every In-Reply-To and References counts as a reference to one of ours,
unless `strict` says that none does.
"""

import stat
from datetime import date
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from dispatch.gateways.known_dialects import with_known_dialects
from dispatch.knowledge import load_knowledge
from dispatch.rules.classify.classifier import classify
from dispatch.rules.classify.verdict import Classification
from dispatch.rules.mail.reader import Mail, read_mail

MAX_BYTES = 4 * 1024 * 1024
"""Bytes of a file that are read; the reader of mails takes less."""
_FIRST_YEAR = 1980


def judge_file(path: str, *, today: date, strict: bool = False) -> dict[str, Any]:
    """The verdict on the mail in a file, ready for JSON, or its `path` and an `error` where it cannot be read.

    It counts as received on the day of its Date header, or `today` where that names none or a later one.
    """
    try:
        raw = _read(path)
    except (OSError, ValueError) as error:
        return {"path": path, "error": _sentence(error)}
    mail = read_mail(raw)
    knowledge = load_knowledge()
    refers = not strict and bool(mail.message_ids("In-Reply-To", "References"))
    found = classify(mail, knowledge, received_on=_received_on(mail, today), refers_to_us=refers)
    return _verdict(path, with_known_dialects(found, mail, raw, knowledge))


def _read(path: str) -> bytes:
    """The beginning of a regular file. Raises OSError or ValueError: a device or pipe might never end."""
    file = Path(path)
    if not stat.S_ISREG(file.stat().st_mode):
        raise ValueError("This is not a regular file. Name files that hold one mail each.")
    with file.open("rb") as opened:
        return opened.read(MAX_BYTES)


def _sentence(error: OSError | ValueError) -> str:
    return f"The file cannot be read: {error.strerror}." if isinstance(error, OSError) else str(error)


def _received_on(mail: Mail, today: date) -> date:
    try:
        stated = parsedate_to_datetime(mail.header("Date")[:100]).date()
    except (ValueError, TypeError, IndexError, OverflowError):
        return today
    return stated if stated.year >= _FIRST_YEAR and stated <= today else today


def _verdict(path: str, found: Classification) -> dict[str, Any]:
    recipients = [
        {"address": recipient.address, "status": recipient.status, "hard": recipient.hard}
        for recipient in found.recipients
    ]
    return {
        "path": path,
        "kind": found.kind.value,
        "recipients": recipients,
        "return_date": found.return_date.isoformat() if found.return_date else None,
        "language": found.language,
        "reply_text": found.reply_text,
        "evidence": list(found.evidence),
    }
