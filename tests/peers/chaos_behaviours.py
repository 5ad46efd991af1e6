"""What the chaos SMTP server does instead of behaving, chosen by the local part of an address.

`<behaviour>@…` or `<behaviour>+anything@…`; a sender's behaviour acts at `mail`, a recipient's at `rcpt` and later.
Besides the names in BEHAVIOURS, `<code>-<stage>` answers with that code (`421-data`, `550-rcpt`, `4xx-dot`), and
`greylist451-N`, `late-N` and `late-N-rcpt` take a number (tries, seconds).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is done at a stage."""

    ANSWER = "answer"
    """Write `raw` (and close when its code is 421), after `seconds`."""
    DROP = "drop"
    """Write `raw`, if any, and close."""
    RESET = "reset"
    """Close with RST."""
    HANG = "hang"
    """Never answer."""
    DEAF = "deaf"
    """Stop reading, so that the client cannot write for ever."""
    DRIP = "drip"
    """Write `raw` one byte each `seconds`."""


@dataclass(frozen=True, slots=True)
class Action:
    """One misbehaviour."""

    kind: Kind
    raw: bytes = b""
    seconds: float = 0.0

    @property
    def code(self) -> str:
        """The reply code that is sent, "none" where no reply is."""
        return self.raw[:3].decode("ascii", "replace") if self.raw else "none"


Plan = Mapping[str, Action]
"""Stage (banner, ehlo, starttls, auth, mail, rcpt, data, body, dot) to action; other stages behave."""

_OK = b"250 2.0.0 Ok, late but sure\r\n"
_MEGABYTE = b"250-" + (b"y" * 96 + b"\r\n250-") * 10_000 + b"y\r\n250 end\r\n"

BEHAVIOURS: dict[str, Plan] = {
    "ok": {},
    "4xx-after-dot": {"dot": Action(Kind.ANSWER, b"451 4.3.0 Try again later\r\n")},
    "5xx-after-dot": {"dot": Action(Kind.ANSWER, b"554 5.7.1 Refused as spam\r\n")},
    "5xx-rcpt": {"rcpt": Action(Kind.ANSWER, b"550 5.1.1 No such user\r\n")},
    "full": {"rcpt": Action(Kind.ANSWER, b"452 4.2.2 Mailbox full\r\n")},
    "drop-rcpt": {"rcpt": Action(Kind.DROP)},
    "drop-data": {"data": Action(Kind.DROP)},
    "drop-before-dot": {"data": Action(Kind.DROP, b"354 Go ahead\r\n")},
    "drop-mid-body": {"body": Action(Kind.DROP)},
    "deaf": {"body": Action(Kind.DEAF)},
    "refuse-mid-body": {"body": Action(Kind.ANSWER, b"552 5.3.4 Too big\r\n")},
    "accept-mid-body": {"body": Action(Kind.ANSWER, b"250 2.0.0 Taken already\r\n")},
    "drop-after-dot": {"dot": Action(Kind.DROP)},
    "reset-after-dot": {"dot": Action(Kind.RESET)},
    "hang": {"dot": Action(Kind.HANG)},
    "hang-rcpt": {"rcpt": Action(Kind.HANG)},
    "hang-data": {"data": Action(Kind.HANG)},
    "hang-body": {"body": Action(Kind.HANG)},
    "drip": {"dot": Action(Kind.DRIP, _OK, 0.05)},
    "drip-rcpt": {"rcpt": Action(Kind.DRIP, _OK, 0.05)},
    "garbage-reply": {"rcpt": Action(Kind.ANSWER, b"\x00\xff<html>what?\r\n")},
    "garbage-after-dot": {"dot": Action(Kind.ANSWER, b"OK, thanks\r\n")},
    "multiline-1MB-reply": {"rcpt": Action(Kind.ANSWER, _MEGABYTE)},
    "multiline": {"dot": Action(Kind.ANSWER, b"250-2.0.0 Queued\r\n250-2.0.0 as 17\r\n250 2.0.0 bye\r\n")},
    "wrong-code-334": {"rcpt": Action(Kind.ANSWER, b"334 VXNlcm5hbWU6\r\n")},
    "wrong-code-250": {"data": Action(Kind.ANSWER, b"250 2.0.0 Ok\r\n")},
    "wrong-code-354": {"dot": Action(Kind.ANSWER, b"354 Go ahead\r\n")},
}

_CODE = re.compile(r"([245](?:xx|[0-9]{2}))-(mail|rcpt|data|dot)")
_GREYLIST = re.compile(r"greylist451(?:-([0-9]+))?")
_LATE = re.compile(r"late-([0-9.]+)(?:-(rcpt|data))?")
_CODES = {"2xx": "250", "4xx": "451", "5xx": "550"}


def plan_for(address: str, tries: int) -> Plan:
    """The behaviour that `address` asks for at its `tries`-th attempt, from 1; the good one for any other name."""
    name = address.partition("@")[0].partition("+")[0]
    if match := _CODE.fullmatch(name):
        code = _CODES.get(match[1], match[1])
        return {match[2]: Action(Kind.ANSWER, f"{code} As you wish\r\n".encode())}
    if match := _GREYLIST.fullmatch(name):
        greylisted = tries <= int(match[1] or 1)
        return {"rcpt": Action(Kind.ANSWER, b"451 4.7.1 Greylisted, try again later\r\n")} if greylisted else {}
    if match := _LATE.fullmatch(name):
        stage = match[2] or "dot"
        raw = b"354 Go ahead\r\n" if stage == "data" else _OK
        return {stage: Action(Kind.ANSWER, raw, float(match[1]))}
    return BEHAVIOURS.get(name, {})
