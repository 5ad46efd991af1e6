"""The labels of the corpus: what each mail is, known from how it came about and never from the classifier."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

MAILS = Path(__file__).resolve().parents[1] / "fixtures/mail"
HEAD = """\
# What each mail of this folder is. `source` says where it is from: a server, its version and the fault that was made
# (tests/corpus makes it again), or a document. A recipient is hard when its address is no good for good; `also` are
# other names of the same recipient, such as where it was forwarded to. `refers` says that the mail names a message of
# ours. Addresses and hosts are reserved names. A label never comes from the classifier that is scored with it.
"""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient that a bounce or delay is about."""

    address: str
    hard: bool = False
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Label:
    """What one mail is; `path` is below tests/fixtures/mail, and in a file of labels below that file's folder."""

    path: str
    kind: str
    source: str
    received_on: date
    refers: bool = False
    recipients: tuple[Recipient, ...] = ()
    language: str = ""
    return_date: date | None = None

    @property
    def content(self) -> bytes:
        """The mail itself."""
        return (MAILS / self.path).read_bytes()


def read_labels() -> list[Label]:
    """All labels, ordered by path."""
    labels = []
    for path in MAILS.glob("*/labels.toml"):
        folder = path.parent.name
        labels += [_label(entry, folder) for entry in tomllib.loads(path.read_text(encoding="utf-8"))["mail"]]
    return sorted(labels, key=lambda label: label.path)


def _label(entry: dict[str, object], folder: str) -> Label:
    facts = entry | {"path": f"{folder}/{entry['path']}"}
    listed = facts.pop("recipients", [])
    assert isinstance(listed, list)
    recipients = tuple(Recipient(one["address"], one["hard"], tuple(one.get("also", ()))) for one in listed)
    return Label(recipients=recipients, **facts)  # type: ignore[arg-type]


def write_labels(labels: Iterable[Label], path: Path) -> None:
    """Write a file of labels, ordered by path."""
    blocks = [_block(label) for label in sorted(labels, key=lambda label: label.path)]
    path.write_text(HEAD + "".join(blocks), encoding="utf-8")


def _block(label: Label) -> str:
    lines = [
        f"path = {_quoted(label.path)}",
        f"kind = {_quoted(label.kind)}",
        f"source = {_quoted(label.source)}",
        f"received_on = {label.received_on}",
    ]
    lines += [f"refers = {str(label.refers).lower()}"]
    if label.recipients:
        lines.append(f"recipients = [{', '.join(map(_table, label.recipients))}]")
    if label.language:
        lines.append(f"language = {_quoted(label.language)}")
    if label.return_date:
        lines.append(f"return_date = {label.return_date}")
    return "\n[[mail]]\n" + "\n".join(lines) + "\n"


def _table(recipient: Recipient) -> str:
    also = f", also = [{', '.join(map(_quoted, recipient.also))}]" if recipient.also else ""
    return f"{{ address = {_quoted(recipient.address)}, hard = {str(recipient.hard).lower()}{also} }}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
