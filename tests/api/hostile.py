"""Values that no field takes, and a check that is the same for every endpoint: refused by name, nothing changed."""

from typing import Any

NOT_TEXT: list[Any] = [7, 1.5, True, [], {}, ["a"], {"a": "b"}]
CONTROL_CHARACTERS = [
    "a\r\nBcc: injected@attacker.example",
    "a\nBcc: injected@attacker.example",
    "a\rb",
    "nul\x00",
    "tab\t",
    "escape\x1b[31m",
    "line\u2028separator",
    "paragraph\u2029separator",
    "next\x85line",
    "delete\x7f",
]
ENCODED_WORDS = ["=?UTF-8?Q?=0A?=Bcc: x@attacker.example", "\U0001f4a9 s=?utf-8?b?DQo=?=Bcc: x@attacker.example"]
HOSTILE_LINES: list[Any] = [*CONTROL_CHARACTERS, *ENCODED_WORDS]
"""Promise 3.1: header injection in a value of one line."""
NOT_INTEGERS: list[Any] = ["7", 1.5, True, None, [], {}, "", "seven", 10**30, -(10**30), -1]
NOT_BOOLEANS: list[Any] = ["true", 0, 1, None, [], {}, ""]
NOT_ADDRESSES: list[Any] = [
    7,
    None,
    [],
    {},
    "",
    "   ",
    "a@b@c.example",
    "nobody",
    "@recipient.example",
    "x@",
    "x@localhost",
    '"x"@[127.0.0.1]',
    "x@[127.0.0.1]",
    '"quoted local"@recipient.example',
    "Name <x@recipient.example>",
    '"a" <x@recipient.example>, z@recipient.example',
    "<x@recipient.example>\x00",
    "x@recipient.example\r\nBcc: y@attacker.example",
    "x\x00@recipient.example",
    "x@recipient.example.",
    "x@rec\u202eipient.example",
    "x@" + "d" * 64 + ".example",
    "l" * 65 + "@recipient.example",
    "x@" + "d." * 150 + "example",
    "x" * 5_000_000,
]


def assert_refused(response: Any, *fields: str) -> None:
    """The contract's 422 that names exactly these fields, each with a sentence."""
    answer = response.json()
    assert (response.status_code, answer["code"]) == (422, "validation_failed"), answer
    assert sorted(answer["details"]) == sorted(fields)
    assert all(message.endswith((".", "?")) for messages in answer["details"].values() for message in messages)


def short_id(value: Any) -> str:
    """A readable name for a parametrised value, long ones cut."""
    return repr(value)[:40]
