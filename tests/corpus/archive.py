"""Take what people wrote from public list archives: `python -m tests.corpus.archive SOURCE`.

SOURCE is the folder `test/corpora` of notmuch 0.37's source (Debian's source package; GPL-3+): mails of the lists of
notmuch and of the Linux kernel. Those that answer somebody are kept, patches are not. Every second one loses what the
list added, as whom it answers gets it directly. Mailboxes get names below `.example`, for their owners' peace.
"""

import email
import email.message
import email.utils
import re
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tests.corpus.labels import MAILS, Label, write_labels

WANTED = {"default": 30, "lkml": 80}
"""How many mails of each corpus."""
LARGEST = 14_000
LISTED = re.compile(
    rb"^(?:List-[\w-]+|Precedence|Sender|Errors-To|X-BeenThere|X-Mailman-Version|X-Mailing-List|X-From|Return-Path)"
    rb":.*\n"
    rb"(?:[ \t].*\n)*",
    re.IGNORECASE | re.MULTILINE,
)
DOMAIN = re.compile(rb"@((?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,})")


def is_wanted(mail: email.message.Message) -> bool:
    """Whether it is a person's answer to somebody."""
    subject = str(mail["Subject"])
    return bool(mail["In-Reply-To"]) and subject.lower().startswith("re:")


def answers(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The answers below a folder, by their Message-IDs, each once."""
    found: dict[str, tuple[Path, bytes]] = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        mail = email.message_from_bytes(content)
        if content and len(content) < LARGEST and is_wanted(mail):
            found.setdefault(str(mail["Message-ID"]), (path, content))
    yield from (found[message_id] for message_id in sorted(found))


def hide(content: bytes) -> bytes:
    """The mail with all domains of addresses and Message-IDs below `.example`."""
    return DOMAIN.sub(lambda found: b"@" + found[1].lower().replace(b".", b"-") + b".example", content)


def direct(content: bytes) -> bytes:
    """The mail without the fields of its list."""
    head, gap, body = content.partition(b"\n\n")
    return LISTED.sub(b"", head + b"\n").rstrip(b"\n") + gap + body


def main() -> None:
    """Write the mails and their labels."""
    folder = MAILS / "archives"
    folder.mkdir(parents=True, exist_ok=True)
    labels = []
    for corpus, count in WANTED.items():
        for number, (path, content) in enumerate(islice(answers(Path(sys.argv[1]) / corpus), count), 1):
            name = f"{corpus}-{number:02d}.eml"
            way = "as its list sent it" if number % 2 else "without the fields of its list"
            (folder / name).write_bytes(hide(content if number % 2 else direct(content)))
            date = email.utils.parsedate_to_datetime(str(email.message_from_bytes(content)["Date"])).date()
            source = f"notmuch 0.37 (Debian source), test/corpora/{corpus}: {path.name}, {way}"
            labels.append(Label(name, "reply", source, date, refers=True, language="en"))
    write_labels(labels, folder / "labels.toml")


if __name__ == "__main__":
    main()
