"""The words of an SMTP conversation: where it stands, what the server said, and how it can go silent.

Shared by the login check (credentials) and the delivery session (dispatch), hence down here.
"""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """The part of a conversation in which it ended, in the order of RFC 5321 (3, 4.1.4) and RFC 3207."""

    CONNECT = "connect"
    """Name lookup and the TCP connection."""
    BANNER = "banner"
    """The server's first reply (RFC 5321 3.1)."""
    EHLO = "ehlo"
    """Our greeting, before or after TLS."""
    STARTTLS = "starttls"
    """Setting up TLS, by STARTTLS or from the first byte (port 465)."""
    AUTH = "auth"
    """The login (RFC 4954)."""
    MAIL = "mail"
    """The envelope sender."""
    RCPT = "rcpt"
    """The envelope recipient."""
    DATA = "data"
    """The DATA command, answered by 354."""
    BODY = "body"
    """The message itself, until its final dot is written."""
    DOT = "dot"
    """Everything after the final dot was written: from here on silence proves nothing (RFC 1047)."""


class Failure(StrEnum):
    """How a conversation ended without a reply that can be judged."""

    REFUSED = "refused"
    """No TCP connection: refused or unreachable."""
    TIMEOUT = "timeout"
    """No complete reply, or no room to write, within the stage's deadline."""
    DISCONNECTED = "disconnected"
    """The peer closed or reset the connection."""
    TLS = "tls"
    """TLS not offered, certificate or host not verified, too old, or plaintext injected after STARTTLS."""
    GARBAGE = "garbage"
    """Bytes that are no SMTP reply, or more of them than any reply has."""
    UNRESOLVED = "unresolved"
    """The host name has no address, or the lookup failed."""
    TARGET_REFUSED = "target_refused"
    """The outbound door does not let us connect to that address or port."""
    UNSUPPORTED = "unsupported"
    """The server offers no login method we speak."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One complete reply of the server.

    `code` is 200–599; `enhanced` is the RFC 3463 code of its first line ("5.1.1") or None; `text` holds the lines
    without codes, joined by newlines, printable and free of our secrets.
    """

    code: int
    enhanced: str | None
    text: str

    @property
    def positive(self) -> bool:
        """2yz: done as asked."""
        return 200 <= self.code <= 299

    @property
    def temporary(self) -> bool:
        """4yz: the same may work later (RFC 5321 4.2.1)."""
        return 400 <= self.code <= 499

    @property
    def permanent(self) -> bool:
        """5yz: the same will not work (RFC 5321 4.2.1)."""
        return 500 <= self.code <= 599

    def __str__(self) -> str:
        """On one line, as people quote it: `550 5.1.1 No such user`."""
        words = (str(self.code), self.enhanced, " ".join(self.text.split()))
        return " ".join(word for word in words if word)
