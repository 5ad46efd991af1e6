"""Messages composed and read back, for the tests of composition."""

import email
import email.message
from datetime import UTC, datetime

import pytest

from dispatch.rules.compose import (
    BuiltMessage,
    CompiledMessage,
    CompositionReason,
    CompositionRefused,
    MessageFacts,
    build,
    compile_step,
)
from dispatch.rules.wire_hygiene import check_wire

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
FACTS = MessageFacts(to_address="bob@example.com", message_id="<1.2@example.com>", date=NOW)
URL = "https://ampout.example.com/u/token"


def compiled(**given: object) -> CompiledMessage:
    step = {"from_name": "Ada", "from_email": "ada@example.com", "subject": "Hi", "body_text": "Hello", **given}
    return compile_step(**step)  # type: ignore[arg-type]  # the tests give what they mean to give


def built(facts: MessageFacts = FACTS, **given: object) -> BuiltMessage:
    return build(compiled(**given), facts)


def parsed(message: BuiltMessage) -> email.message.Message:
    """Checked as before sending, then read by the standard library."""
    check_wire(message.payload, message.headers, smtputf8=message.smtputf8)
    return email.message_from_bytes(message.payload)


def body_of(part: email.message.Message) -> str:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content.decode()


def parts_of(message: BuiltMessage) -> list[str]:
    """The decoded parts. The last line end of each belongs to the boundary behind it, so it is left out here."""
    parts = parsed(message).get_payload()
    assert isinstance(parts, list)
    return [body_of(part).removesuffix("\r\n") for part in parts if isinstance(part, email.message.Message)]


def refusal(facts: MessageFacts = FACTS, /, **given: object) -> tuple[str, CompositionReason]:
    with pytest.raises(CompositionRefused) as caught:
        built(facts, **given)
    return caught.value.field, caught.value.reason
