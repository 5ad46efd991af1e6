"""A server that echoes our login gets its echo blacked out."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.rules.redaction import REDACTED, encode_plain, redactor_of

PASSWORD = "hunter2-correct-horse"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "echo",
    [
        PASSWORD,
        PASSWORD.upper(),
        encoded(PASSWORD),
        encoded(PASSWORD).rstrip("="),
        encode_plain("alice", PASSWORD),
        encode_plain("alice", PASSWORD).lower(),
        encoded(f"alice\0alice\0{PASSWORD}"),
        base64.urlsafe_b64encode(f"~~{PASSWORD}???".encode()).decode(),
    ],
)
def test_the_password_is_blacked_out_in_every_form(echo: str) -> None:
    assert (
        redactor_of("alice", PASSWORD).redact(f"Bad login: {echo} (try again)") == f"Bad login: {REDACTED} (try again)"
    )


def test_a_text_without_secrets_stays_as_it_is() -> None:
    text = "2.0.0 Ok: queued as 4WxYz1234567890abcdefABCDEF== for <bob@example.com>"
    assert redactor_of("alice", PASSWORD).redact(text) == text


def test_no_password_means_nothing_to_hide() -> None:
    assert redactor_of("", "").redact("anything at all") == "anything at all"


def test_the_redactor_does_not_show_what_it_hides() -> None:
    assert PASSWORD not in repr(redactor_of("alice", PASSWORD))


@given(st.text(min_size=1, max_size=40), st.text(min_size=5, max_size=40), st.text(max_size=20))
def test_no_echo_of_the_login_survives(username: str, password: str, around: str) -> None:
    redactor = redactor_of(username, password)
    blob = encode_plain(username, password)
    pieces = redactor.redact(f"{around} {password} {around}").split(REDACTED)
    assert password in REDACTED or not any(password in piece for piece in pieces)
    assert blob not in redactor.redact(f"535 {blob} {around}")
