"""A notice in plain words, taken apart: what the machine says, and the message that it sends back."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dispatch.rules.classify.bounce_knowledge import BounceKnowledge
from dispatch.rules.classify.report_fields import is_status_part
from dispatch.rules.mail.reader import ATTACHED_HEADERS, Mail, read_mail

_MAX_NOTICE = 32 * 1024
"""Characters of the machine's own words that are looked at."""
_MAX_LINES = 800
_HEADER_LINE = re.compile(r"[> \t]{0,8}([A-Za-z][A-Za-z-]{1,40}):\s")
_ORIGIN_HEADERS = frozenset({"received", "return-path", "delivered-to", "x-originating-ip", "dkim-signature"})
_USUAL_HEADERS = frozenset(
    {"from", "to", "subject", "date", "message-id", "mime-version", "content-type", "cc", "sender"}
)
_HEADERS_IN_A_ROW = 12
_RULERS = re.compile(r"\A(?:[ \t>]{0,20}(?:[-=_|*]{0,100}|[-=_|*]{4,100} [^\n]{0,200})\n){1,20}")
_INDENT = re.compile(r"^[> \t]{1,8}", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Notice:
    """`text` is what the machine says (lines kept), `returned` the message it speaks of, as far as it came back."""

    text: str
    returned: Mail | None


def open_notice(mail: Mail, knowledge: BounceKnowledge) -> Notice:
    """The notice of a mail. What came back is an attached mail, its headers, or the text behind a line that says so."""
    text, rest = _cut(_own_words(mail), knowledge)
    attached = next((part.mail for part in mail.parts if part.mail), None)
    returned = attached or _from_text(rest) or _from_parts(mail)
    return Notice(text[:_MAX_NOTICE], returned)


def _own_words(mail: Mail) -> str:
    """The text of the mail without the fields of a delivery status."""
    texts = [
        part.text
        for part in mail.parts
        if part.content_type == "text/plain" and part.disposition != "attachment" and not is_status_part(part)
    ]
    text = "\n".join(texts)
    return text if text.strip() else mail.text


def _cut(text: str, knowledge: BounceKnowledge) -> tuple[str, str]:
    """The text before and behind the line where the returned message begins, or its headers do."""
    lines = text[: 4 * _MAX_NOTICE].split("\n")
    for index, line in enumerate(lines[:_MAX_LINES]):
        if _is_cut(line, knowledge):
            return "\n".join(lines[:index]), "\n".join(lines[index + 1 :])
        if index and _begins_headers(lines, index):
            return "\n".join(lines[:index]), "\n".join(lines[index:])
    return "\n".join(lines[:_MAX_LINES]), ""


def _is_cut(line: str, knowledge: BounceKnowledge) -> bool:
    line = " ".join(line[:200].lower().split())
    return bool(line) and any(rule.pattern.search(line) for rule in knowledge.cuts)


def _begins_headers(lines: list[str], index: int) -> bool:
    """Whether a header block begins here: with a trace of transport, or many usual headers in a row.

    Notices quote a few headers of the message in their own words, mostly indented; those are no header block.
    """
    if not _HEADER_LINE.match(lines[index]) or _HEADER_LINE.match(lines[index - 1]):
        return False
    names = set(_names_in_a_row(lines[index : index + _HEADERS_IN_A_ROW]))
    usual = _USUAL_HEADERS & names
    if lines[index].startswith((" ", "\t")):
        return "received" in names and bool(usual)
    return bool(_ORIGIN_HEADERS & names and usual) or ("message-id" in names and len(usual) > 4)


def _names_in_a_row(lines: list[str]) -> Iterator[str]:
    """The names of the headers that these lines begin with, in lower case."""
    for line in lines:
        if match := _HEADER_LINE.match(line):
            yield match[1].lower()
        elif not line.startswith((" ", "\t")) or not line.strip():
            return


def _from_text(text: str) -> Mail | None:
    """A mail out of quoted text, whose lines may be indented."""
    text = _RULERS.sub("", text[: 4 * _MAX_NOTICE])
    if not text.strip():
        return None
    mail = read_mail(_INDENT.sub("", text).encode() if text[:1] in {">", " ", "\t"} else text.encode())
    return mail if mail.headers else None


def _from_parts(mail: Mail) -> Mail | None:
    """A returned message in a part that does not say that it is one."""
    for part in mail.parts[1:]:
        if part.content_type in ATTACHED_HEADERS or not part.content_type.startswith("text/"):
            continue
        candidate = _from_text(part.text[:_MAX_NOTICE])
        if candidate and not is_status_part(part) and _ORIGIN_HEADERS.intersection(_names(candidate)):
            return candidate
    return None


def _names(mail: Mail) -> Iterator[str]:
    return (name.lower() for name, _ in mail.headers)
