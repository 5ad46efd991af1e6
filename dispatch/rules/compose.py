"""A message's bytes, built by hand: what is the same for a whole step is done once, the rest is joined.

`compile_step` takes a step's templates and a credential's identity; `build` adds one contact. Every value that reaches
a header is checked here, whoever checked it before. Lines end with CRLF and have at most 998 octets; the result is
7-bit, but for the header of a recipient whose local part is not ASCII (SMTPUTF8, RFC 6531).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from enum import StrEnum

from ampout.lib.text import find_control_character, looks_like_encoded_word
from campaigns.rules.merge_tags import CompiledTemplate, OutputTooLarge, compile_template
from dispatch.rules.header_text import LINE_LIMIT, folded_words, mailbox, unstructured
from dispatch.rules.tracked_html import PIXEL_NAME, TrackedTemplate, compile_links, with_pixel

LONGEST_SUBJECT = 998
"""Characters."""

LONGEST_NAME = 320
"""Characters of a sender's display name."""

LONGEST_ADDRESS = 320
"""Characters: 64 of a local part, the @, 255 of a domain (RFC 3696 erratum 1690)."""

LONGEST_URL = 900
"""Characters: with its field's name, one line."""

THREAD_KEPT = 20
"""Message-IDs in References: the first, which names the thread, and the latest."""

OWN_FIELDS = frozenset(
    {
        *("date", "from", "sender", "reply-to", "to", "cc", "bcc", "subject", "message-id", "in-reply-to"),
        *("references", "return-path", "list-unsubscribe", "list-unsubscribe-post", "mime-version"),
        *("content-type", "content-transfer-encoding", "content-disposition", "received", "dkim-signature"),
    },
)
"""Fields that are ours to write, or nobody's: a preset cannot add them."""

_ADDRESS = re.compile(r"[^\s()<>@,;:\\\"\[\]]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]+@[!-;=?-~]+>")
_MARK = re.compile(r"[!-~]+")
_URL = re.compile(r"https?://[!#-;=?-~]+")
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
_LINE_END = re.compile("\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")


class CompositionReason(StrEnum):
    """Why a message was not built."""

    CONTROL_CHARACTER = "control_character"
    """A line end or another control character, with which a value could start a header of its own."""
    ENCODED_WORD = "encoded_word"
    """Text that mail software would decode to something else (CVE-2024-6923)."""
    TOO_LONG = "too_long"
    INVALID = "invalid"
    """Not an address, Message-ID, link, date or field name."""
    RESERVED = "reserved"
    """A field that a preset must not set."""


