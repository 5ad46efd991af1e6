"""Reading what an SMTP server sends: replies out of a stream of bytes, and what an EHLO reply offers.

Tolerant where servers are sloppy and nothing depends on it (LF line ends, lines of 2,048 octets where
RFC 5321 4.5.3.1.5 allows 512), strict where a wrong guess would be costly: what is not clearly a reply is garbage.
"""

import re
from dataclasses import dataclass

from credentials.rules.smtp_words import Reply

MAX_LINE_BYTES = 2_048
MAX_REPLY_BYTES = 65_536
MAX_REPLY_LINES = 200

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|\Z)")


class ReplyParser:
    """Cuts a byte stream into replies. After the first piece of garbage it is `broken` and reads nothing more."""

    __slots__ = ("_buffer", "_code", "_lines", "_size", "broken")

    def __init__(self) -> None:
        self._buffer = b""
        self._lines: list[str] = []
        self._code = b""
        self._size = 0
        self.broken = False

    @property
    def pending(self) -> bool:
        """Whether bytes have come that belong to no complete reply."""
        return self.broken or bool(self._buffer or self._lines)

    def feed(self, data: bytes) -> list[Reply]:
        """Take `data`; return the replies it completes. Those before the first garbage still count."""
        replies: list[Reply] = []
        if self.broken:
            return replies
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._take(line, replies)
            if self.broken:
                return replies
        self.broken = len(self._buffer) > MAX_LINE_BYTES
        return replies

    def _take(self, line: bytes, replies: list[Reply]) -> None:
        """Add one line, without its LF, to the reply it belongs to."""
        match = _LINE.fullmatch(line.rstrip(b"\r")) if len(line) <= MAX_LINE_BYTES else None
        self._size += len(line)
        if match is None or not self._fits(match[1]):
            self.broken = True
            return
        self._code = match[1]
        self._lines.append(_printable(match[3] or b""))
        if match[2] != b"-":
            replies.append(_make_reply(int(self._code), self._lines))
            self._lines, self._code, self._size = [], b"", 0

    def _fits(self, code: bytes) -> bool:
        """Whether a line may continue the reply: same code throughout (RFC 5321 4.2.1), within the caps."""
        same_code = self._code in {b"", code}
        return same_code and self._size <= MAX_REPLY_BYTES and len(self._lines) < MAX_REPLY_LINES


def _printable(raw: bytes) -> str:
    """The text of a line, with whatever a terminal or a database would choke on replaced by spaces."""
    text = raw.decode("utf-8", "replace")
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


def _make_reply(code: int, lines: list[str]) -> Reply:
    """The reply; its enhanced code is the first line's, and is taken off the lines that repeat it (RFC 2034)."""
    match = _ENHANCED.match(lines[0])
    if match is None:
        return Reply(code, None, "\n".join(lines))
    enhanced = match[1]
    return Reply(code, enhanced, "\n".join(_without(enhanced, line) for line in lines))


def _without(enhanced: str, line: str) -> str:
    """`line` without its leading enhanced code, where it has the same one."""
    match = _ENHANCED.match(line)
    return line[match.end() :] if match and match[1] == enhanced else line


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server offered in its EHLO reply (RFC 1869); `size_limit` in octets, None where it names none."""

    pipelining: bool = False
    starttls: bool = False
    eight_bit: bool = False
    smtputf8: bool = False
    size_limit: int | None = None
    login_methods: frozenset[str] = frozenset()


def parse_capabilities(reply: Reply) -> Capabilities:
    """The capabilities in an EHLO reply; unknown ones are passed over, the first line is the greeting."""
    offers: dict[str, list[str]] = {}
    for line in reply.text.upper().split("\n")[1:]:
        # `AUTH=PLAIN LOGIN` is how servers spoke before RFC 2554.
        keyword, *parameters = line.replace("AUTH=", "AUTH ").split() or [""]
        offers.setdefault(keyword, []).extend(parameters)
    return Capabilities(
        pipelining="PIPELINING" in offers,
        starttls="STARTTLS" in offers,
        eight_bit="8BITMIME" in offers,
        smtputf8="SMTPUTF8" in offers,
        size_limit=_size_limit(offers.get("SIZE", [])),
        login_methods=frozenset(offers.get("AUTH", [])),
    )


def _size_limit(parameters: list[str]) -> int | None:
    """The limit in octets; `SIZE` alone and `SIZE 0` mean that none is known (RFC 1870, section 3)."""
    first = parameters[0] if parameters else ""
    if not (first.isascii() and first.isdigit() and len(first) <= 20):
        return None
    return int(first) or None
