"""One call to a user's receiver, through the outbound door."""

from dataclasses import dataclass
from datetime import datetime

from ampout.events.rules.retry import Answer
from ampout.events.rules.signature import headers_for
from ampout.lib import http, text
from ampout.lib.http import HttpFailure, Response

PORTS = frozenset({443, 8443})
TIMEOUT_SECONDS = 15
READ_BYTES = 65_536
EXCERPT_CHARACTERS = 1_000
LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a call came to. `error` is empty exactly for 2xx; `excerpt` is the beginning of a failure's answer."""

    answer: Answer
    error: str = ""
    excerpt: str = ""


async def call_receiver(
    url: str, message_id: str, body: bytes, secrets: tuple[str, ...], *, now: datetime
) -> CallResult:
    """POST the body, signed as of `now`. Never raises for what the receiver or the network does."""
    headers = {"Content-Type": "application/json", **headers_for(message_id, body, secrets, now)}
    try:
        response = await http.send(
            "POST", url, headers=headers, body=body, ports=PORTS, limit_bytes=READ_BYTES, timeout=TIMEOUT_SECONDS
        )
    except HttpFailure as failure:
        return CallResult(Answer(None), error=failure.message[:LONGEST_ERROR])
    return _judge(response)


def _judge(response: Response) -> CallResult:
    answer = Answer(response.status, response.header("Retry-After"))
    if 200 <= response.status < 300:
        return CallResult(answer)
    more = "; redirects are not followed" if 300 <= response.status < 400 else ""
    return CallResult(answer, error=f"The receiver answered {response.status}{more}.", excerpt=_excerpt(response.body))


def _excerpt(body: bytes) -> str:
    """Its beginning as text that can be shown: without control characters, whatever its encoding."""
    words = body[: 4 * EXCERPT_CHARACTERS].decode("utf-8", "replace")
    return "".join(c for c in words if c in "\n\t" or text.find_control_character(c) is None)[:EXCERPT_CHARACTERS]
