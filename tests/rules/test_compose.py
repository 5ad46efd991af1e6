"""Composition: what leaves is what was meant, readable by any mail software, and no value can add to it."""

import re
from dataclasses import replace

import pytest

from dispatch.rules.compose import (
    CompositionReason,
    build,
    is_message_id,
)
from tests.rules.composing import FACTS, URL, built, compiled, parsed, refusal

# -- The whole


def test_a_text_message_byte_by_byte() -> None:
    facts = replace(FACTS, values={"first_name": "Bob"})
    assert built(facts, subject="Hi {{first_name}}", body_text="Dear {{first_name}},\nbye").payload == (
        b"Date: Sun, 22 Nov 2026 09:30:00 +0000\r\n"
        b"From: Ada <ada@example.com>\r\n"
        b"To: bob@example.com\r\n"
        b"Subject: Hi Bob\r\n"
        b"Message-ID: <1.2@example.com>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Dear Bob,\r\n"
        b"bye\r\n"
    )


def test_a_follow_up_in_two_parts_byte_by_byte() -> None:
    facts = replace(FACTS, unsubscribe_url=URL, thread=("<a@b>", "<c@d>"), thread_subject="Hi Bob")
    html = "<p>caf\u00e9 <a href='{{unsubscribe_url}}'>stop</a></p>"
    message = built(facts, subject="", body_html=html, extra_headers=[("X-PM-KeepID", "true")])
    boundary = re.findall(rb'boundary="(=_[0-9a-f]{32})"', message.payload)[0]
    assert message.payload.replace(boundary, b"BOUNDARY") == (
        b"Date: Sun, 22 Nov 2026 09:30:00 +0000\r\n"
        b"From: Ada <ada@example.com>\r\n"
        b"To: bob@example.com\r\n"
        b"Subject: Re: Hi Bob\r\n"
        b"Message-ID: <1.2@example.com>\r\n"
        b"In-Reply-To: <c@d>\r\n"
        b"References: <a@b> <c@d>\r\n"
        b"List-Unsubscribe: <https://ampout.example.com/u/token>\r\n"
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        b"X-PM-KeepID: true\r\n"
        b"MIME-Version: 1.0\r\n"
        b'Content-Type: multipart/alternative; boundary="BOUNDARY"\r\n'
        b"\r\n"
        b"--BOUNDARY\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Hello\r\n"
        b"--BOUNDARY\r\n"
        b"Content-Type: text/html; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n"
        b"\r\n"
        b"<p>caf=C3=A9 <a href=3D'https://ampout.example.com/u/token'>stop</a></p>\r\n"
        b"--BOUNDARY--\r\n"
    )


def test_the_same_facts_give_the_same_bytes() -> None:
    assert built(body_html="<p>x</p>") == built(body_html="<p>x</p>")


def test_one_compiled_step_serves_many_contacts() -> None:
    step = compiled(subject="Hi {{first_name}}")
    subjects = [build(step, replace(FACTS, values={"first_name": name})).subject for name in ("Bob", "Eve")]
    assert subjects == ["Hi Bob", "Hi Eve"]


def test_the_values_of_the_caller_are_left_alone() -> None:
    values = {"first_name": "Bob"}
    built(replace(FACTS, values=values, unsubscribe_url=URL))
    assert values == {"first_name": "Bob"}


# -- Identifiers that a provider gave


@pytest.mark.parametrize("text", ["<0100018f-1@email.amazonses.com>", "<a@b>", "<a.b+c=d/e@[127.0.0.1]>"])
def test_a_provider_s_message_id_can_be_answered_to(text: str) -> None:
    assert is_message_id(text)


@pytest.mark.parametrize("text", ["", "a@b", "<a b@c>", "<a@b>\r\n", "<ä@b>", "<a@b", "<@b>", "<" + "a" * 985 + "@b>"])
def test_what_a_server_may_say_instead_cannot(text: str) -> None:
    assert not is_message_id(text)


# -- Exactly at the limits


def test_codes_are_stable() -> None:
    assert [reason.value for reason in CompositionReason] == [
        "control_character",
        "encoded_word",
        "too_long",
        "invalid",
        "reserved",
    ]


def test_a_subject_has_at_most_998_characters() -> None:
    assert built(subject="x" * 998).subject == "x" * 998
    assert refusal(subject="x" * 999) == ("subject", CompositionReason.TOO_LONG)


def test_re_counts_towards_the_limit() -> None:
    assert built(replace(FACTS, thread_subject="x" * 994), subject="").subject == "Re: " + "x" * 994
    assert refusal(replace(FACTS, thread_subject="x" * 995), subject="") == ("subject", CompositionReason.TOO_LONG)


def test_a_sender_s_name_has_at_most_320_characters() -> None:
    assert len(built(from_name="x" * 320).payload) > 320
    assert refusal(from_name="x" * 321) == ("from_name", CompositionReason.TOO_LONG)


def test_an_address_has_at_most_320_characters() -> None:
    assert dict(built(replace(FACTS, to_address="x" * 315 + "@y.de")).headers)["To"] == "x" * 315 + "@y.de"
    assert refusal(replace(FACTS, to_address="x" * 316 + "@y.de")) == ("to_address", CompositionReason.TOO_LONG)


def test_a_link_has_at_most_900_characters() -> None:
    link = "https://x/" + "y" * 890
    assert parsed(built(replace(FACTS, unsubscribe_url=link)))["List-Unsubscribe"] == f"<{link}>"
    assert refusal(replace(FACTS, unsubscribe_url=link + "y")) == ("unsubscribe_url", CompositionReason.INVALID)


def test_a_message_id_fits_the_line_of_the_longest_field_that_holds_it() -> None:
    longest = "<" + "x" * 981 + "@y>"
    message = built(replace(FACTS, message_id=longest, thread=(longest,)))
    assert max(map(len, message.payload.split(b"\r\n"))) == 998
    assert refusal(replace(FACTS, message_id="<x" + longest[1:])) == ("message_id", CompositionReason.INVALID)


@pytest.mark.parametrize("count", [1, 19, 20])
def test_a_thread_up_to_its_limit_is_kept_whole(count: int) -> None:
    thread = tuple(f"<{number}@x>" for number in range(count))
    assert dict(built(replace(FACTS, thread=thread)).headers)["References"] == " ".join(thread)


@pytest.mark.parametrize("subject", ["Xavier", "X", "x X", "re", "Re", "."])
def test_only_blanks_are_trimmed(subject: str) -> None:
    assert built(subject=f"  {subject} ").subject == subject
    assert ("X-Y", subject) in built(extra_headers=[("X-Y", f" {subject}  ")]).headers


def test_an_answer_to_nothing_has_no_subject() -> None:
    message = built(replace(FACTS, thread=("<a@b>",)), subject="")
    assert b"\r\nSubject:\r\n" in message.payload
    assert parsed(message)["Subject"] == ""


def test_facts_cannot_be_changed_once_they_are_handed_over() -> None:
    with pytest.raises(AttributeError):
        FACTS.to_address = "eve@example.com"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        compiled().from_line = "Bcc: eve@example.com"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        built().payload = b""  # type: ignore[misc]
