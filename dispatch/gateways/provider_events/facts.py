"""What the readers of all providers share: values taken from hostile payloads, and what a bounce really says."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import QueryDict

from credentials.rules.smtp_words import Reply, Stage
from dispatch.knowledge import load_bounces
from dispatch.rules.provider_event import ProviderEvent, ProviderEventKind
from dispatch.rules.smtp_reply import Blame, judge_reply

LONGEST_TEXT = 2_000
LONGEST_ADDRESS = 320
LONGEST_ID = 400
MOST_EVENTS = 5_000
"""Of one call; a batch of Brevo's has at most 500, one of SendGrid's some thousands."""

UNREADABLE = (AttributeError, KeyError, IndexError, TypeError, ValueError, OverflowError, OSError, ArithmeticError)
"""What reading a payload of another shape than documented may raise."""

# NUL and halves of surrogate pairs cannot be stored, line ends and the rest have no business in one line.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_CODE = re.compile(r"(?<![\d.])([45]\d\d)(?=[ \-#:]|$)")


def clean(value: object, longest: int = LONGEST_TEXT) -> str:
    """One printable line of a text or number; "" for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return _UNPRINTABLE.sub(" ", str(value)[: 2 * longest]).strip()[:longest]


def text_of(payload: Mapping[str, Any], *names: str, longest: int = LONGEST_TEXT) -> str:
    """The first of these members that is a text or number and not empty, cleaned."""
    return next((text for name in names if (text := clean(payload.get(name), longest))), "")


def address_of(payload: Mapping[str, Any], *names: str) -> str:
    """The first of these members that is an address."""
    return text_of(payload, *names, longest=LONGEST_ADDRESS)


def ids_of(*values: object) -> tuple[str, ...]:
    """The distinct ids among these values."""
    return tuple(dict.fromkeys(text for value in values if (text := clean(value, LONGEST_ID))))


def member(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object that is this member; empty for anything else."""
    value = payload.get(name)
    return value if isinstance(value, Mapping) else {}


def at_seconds(value: object) -> datetime | None:
    """The time that so many seconds after 1970 are; None for anything else."""
    try:
        return datetime.fromtimestamp(float(str(value)), tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def at_text(value: object) -> datetime | None:
    """The time of an ISO 8601 text; without a zone it counts as UTC. None for anything else."""
    try:
        instant = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
        return instant and (instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def aware(instant: object) -> datetime | None:
    """A time that another parser read, in UTC; None for what is none."""
    if not isinstance(instant, datetime):
        return None
    return at_text(instant.isoformat())


def status_in(text: str) -> str:
    """The first enhanced status code (RFC 3463) of a server's words, or ""."""
    found = _STATUS.search(text)
    return found[1] if found else ""


def hard_unless_otherwise(text: str, status: str = "") -> ProviderEventKind:
    """What a bounce is that the provider calls permanent, by the server's own words where it passes them on.

    A refusal for policy, content, size or a full mailbox is permanent for the message and says nothing about the
    address: by the same rules as our own conversations (dispatch.rules.smtp_reply), it is soft.
    """
    enhanced = status or status_in(text)
    found = _CODE.search(text)
    code = int(found[1]) if found else int(f"{enhanced[0]}50") if enhanced[:1] in {"4", "5"} else 0
    if not code:
        return ProviderEventKind.HARD_BOUNCE
    verdict = judge_reply(Stage.RCPT, Reply(code, enhanced or None, text), load_bounces())
    return ProviderEventKind.HARD_BOUNCE if verdict.blame is Blame.ADDRESS else ProviderEventKind.SOFT_BOUNCE


def read_each(items: Iterable[Any], read_one: Callable[[Mapping[str, Any]], ProviderEvent]) -> list[ProviderEvent]:
    """The events of a batch. One that cannot be read must not cost the others."""
    events = []
    for index, item in enumerate(items):
        if index == MOST_EVENTS:
            raise ValueError(f"The call holds more than {MOST_EVENTS} events.")
        try:
            events.append(read_one(item))
        except UNREADABLE:
            events.append(ProviderEvent(ProviderEventKind.OTHER, "", (), "", text="This event could not be read."))
    return events


def read_only(
    payload: object, read_one: Callable[[Mapping[str, Any]], ProviderEvent], name: str
) -> list[ProviderEvent]:
    """The event of a call that holds one. Raises ValueError when it cannot be read."""
    if not isinstance(payload, Mapping) or isinstance(payload, QueryDict):
        raise ValueError(f"A call of {name} is an object.")  # noqa: TRY004  # the interface's
    try:
        return [read_one(payload)]
    except UNREADABLE as error:
        raise ValueError(f"This call is not as {name} documents it ({type(error).__name__}).") from None
