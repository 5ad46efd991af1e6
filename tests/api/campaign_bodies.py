"""Bodies of campaigns, and for each of their fields the values that are refused."""

from typing import Any

import pytest

from tests.api.hostile import HOSTILE_LINES, NOT_ADDRESSES, NOT_BOOLEANS, NOT_INTEGERS, NOT_TEXT, short_id

PASSWORD = "smtp-canary-77c1"
IMAP_PASSWORD = "imap-canary-b04e"

Table = dict[str, list[Any]]


def credential_body(**fields: Any) -> dict[str, Any]:
    """A mailbox that nobody connects to."""
    return {
        "label": "first",
        "smtp_host": "smtp.sender.example",
        "smtp_port": 587,
        "smtp_username": "alice",
        "smtp_password": PASSWORD,
        "from_name": "Alice Sender",
        "from_email": "alice@sender.example",
        "daily_limit": 40,
    } | fields


def imap_fields(**fields: Any) -> dict[str, Any]:
    """The four that turn reply detection on."""
    defaults = {"imap_host": "imap.sender.example", "imap_port": 993, "imap_username": "alice"}
    return defaults | {"imap_password": IMAP_PASSWORD} | fields


def step_body(**fields: Any) -> dict[str, Any]:
    """A first step."""
    return {"subject": "Hello {{first_name}}", "body_html": "<p>Hello {{first_name}}</p>"} | fields


def campaign_body(**fields: Any) -> dict[str, Any]:
    """The least that makes a campaign."""
    return {"name": "spring", "smtp_credentials": [credential_body()], "sequence_steps": [step_body()]} | fields


TOO_LONG = "x" * 201
NOT_HOSTS: list[Any] = [
    *NOT_TEXT,
    "",
    None,
    "two words.example",
    "smtp.sender.example:587",
    "smtp://sender.example",
    "user@sender.example",
    "host#@evil.example",
    "sender.example/path",
    "-a.example",
    "a..example",
    "under_score.example",
    "127.1",
    "2130706433",
    "0x7f.1",
    "fe80::1%eth0",
    "sender。example",
    "sender.example\r\nx",
    "sender\t.example",
    "sender\\.example",
    "d" * 64 + ".example",
    "d." * 130 + "example",
]
"""Promise 3.4: what is no host name is refused before anybody connects."""
NOT_PORTS: list[Any] = [*NOT_INTEGERS, 0, 65_536]
NOT_SECRETS: list[Any] = [7, True, [], {}, None, "", "nul\x00", "a\r\nb", "x" * 1_001]
NOT_TEMPLATES: list[Any] = [
    7,
    True,
    [],
    {},
    "{{first name}}",
    "{{first_name",
    "{{ first_name|upper }}",
    "{% include 'x' %}",
    "{{__class__.__mro__}}",
    "nul\x00",
    "lone\rreturn",
    "line\u2028separator",
    "x" * 1_000_001,
]

BAD_CREDENTIAL: Table = {
    "preset": ["", "nobody", 7, None],
    "label": [*NOT_TEXT, *HOSTILE_LINES, TOO_LONG],
    "smtp_host": NOT_HOSTS,
    "smtp_port": NOT_PORTS,
    "smtp_username": [*NOT_TEXT, *HOSTILE_LINES, "", "  ", None, "x" * 321],
    "smtp_password": NOT_SECRETS,
    "from_name": [*NOT_TEXT, *HOSTILE_LINES, TOO_LONG],
    "from_email": NOT_ADDRESSES[:-1],
    "daily_limit": [*NOT_INTEGERS, 0, 1_000_001],
    "imap_host": [host for host in NOT_HOSTS if host not in ("", None)],
    "imap_port": [port for port in NOT_PORTS if port is not None],
    "imap_username": [*NOT_TEXT, *HOSTILE_LINES, "x" * 321],
    "imap_password": [secret for secret in NOT_SECRETS if secret not in ("", None)],
    "smtp_pasword": ["a field nobody knows"],
}
BAD_STEP: Table = {
    "position": [*NOT_INTEGERS, 0, 101],
    "subject": [7, True, [], {}, *HOSTILE_LINES, "x" * 999, "{{first name}}", "two\nlines"],
    "body_html": NOT_TEMPLATES,
    "body_text": NOT_TEMPLATES,
    "delay_minutes": [*NOT_INTEGERS, 525_601],
    "delay_hours": [1],
}
BAD_CAMPAIGN: Table = {
    "name": [*NOT_TEXT, *HOSTILE_LINES, "", "   ", None, TOO_LONG],
    "outreach_id": [7, True, [], {}],
    "min_wait_seconds": [*NOT_INTEGERS, 86_401],
    "max_wait_seconds": [*NOT_INTEGERS, 86_401],
    "verify_email_mx": NOT_BOOLEANS,
    "routing": [7, None, [], "", "round_robin", "auto", "dedicated", "shared", "custom"],
    "bounce_rate_min_sends": [*NOT_INTEGERS, 0, 1_000_001],
    "health_rule": [7, None, [], "", "lenient"],
    "track_opens": NOT_BOOLEANS,
    "track_clicks": NOT_BOOLEANS,
    "sender_may_change": NOT_BOOLEANS,
    "bounce_rate_threshold": ["8", None, True, [], {}, -1, 0, 0.49, 25.01, 100, 1.234],
    "smtp_credentials": [7, "x", None, {}, []],
    "sequence_steps": [7, "x", None, {}, []],
    "status": ["active"],
    "nmae": ["spring"],
}


def cases(table: Table) -> list[Any]:
    """One parameter set for each field and value of a table."""
    return [
        pytest.param(field, value, id=f"{field}-{index}-{short_id(value)}")
        for field, values in table.items()
        for index, value in enumerate(values)
    ]
