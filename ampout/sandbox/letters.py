"""Writing mail by hand: header lines and MIME parts as bytes, so that each recipient's software can have its own style.

Header values may come from hostile mail: control characters are taken out, so none begins a line of its own.
"""

from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Sequence
from dataclasses import dataclass
from email.header import Header
from email.utils import format_datetime, quote
from random import Random

from ampout.sandbox.delivered import Delivered

LINE_LIMIT = 900
"""Octets of a header line before it is cut; RFC 5322 allows 998."""

Field = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """A MIME part: the value of its Content-Type, and its body with CRLF line ends."""

    content_type: str
    body: bytes
    encoding: str = "7bit"


def write_mail(fields: Sequence[Field], part: Part) -> bytes:
    """A whole mail with these header fields, in this order; fields without a value are left out."""
    lines = "".join(header_line(name, value) for name, value in fields if value)
    return lines.encode() + b"MIME-Version: 1.0\r\n" + _part_bytes(part)


def text(words: str, subtype: str = "plain", encoding: str = "quoted-printable") -> Part:
    """A part of text in UTF-8; ``encoding`` is quoted-printable, base64, 8bit or 7bit (ASCII alone)."""
    body = words.replace("\n", "\r\n")
    if encoding == "quoted-printable":
        data = b2a_qp(body.encode(), istext=True)
    elif encoding == "base64":
        data = encodebytes(body.encode()).replace(b"\n", b"\r\n")
    else:
        data = body.encode()
    name = "us-ascii" if encoding == "7bit" else "utf-8"
    return Part(f"text/{subtype}; charset={name}", data, encoding)


def multipart(subtype: str, parts: Sequence[Part], boundary: str, more: str = "") -> Part:
    """Parts under one roof; ``more`` are further parameters, such as ``; report-type=delivery-status``."""
    inside = b"".join(b"--" + boundary.encode() + b"\r\n" + _part_bytes(part) + b"\r\n" for part in parts)
    content_type = f'multipart/{subtype}{more}; boundary="{boundary}"'
    return Part(content_type, inside + b"--" + boundary.encode() + b"--\r\n")


def make_boundary(dice: Random, style: str = "=_{}") -> str:
    """A boundary; ``{}`` in ``style`` becomes 24 hexadecimal digits, which no text of ours holds."""
    return style.format(f"{dice.getrandbits(96):024x}")


def header_line(name: str, value: str) -> str:
    """One header field, folded where it is long, encoded words where it is not ASCII (RFC 2047)."""
    clean = "".join(character if character.isprintable() else " " for character in value).strip()
    if clean.isascii():
        return f"{name}: {_fold(clean)}\r\n"
    words = Header(clean, "utf-8", header_name=name).encode(linesep="\r\n")
    return f"{name}: {words}\r\n"


def mailbox(name: str, address: str) -> str:
    """A name and an address as header fields have them; a name that is not ASCII becomes an encoded word."""
    clean = "".join(character for character in name if character.isprintable())
    if not clean:
        return address
    shown = f'"{quote(clean)}"' if clean.isascii() else Header(clean, "utf-8").encode(maxlinelen=0)
    return f"{shown} <{address}>"


def new_message_id(dice: Random, domain: str) -> str:
    """A Message-ID at ``domain``."""
    return f"<{dice.getrandbits(128):032x}@{domain}>"


def answer_fields(mail: Delivered, subject: str, message_id: str) -> list[Field]:
    """The fields that every answer to ``mail`` from its recipient has (RFC 5322, section 3.6.4)."""
    references = [*mail.references, mail.message_id][-20:]
    return [
        ("From", mailbox(mail.recipient_name, mail.recipient)),
        ("To", mailbox(mail.from_name, mail.answer_to)),
        ("Subject", subject),
        ("Date", format_datetime(mail.received_at)),
        ("Message-ID", message_id),
        ("In-Reply-To", mail.message_id),
        ("References", " ".join(references)),
    ]


def _part_bytes(part: Part) -> bytes:
    head = f"Content-Type: {part.content_type}\r\nContent-Transfer-Encoding: {part.encoding}\r\n\r\n"
    return head.encode() + part.body


def _fold(value: str) -> str:
    """Words of a long value on lines of their own; a word that is itself too long is cut."""
    lines = [""]
    for word in value.split(" "):
        if len(lines[-1]) + len(word) > 76 and lines[-1]:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word[:LINE_LIMIT]
    return "\r\n ".join(lines)
