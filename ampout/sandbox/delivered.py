"""A delivered mail, as far as its recipient looks at it: whom to answer, what to quote, what to fetch."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import parseaddr
from html.parser import HTMLParser

from ampout.sandbox.mailboxes import is_kept

LONGEST_HEADER = 10_000
"""Characters of a header field that are looked at."""
LONGEST_TEXT = 20_000
"""Characters of a text that are quoted."""
MOST_LINKS = 50
"""Images and links that are looked at, each."""

_MESSAGE_ID = re.compile(r"<[^<>\s]{1,900}>")
_ONE_CLICK = re.compile(r"<(https?://[^<>\s]{1,2000})>")


@dataclass(frozen=True, slots=True)
class Delivered:
    """One mail in one recipient's mailbox."""

    received_at: datetime
    sender: str
    """The address in MAIL FROM; empty for a notice."""
    recipient: str
    """The address in RCPT TO."""
    login: str
    """Who handed it in."""
    message_id: str
    """With angle brackets; empty where it has none."""
    subject: str = ""
    from_name: str = ""
    from_address: str = ""
    reply_to: str = ""
    references: tuple[str, ...] = ()
    """The mails before it in its thread, the oldest first."""
    is_automatic: bool = False
    """Whether a program says that it wrote this (RFC 3834, section 5): then no program answers."""
    text: str = ""
    html: str = ""
    images: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    one_click: str = ""
    """Where to POST to unsubscribe (RFC 8058); empty where that is not offered."""
    header: bytes = b""
    """The header block as it came, with its last line end."""
    body: bytes = b""

    @property
    def answer_to(self) -> str:
        """Whom a person's answer goes to."""
        return self.reply_to or self.from_address or self.sender

    @property
    def recipient_name(self) -> str:
        """The recipient's name, made from the address: `anna.berg+reply@…` → `Anna Berg`."""
        local_part = self.recipient.rpartition("@")[0].partition("+")[0]
        return " ".join(word.capitalize() for word in re.split(r"[._-]+", local_part) if word)

    @property
    def domain(self) -> str:
        """The recipient's domain."""
        return self.recipient.rpartition("@")[2]


def read_delivered(
    raw: bytes, *, received_at: datetime, sender: str, recipient: str, login: str, message_id: str
) -> Delivered | None:
    """The mail ``raw`` as its recipient has it, under ``message_id``; None where no recipient would look at it.

    Takes time proportional to its length: larger mails, and those with very many parts, are not looked at.
    """
    if not is_kept(raw) or raw.lower().count(b"message/rfc822") > 3:
        return None
    header, _, body = raw.partition(b"\r\n\r\n")
    try:
        mail = BytesParser(policy=policy.compat32).parsebytes(raw)
        from_name, from_address = parseaddr(_field(mail, "From"))
        text, html = _bodies(mail)
    except (MessageError, ValueError, LookupError, RecursionError, AttributeError, TypeError):
        return None  # what the standard library stumbles over in broken mail
    wanted = _Wanted.of(html)
    return Delivered(
        received_at=received_at, sender=sender, recipient=recipient, login=login, message_id=message_id,
        subject=_decode(_field(mail, "Subject")), from_name=_decode(from_name), from_address=from_address,
        reply_to=parseaddr(_field(mail, "Reply-To"))[1],
        references=tuple(_MESSAGE_ID.findall(_field(mail, "References") or _field(mail, "In-Reply-To"))),
        is_automatic=not sender or _field(mail, "Auto-Submitted").lower() not in {"", "no"},
        text=text, html=html, images=wanted.images, links=wanted.links, one_click=_one_click(mail),
        header=header + b"\r\n", body=body,
    )  # fmt: skip


def _field(mail: Message, name: str) -> str:
    return str(mail.get(name, ""))[:LONGEST_HEADER].strip()


def _decode(value: str) -> str:
    """A header value in plain text, on one line; as it stands where its encoded words are broken."""
    try:
        shown = str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):
        shown = value
    return " ".join(shown.split())


def _bodies(mail: Message) -> tuple[str, str]:
    """The first plain text and the first HTML."""
    texts = {"text/plain": "", "text/html": ""}
    for part in mail.walk():
        kind = part.get_content_type()
        if kind in texts and not texts[kind]:
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                texts[kind] = payload.decode("utf-8", "replace").replace("\r\n", "\n")
    return texts["text/plain"][:LONGEST_TEXT], texts["text/html"]


def _one_click(mail: Message) -> str:
    if "one-click" not in _field(mail, "List-Unsubscribe-Post").lower():
        return ""
    return next(iter(_ONE_CLICK.findall(_field(mail, "List-Unsubscribe"))), "")


class _Wanted(HTMLParser):
    """The addresses of images and links, in their order, each once."""

    def __init__(self) -> None:
        super().__init__()
        self._images: dict[str, None] = {}
        self._links: dict[str, None] = {}

    @classmethod
    def of(cls, html: str) -> "_Wanted":
        """What ``html`` names."""
        wanted = cls()
        wanted.feed(html)
        return wanted

    @property
    def images(self) -> tuple[str, ...]:
        return tuple(self._images)[:MOST_LINKS]

    @property
    def links(self) -> tuple[str, ...]:
        return tuple(self._links)[:MOST_LINKS]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names."""
        for url in _values(tag, attrs):
            (self._images if tag == "img" else self._links).setdefault(url)


def _values(tag: str, attributes: list[tuple[str, str | None]]) -> Iterator[str]:
    wanted = {"img": "src", "a": "href"}.get(tag)
    return (value.strip() for name, value in attributes if name == wanted and value)
