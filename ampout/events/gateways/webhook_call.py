"""One call to a user's receiver, through the outbound door."""

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

from ampout.events.rules.retry import Answer
from ampout.events.rules.signature import PREFIX, headers_for
from ampout.lib import http, text
from ampout.lib.http import HttpFailure, Response, parse_url
from ampout.lib.redaction import Redactor

PORTS = frozenset({443, 8443})
TIMEOUT_SECONDS = 15
READ_BYTES = 65_536
EXCERPT_CHARACTERS = 1_000
LOOKED_AT_BYTES = 8 * EXCERPT_CHARACTERS
"""Of an answer; the loop of all receivers waits while secrets are looked for in it."""
LONGEST_ERROR = 300
SHORTEST_PART = 8
"""Characters of a part of a URL that is taken for a secret; shorter ones are words such as `hooks`."""


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
    return _judge(response, url, secrets)


def _judge(response: Response, url: str, secrets: tuple[str, ...]) -> CallResult:
    answer = Answer(response.status, response.header("Retry-After"))
    if 200 <= response.status < 300:
        return CallResult(answer)
    more = "; redirects are not followed" if 300 <= response.status < 400 else ""
    excerpt = _excerpt(response.body, Redactor(*_secrets_of(url, secrets)))
    return CallResult(answer, error=f"The receiver answered {response.status}{more}.", excerpt=excerpt)


def _secrets_of(url: str, secrets: Sequence[str]) -> Iterator[str]:
    """What receivers like to echo in an error page: the URL's path and query, and what they verify signatures by."""
    target = parse_url(url).target
    for part in (target, *re.split(r"[/?&=;]", target)):
        if len(part) >= SHORTEST_PART:
            yield from {part, unquote(part)}
    for secret in secrets:
        key = secret.removeprefix(PREFIX)
        yield from (key, base64.b64decode(key).hex())


def _excerpt(body: bytes, redactor: Redactor) -> str:
    """Its beginning as text that can be shown: without secrets and control characters, whatever its encoding."""
    words = redactor.redact(body[:LOOKED_AT_BYTES].decode("utf-8", "replace"))[: 4 * EXCERPT_CHARACTERS]
    return "".join(c for c in words if c in "\n\t" or text.find_control_character(c) is None)[:EXCERPT_CHARACTERS]
