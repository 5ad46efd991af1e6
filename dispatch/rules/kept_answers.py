"""An answer of the API without somebody who was erased, of the same shape: whoever gets it again can read it."""

import json
from collections.abc import Callable
from typing import Any

from dispatch.rules.named_addresses import without_addresses

THEIRS: dict[str, Any] = {
    "email": "",
    "contact_email": "",
    "recipient": "",
    "first_name": "",
    "last_name": "",
    "company": "",
    "custom_fields": {},
    "source": "",
    "lawful_basis": "",
    "consent_at": None,
    "bounce_reason": None,
    "subject": "",
    "sender": "",
    "text": "",
    "reply_text": "",
}
"""What is left of these fields of an object that names the person."""


def without_person(answer: str, is_theirs: Callable[[str], bool]) -> str:
    """The answer, JSON as we made it, without the person whose addresses are theirs; the same where it names nobody."""
    if without_addresses(answer, is_theirs) == answer:
        return answer
    return json.dumps(_cleared(json.loads(answer), is_theirs), ensure_ascii=False)


def _cleared(value: Any, is_theirs: Callable[[str], bool]) -> Any:
    if isinstance(value, str):
        return without_addresses(value, is_theirs)
    if isinstance(value, list):
        return [_cleared(one, is_theirs) for one in value]
    if not isinstance(value, dict):
        return value
    cleared = {name: _cleared(one, is_theirs) for name, one in value.items()}
    names_them = any(isinstance(one, str) and cleared[name] != one for name, one in value.items())
    return cleared | {name: empty for name, empty in THEIRS.items() if name in cleared} if names_them else cleared