class CompositionRefused(ValueError):
    """No message can be made of these facts. `field` says which is meant; the values themselves are not repeated."""

    def __init__(self, field: str, reason: CompositionReason, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CompiledMessage:
    """What all messages of one step from one credential share; made by compile_step."""

    from_line: str
    from_value: str
    from_smtputf8: bool
    subject: CompiledTemplate
    text: CompiledTemplate
    html: CompiledTemplate | TrackedTemplate | None
    extra_lines: str
    extra_fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What is one message's own.

    `to_address` is the envelope's form: the local part as spelt, the domain in A-labels. `thread` holds the Message-IDs
    of the messages before it, oldest first, and `thread_subject` the subject that the thread was begun with.
    `values` are the contact's; `unsubscribe_url` becomes the merge tag of that name as well. `marks` are header fields
    by which the provider's reports name the message. `open_pixel_url` and `track`, which gives the address that leads
    through us to another one, are wanted where the step was compiled so.
    """

    to_address: str
    message_id: str
    date: datetime
    values: Mapping[str, str] = field(default_factory=dict)
    unsubscribe_url: str | None = None
    thread: tuple[str, ...] = ()
    thread_subject: str = ""
    marks: tuple[tuple[str, str], ...] = ()
    open_pixel_url: str = ""
    track: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True)
class BuiltMessage:
    """The bytes, ready for dot-stuffing, and what they should say.

    `headers` are the fields in order with their values as a reader decodes them, taken from the facts: hand them to
    wire_hygiene.check_wire. `subject` is what a follow-up with an empty subject answers to. `smtputf8` says that the
    server must offer that extension.
    """

    payload: bytes
    headers: tuple[tuple[str, str], ...]
    subject: str
    smtputf8: bool


def compile_step(
    *,
    from_name: str,
    from_email: str,
    subject: str,
    body_text: str,
    body_html: str | None = None,
    track_opens: bool = False,
    track_clicks: bool = False,
    extra_headers: Sequence[tuple[str, str]] = (),
) -> CompiledMessage:
    """Prepare a step's templates (the footer already in them) for one credential's identity.

    `body_html` of None or blank makes a message of plain text alone. Raises CompositionRefused.
    """
    name = " ".join(_header_text("from_name", from_name, LONGEST_NAME).split())
    _check_address("from_email", from_email)
    for extra_name, extra_value in extra_headers:
        _check_extra(extra_name, extra_value)
    from_line, from_value = mailbox("From", name, from_email)
    return CompiledMessage(
        from_line=from_line,
        from_value=from_value,
        from_smtputf8=not from_email.isascii(),
        subject=compile_template(_header_text("subject", subject, LONGEST_SUBJECT), html=False),
        text=compile_template(_clean_body("body_text", body_text), html=False),
        html=_compile_html(body_html, track_opens=track_opens, track_clicks=track_clicks),
        extra_lines="".join(unstructured(extra_name, value.strip(" ")) for extra_name, value in extra_headers),
        extra_fields=tuple((extra_name, value.strip(" ")) for extra_name, value in extra_headers),
    )


def build(compiled: CompiledMessage, facts: MessageFacts) -> BuiltMessage:
    """The message for one contact. Raises CompositionRefused."""
    values = facts.values
    if facts.unsubscribe_url is not None:
        values = {**values, "unsubscribe_url": facts.unsubscribe_url}
    subject = _subject(compiled, values, facts.thread_subject)
    lines, fields = _headers(compiled, facts, subject)
    text = _render("body_text", compiled.text, values)
    html = None if compiled.html is None else _render_html(compiled.html, values, facts)
    tail, tail_fields, body = _body(facts.message_id, text, html)
    smtputf8 = compiled.from_smtputf8 or not facts.to_address.isascii()
    payload = f"{lines}{compiled.extra_lines}{_mark_lines(facts.marks)}{tail}\r\n".encode() + body
    return BuiltMessage(payload, (*fields, *compiled.extra_fields, *facts.marks, *tail_fields), subject, smtputf8)


def reply_subject(subject: str) -> str:
    """The subject of an answer to `subject`: "Re: " before it, unless it has that already."""
    return subject if subject[:3].lower() == "re:" else f"Re: {subject}"


def is_message_id(text: str) -> bool:
    """Whether `text` can stand in Message-ID, In-Reply-To and References; an id read from a server's reply may not."""
    return len(text) <= LINE_LIMIT - len("In-Reply-To: ") and _MESSAGE_ID.fullmatch(text) is not None


# -- The header


def _subject(compiled: CompiledMessage, values: Mapping[str, str], thread_subject: str) -> str:
    subject = _render("subject", compiled.subject, values).strip(" ")
    if not subject and thread_subject:
        subject = reply_subject(thread_subject.strip(" "))
    return _header_text("subject", subject, LONGEST_SUBJECT)


def _headers(compiled: CompiledMessage, facts: MessageFacts, subject: str) -> tuple[str, list[tuple[str, str]]]:
    """The lines up to the presets' own, and the fields they should be read as."""
    _check_address("to_address", facts.to_address)
    _check_message_id("message_id", facts.message_id)
    date = _date(facts.date)
    subject_line = unstructured("Subject", subject) if subject else "Subject:\r\n"
    lines = (
        f"Date: {date}\r\n{compiled.from_line}To: {facts.to_address}\r\n"
        f"{subject_line}Message-ID: {facts.message_id}\r\n"
    )
    fields = [
        ("Date", date),
        ("From", compiled.from_value),
        ("To", facts.to_address),
        ("Subject", subject),
        ("Message-ID", facts.message_id),
    ]
    if facts.thread:
        lines += _thread_lines(facts.thread, fields)
    if facts.unsubscribe_url is not None:
        lines += _unsubscribe_lines(facts.unsubscribe_url, fields)
    return lines, fields


def _thread_lines(thread: tuple[str, ...], fields: list[tuple[str, str]]) -> str:
    """In-Reply-To and References (RFC 5322, section 3.6.4); adds to `fields`."""
    for identifier in thread:
        _check_message_id("thread", identifier)
    kept = thread if len(thread) <= THREAD_KEPT else (thread[0], *thread[1 - THREAD_KEPT :])
    fields.append(("In-Reply-To", kept[-1]))
    fields.append(("References", " ".join(kept)))
    return f"In-Reply-To: {kept[-1]}\r\n{folded_words('References', kept)}"


def _unsubscribe_lines(url: str, fields: list[tuple[str, str]]) -> str:
    """One-click unsubscription (RFC 8058, section 3.1); adds to `fields`."""
    if len(url) > LONGEST_URL or not _URL.fullmatch(url):
        raise _invalid("unsubscribe_url", "It is not a web address of at most 900 ASCII characters.")
    fields.append(("List-Unsubscribe", f"<{url}>"))
    fields.append(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    return f"List-Unsubscribe: <{url}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


def _mark_lines(marks: tuple[tuple[str, str], ...]) -> str:
    """The fields that come back in reports, each on one line."""
    for name, value in marks:
        _check_extra(name, value)
        if not _MARK.fullmatch(value) or len(name) + len(value) + 2 > LINE_LIMIT:
            raise _invalid("marks", f"The value of {name} is not one word of printable ASCII.")
    return "".join(f"{name}: {value}\r\n" for name, value in marks)


def _date(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise _invalid("date", "It has no time zone.")
    return format_datetime(moment)


def _header_text(field_name: str, text: str, limit: int) -> str:
    """`text`, when it can stand in a header. The sentence quotes nothing of it."""
    if len(text) > limit:
        raise CompositionRefused(
            field_name, CompositionReason.TOO_LONG, f"It has {len(text):,} characters; {limit} are allowed."
        )
    # What is printable has no control character; most subjects are, and need no second look.
    if not text.isprintable() and (found := find_control_character(text)):
        raise CompositionRefused(
            field_name, CompositionReason.CONTROL_CHARACTER, f"It contains the control character {found}."
        )
    if looks_like_encoded_word(text):
        raise CompositionRefused(
            field_name, CompositionReason.ENCODED_WORD, 'It contains "=?…?q?" or "=?…?b?", which mail software decodes.'
        )
    return text


def _check_address(field_name: str, address: str) -> None:
    _header_text(field_name, address, LONGEST_ADDRESS)
    if not _ADDRESS.fullmatch(address):
        raise _invalid(field_name, "It is not one bare email address with its domain in ASCII.")


def _check_message_id(field_name: str, identifier: str) -> None:
    if not is_message_id(identifier):
        raise _invalid(field_name, "It is not a Message-ID: <left@right> in printable ASCII.")


def _check_extra(name: str, value: str) -> None:
    if not _FIELD_NAME.fullmatch(name):
        raise _invalid("extra_headers", "The name of a field is letters, digits and hyphens.")
    if name.lower() in OWN_FIELDS:
        raise CompositionRefused("extra_headers", CompositionReason.RESERVED, f"{name} cannot be set by a preset.")
    if not _header_text("extra_headers", value, LONGEST_SUBJECT).strip(" "):
        raise _invalid("extra_headers", f"{name} has no value.")


def _invalid(field_name: str, message: str) -> CompositionRefused:
    return CompositionRefused(field_name, CompositionReason.INVALID, message)


# -- The body


def _compile_html(
    body: str | None, *, track_opens: bool, track_clicks: bool
) -> CompiledTemplate | TrackedTemplate | None:
    if body is None or not body.strip():
        return None
    text = _clean_body("body_html", with_pixel(body) if track_opens else body)
    return compile_links(text) if track_clicks else compile_template(text, html=True)


def _clean_body(field_name: str, body: str) -> str:
    """The template with CRLF line ends, the last line's included, so that rendering need not look for them."""
    text = _LINE_END.sub("\n", body)
    if found := find_control_character(text, multiline=True):
        raise CompositionRefused(
            field_name, CompositionReason.CONTROL_CHARACTER, f"It contains the control character {found}."
        )
    return text.rstrip("\n").replace("\n", "\r\n") + "\r\n"


def _render(field_name: str, template: CompiledTemplate, values: Mapping[str, str]) -> str:
    try:
        return template.render(values)
    except OutputTooLarge as error:
        raise CompositionRefused(field_name, CompositionReason.TOO_LONG, str(error)) from None


def _render_html(template: CompiledTemplate | TrackedTemplate, values: Mapping[str, str], facts: MessageFacts) -> str:
    values = {**values, PIXEL_NAME: facts.open_pixel_url}
    if isinstance(template, CompiledTemplate):
        return _render("body_html", template, values)
    try:
        return template.render(values, facts.track or str)
    except OutputTooLarge as error:
        raise CompositionRefused("body_html", CompositionReason.TOO_LONG, str(error)) from None


def _body(message_id: str, text: str, html: str | None) -> tuple[str, list[tuple[str, str]], bytes]:
    """The MIME fields as lines and as a reader has them, and the body below them."""
    text_encoding, text_body = _encode(text)
    if html is None:
        fields = [
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", text_encoding),
        ]
        return "".join(f"{name}: {value}\r\n" for name, value in fields), fields, text_body
    html_encoding, html_body = _encode(html)
    boundary = _boundary(message_id, text_body, html_body)
    content_type = f'multipart/alternative; boundary="{boundary}"'
    body = b"".join(
        (
            _part_head(boundary, "plain", text_encoding),
            text_body,
            _part_head(boundary, "html", html_encoding),
            html_body,
            f"--{boundary}--\r\n".encode("ascii"),
        ),
    )
    fields = [("MIME-Version", "1.0"), ("Content-Type", content_type)]
    return f"MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n", fields, body


def _part_head(boundary: str, subtype: str, encoding: str) -> bytes:
    head = (
        f"--{boundary}\r\nContent-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode("ascii")


def _encode(body: str) -> tuple[str, bytes]:
    """A body with CRLF line ends as (Content-Transfer-Encoding, 7-bit bytes): the plainest of RFC 2045 that is safe.

    Text that is ASCII goes as it is when its lines allow; other text as quoted-printable, or base64 where that is
    shorter.
    """
    content = body.encode()
    if body.isascii() and max(map(len, content.split(b"\r\n"))) <= LINE_LIMIT:
        return "7bit", content
    quoted = binascii.b2a_qp(content, istext=True)
    base64_size = (len(content) + 2) // 3 * 4 * 78 // 76
    if len(quoted) <= base64_size:
        return "quoted-printable", quoted
    return "base64", base64.encodebytes(content).replace(b"\n", b"\r\n")


def _boundary(message_id: str, *bodies: bytes) -> str:
    """A delimiter that occurs in no body; "=_" cannot in encoded ones (RFC 2045, section 6.7)."""
    digest = hashlib.sha256(message_id.encode("ascii"))
    while any(digest.hexdigest()[:32].encode("ascii") in body for body in bodies):
        digest.update(b"again")
    return f"=_{digest.hexdigest()[:32]}"
