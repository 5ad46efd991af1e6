"""The last look at a message's bytes before they leave, by code that shares nothing with the code that built them."""


class HygieneFailed(Exception):
    """The bytes must not be sent; `reason` is a stable code, the message a sentence for the operator."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def check_line_ends(payload: bytes) -> None:
    """Hold every CR to its LF and every LF to its CR, and the last line to its end (RFC 5321, section 2.3.8).

    Raises HygieneFailed with `bare_line_end` or `no_final_line_end`.
    """
    pairs = payload.count(b"\r\n")
    if payload.count(b"\r") != pairs or payload.count(b"\n") != pairs:
        raise HygieneFailed("bare_line_end", "The message holds a CR or an LF that stands alone.")
    if not payload.endswith(b"\r\n"):
        raise HygieneFailed("no_final_line_end", "The message does not end with CRLF.")


def dot_stuff(payload: bytes) -> bytes:
    """The payload of DATA with one more dot before each line that begins with one (RFC 5321, section 4.5.2).

    `payload` has CRLF line ends throughout; the closing `.` CRLF is not added here.
    Raises HygieneFailed where a line end stands alone: a server that takes it for one would see other lines than we do.
    """
    check_line_ends(payload)
    stuffed = payload.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed
