"""Composition: what leaves is what was meant, readable by any mail software, and no value can add to it."""

import base64
import email
import email.message
import email.policy
import quopri
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.rules.footer import with_footer
from dispatch.rules.compose import (
    LONGEST_SUBJECT,
    OWN_FIELDS,
    THREAD_KEPT,
    BuiltMessage,
    CompiledMessage,
    CompositionReason,
    CompositionRefused,
    MessageFacts,
    build,
    compile_step,
    is_message_id,
    reply_subject,
)
from dispatch.rules.wire_hygiene import HygieneFailed, check_wire, dot_stuff

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
FACTS = MessageFacts(to_address="bob@example.com", message_id="<1.2@example.com>", date=NOW)
URL = "https://ampout.example.com/u/token"
# CSV and API fields that try to add a header (promises 3.1).
INJECTIONS = {
    "CRLF": "x\r\nBcc: evil@example.com",
    "LF": "x\nBcc: evil@example.com",
    "CR": "x\rBcc: evil@example.com",
    "folded": "x\r\n Bcc: evil@example.com",
    "empty line": "x\r\n\r\nBody",
    "line separator": "x\u2028Bcc: evil@example.com",
    "paragraph separator": "x\u2029Bcc: evil@example.com",
    "next line": "x\x85Bcc: evil@example.com",
    "vertical tab": "x\x0bBcc: evil@example.com",
    "form feed": "x\x0cBcc: evil@example.com",
    "NUL": "x\0Bcc: evil@example.com",
    "NUL at the end": "<x@example.com>\0",
    "half a pair": "x\ud800",
}
ENCODED = {
    "CVE-2024-6923": "A 💩 s=?UTF-8?Q?=0A?=Bcc: injected@example.com",
    "ASCII alone": "=?UTF-8?Q?=0A?=Bcc: x@example.com",
    "base64": "=?utf-8?b?CkJjYzogeA==?=",
    "without its end": "é =?utf-8?q?=0ABcc:",
}


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


def encoding_of(body: str) -> str:
    return str(parsed(built(body_text=body))["Content-Transfer-Encoding"])


def refusal(facts: MessageFacts = FACTS, /, **given: object) -> tuple[str, CompositionReason]:
    with pytest.raises(CompositionRefused) as caught:
        built(facts, **given)
    return caught.value.field, caught.value.reason


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


# -- From, To, Date


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "ada@example.com"),
        ("  ", "ada@example.com"),
        (" Ada   Lovelace ", "Ada Lovelace <ada@example.com>"),
        ("Lovelace, Ada", '"Lovelace, Ada" <ada@example.com>'),
        ("J\u00fcrgen", "J\u00fcrgen <ada@example.com>"),
        ('"a" <x@y>, z@w', '"\\"a\\" <x@y>, z@w" <ada@example.com>'),
    ],
)
def test_the_sender_is_one_mailbox_whatever_its_name(name: str, value: str) -> None:
    message = built(from_name=name)
    assert message.headers[1] == ("From", value)
    assert parsed(message)["From"].endswith("ada@example.com" if not name.strip() else "<ada@example.com>")


def test_the_date_keeps_its_offset() -> None:
    zone = timezone(timedelta(hours=-3, minutes=-30))
    message = built(replace(FACTS, date=datetime(2026, 1, 2, 3, 4, 5, tzinfo=zone)))
    assert parsed(message)["Date"] == "Fri, 02 Jan 2026 03:04:05 -0330"


def test_a_date_without_a_zone_is_refused() -> None:
    assert refusal(replace(FACTS, date=datetime(2026, 1, 2))) == ("date", CompositionReason.INVALID)  # noqa: DTZ001


def test_an_ascii_recipient_needs_no_smtputf8() -> None:
    assert built(replace(FACTS, to_address="bob@xn--bcher-kva.example")).smtputf8 is False


def test_a_local_part_beyond_ascii_needs_smtputf8() -> None:
    message = built(replace(FACTS, to_address="zo\u00eb@example.com"))
    assert message.smtputf8 is True
    assert "\r\nTo: zo\u00eb@example.com\r\n".encode() in message.payload
    check_wire(message.payload, message.headers, smtputf8=True)


def test_a_sender_beyond_ascii_needs_smtputf8() -> None:
    assert built(from_email="zo\u00eb@example.com").smtputf8 is True


@pytest.mark.parametrize(
    "address",
    [
        "",
        "bob",
        "@example.com",
        "bob@",
        "bob@b\u00fccher.example",
        "bob@example.com, eve@example.com",
        "bob@example.com eve",
        "<bob@example.com>",
        "Bob <bob@example.com>",
        "a@b@example.com",
        '"a b"@example.com',
        "bob(x)@example.com",
        "bob@[127.0.0.1]",
        "bob@-example.com",
        "bob@example.com.",
        "bob\u00a0x@example.com",
    ],
)
def test_what_is_not_one_bare_address_is_refused(address: str) -> None:
    assert refusal(replace(FACTS, to_address=address)) == ("to_address", CompositionReason.INVALID)
    assert refusal(from_email=address) == ("from_email", CompositionReason.INVALID)


def test_an_address_without_end_is_refused() -> None:
    assert refusal(replace(FACTS, to_address="x" * 320 + "@y.de")) == ("to_address", CompositionReason.TOO_LONG)


# -- Subject and thread


@pytest.mark.parametrize(
    ("given_subject", "thread_subject", "sent"),
    [
        ("New", "Old", "New"),
        ("", "Old", "Re: Old"),
        ("   ", "Old", "Re: Old"),
        ("{{company}}", "Old", "Re: Old"),
        ("", "Re: Old", "Re: Old"),
        ("", "RE: Old", "RE: Old"),
        ("", "re:Old", "re:Old"),
        ("", "Reach out", "Re: Reach out"),
        ("", "Gr\u00fc\u00dfe,  {{first_name}}", "Re: Gr\u00fc\u00dfe,  {{first_name}}"),
        ("", "", ""),
        (" x  y ", "", "x  y"),
    ],
)
def test_an_empty_follow_up_subject_answers_the_one_sent(given_subject: str, thread_subject: str, sent: str) -> None:
    message = built(replace(FACTS, thread_subject=thread_subject, values={"first_name": "B"}), subject=given_subject)
    assert message.subject == sent
    assert dict(message.headers)["Subject"] == sent
    parsed(message)


def test_re_is_put_before_a_subject_once() -> None:
    assert reply_subject(reply_subject("Hi")) == "Re: Hi"


def test_a_first_message_has_no_thread() -> None:
    message = parsed(built())
    assert message["In-Reply-To"] is None
    assert message["References"] is None


def test_a_long_thread_keeps_its_root_and_its_latest() -> None:
    thread = tuple(f"<{number}@example.com>" for number in range(100))
    references = dict(built(replace(FACTS, thread=thread)).headers)["References"].split()
    assert len(references) == THREAD_KEPT
    assert references[0] == "<0@example.com>"
    assert references[1:] == list(thread[-19:])


def test_long_references_are_folded() -> None:
    thread = tuple(f"<{'x' * 100}{number}@example.com>" for number in range(THREAD_KEPT))
    message = parsed(built(replace(FACTS, thread=thread)))
    assert message["References"].split() == list(thread)
    assert message["In-Reply-To"] == thread[-1]


@pytest.mark.parametrize(
    "identifier",
    [
        "",
        "1@example.com",
        "<1>",
        "<@>",
        "<1@x> <2@x>",
        "<1 2@x>",
        "<1@x>\r\nBcc: y",
        "<1@x>\n",
        "<\u00e9@x>",
        "<1@x\0>",
        "<a@b@>x>",
        "<" + "x" * 990 + "@y>",
    ],
)
def test_what_is_no_message_id_is_refused(identifier: str) -> None:
    assert refusal(replace(FACTS, message_id=identifier)) == ("message_id", CompositionReason.INVALID)
    assert refusal(replace(FACTS, thread=("<a@b>", identifier))) == ("thread", CompositionReason.INVALID)


# -- Unsubscribing


def test_without_a_link_there_is_no_list_unsubscribe() -> None:
    assert not [name for name, _ in built().headers if name.startswith("List-")]


def test_one_click_needs_both_fields() -> None:
    message = parsed(built(replace(FACTS, unsubscribe_url=URL)))
    assert message["List-Unsubscribe"] == f"<{URL}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_the_link_is_a_merge_tag_that_no_value_can_replace() -> None:
    facts = replace(FACTS, unsubscribe_url=URL, values={"unsubscribe_url": "https://evil.example"})
    assert body_of(parsed(built(facts, body_text="{{unsubscribe_url}}"))) == f"{URL}\r\n"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ampout.example.com/u/x",
        "ftp://x/y",
        "javascript:alert(1)",
        "https://x/ y",
        "https://x/>,<mailto:y",
        "https://x/\r\nBcc: y",
        "https://x/\n",
        "https://x/\u00e9",
        'https://x/"',
        "https://x/" + "y" * 900,
    ],
)
def test_what_is_no_link_is_refused(url: str) -> None:
    assert refusal(replace(FACTS, unsubscribe_url=url)) == ("unsubscribe_url", CompositionReason.INVALID)


# -- Presets' own fields


def test_presets_may_add_fields() -> None:
    message = parsed(built(extra_headers=[("X-PM-KeepID", "true"), ("X-Tags", " gr\u00fcn ")]))
    assert message["X-PM-KeepID"] == "true"
    assert ("X-Tags", "gr\u00fcn") in built(extra_headers=[("X-Tags", " gr\u00fcn ")]).headers


@pytest.mark.parametrize("name", sorted(OWN_FIELDS | {"BCC", "Content-TYPE"}))
def test_presets_cannot_replace_our_fields(name: str) -> None:
    assert refusal(extra_headers=[(name, "x")]) == ("extra_headers", CompositionReason.RESERVED)


@pytest.mark.parametrize("name", ["", "X Y", "X:", "X\r\nBcc", "\u00e9", "-x", "X" * 77])
def test_presets_cannot_bring_what_is_no_field_name(name: str) -> None:
    assert refusal(extra_headers=[(name, "x")]) == ("extra_headers", CompositionReason.INVALID)


@pytest.mark.parametrize("value", ["", "  "])
def test_presets_cannot_bring_empty_fields(value: str) -> None:
    assert refusal(extra_headers=[("X-Y", value)]) == ("extra_headers", CompositionReason.INVALID)


def test_marks_stand_in_the_header_as_they_are() -> None:
    marks = (("X-PM-Metadata-ampout-id", "1.2"), ("X-Mailin-custom", "<1.2@example.com>"))
    message = built(replace(FACTS, marks=marks), extra_headers=[("X-PM-KeepID", "true")])
    assert [parsed(message)[name] for name, _ in marks] == ["1.2", "<1.2@example.com>"]
    assert set(marks) < set(message.headers)


@pytest.mark.parametrize("value", ["", "a b", "é", "x" * 1_000, *INJECTIONS.values(), *ENCODED.values()])
def test_a_mark_is_one_word_of_printable_ascii(value: str) -> None:
    with pytest.raises(CompositionRefused):
        built(replace(FACTS, marks=(("X-Mark", value),)))


def test_a_mark_cannot_replace_our_fields() -> None:
    assert refusal(replace(FACTS, marks=(("Bcc", "x@example.com"),)))[1] is CompositionReason.RESERVED


# -- Header injection


@pytest.mark.parametrize("attack", INJECTIONS.values(), ids=INJECTIONS)
@pytest.mark.parametrize("field", ["from_name", "subject", "from_email"])
def test_a_control_character_in_a_header_is_refused(field: str, attack: str) -> None:
    assert refusal(**{field: attack}) == (field, CompositionReason.CONTROL_CHARACTER)


@pytest.mark.parametrize("attack", INJECTIONS.values(), ids=INJECTIONS)
def test_a_control_character_is_refused_wherever_it_comes_from(attack: str) -> None:
    reason = CompositionReason.CONTROL_CHARACTER
    assert refusal(extra_headers=[("X-Y", attack)]) == ("extra_headers", reason)
    assert refusal(replace(FACTS, to_address=f"{attack}@example.com")) == ("to_address", reason)
    assert refusal(replace(FACTS, thread_subject=attack), subject="") == ("subject", reason)


@pytest.mark.parametrize("attack", INJECTIONS.values(), ids=INJECTIONS)
def test_a_control_character_in_a_value_cannot_leave_the_subject(attack: str) -> None:
    message = parsed(built(replace(FACTS, values={"company": attack}), subject="About {{company}}"))
    assert message["Bcc"] is None
    assert len(message.keys()) == 8


@pytest.mark.parametrize("attack", ENCODED.values(), ids=ENCODED)
def test_an_encoded_word_in_a_header_is_refused(attack: str) -> None:
    reason = CompositionReason.ENCODED_WORD
    assert refusal(subject=attack) == ("subject", reason)
    assert refusal(from_name=attack) == ("from_name", reason)
    assert refusal(extra_headers=[("X-Y", attack)]) == ("extra_headers", reason)
    assert refusal(replace(FACTS, thread_subject=attack), subject="") == ("subject", reason)
    assert refusal(replace(FACTS, values={"company": attack}), subject="About {{company}}") == ("subject", reason)


def test_an_encoded_word_put_together_from_two_values_is_refused() -> None:
    facts = replace(FACTS, values={"first_name": "=?utf-8", "company": "q?=0ABcc:?="})
    assert refusal(facts, subject="{{first_name}}?{{company}}") == ("subject", CompositionReason.ENCODED_WORD)


def test_a_name_of_five_megabytes_is_refused() -> None:
    assert refusal(from_name="x" * 5_000_000) == ("from_name", CompositionReason.TOO_LONG)


def test_a_subject_may_be_long_but_not_endless() -> None:
    assert len(built(subject="x" * LONGEST_SUBJECT).subject) == LONGEST_SUBJECT
    assert refusal(subject="x" * (LONGEST_SUBJECT + 1)) == ("subject", CompositionReason.TOO_LONG)
    facts = replace(FACTS, values={"company": "x" * 5_000})
    assert refusal(facts, subject="{{company}}") == ("subject", CompositionReason.TOO_LONG)


def test_a_refusal_names_the_field_and_repeats_no_value() -> None:
    with pytest.raises(CompositionRefused) as caught:
        built(subject="secret\0")
    assert str(caught.value) == "subject: It contains the control character U+0000 (NUL)."


# -- Bodies


@pytest.mark.parametrize("blank", [None, "", " \n"])
def test_without_html_there_is_one_part(blank: str | None) -> None:
    assert parsed(built(body_html=blank)).get_content_type() == "text/plain"


def test_the_richer_part_comes_last() -> None:
    message = parsed(built(body_html="<p>x</p>"))
    types = [part.get_content_type() for part in message.walk()]
    assert types == ["multipart/alternative", "text/plain", "text/html"]


def test_values_are_escaped_in_html_and_nowhere_else() -> None:
    facts = replace(FACTS, values={"company": "<B> & Co"})
    message = built(facts, subject="{{company}}", body_text="{{company}}", body_html="<i>{{company}}</i>")
    assert message.subject == "<B> & Co"
    assert parts_of(message) == ["<B> & Co", "<i>&lt;B&gt; &amp; Co</i>"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_line_ends_of_every_kind_become_one(line_end: str) -> None:
    assert built(body_text=f"a{line_end}b{line_end}").payload.endswith(b"\r\n\r\na\r\nb\r\n")


@pytest.mark.parametrize("character", ["\0", "\x01", "\x1b", "\x7f", "\x80", "\ud800"])
def test_other_control_characters_in_a_body_are_refused(character: str) -> None:
    assert refusal(body_text=f"a{character}") == ("body_text", CompositionReason.CONTROL_CHARACTER)
    assert refusal(body_html=f"a{character}") == ("body_html", CompositionReason.CONTROL_CHARACTER)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        ("", "7bit"),
        ("plain", "7bit"),
        ("x" * 998, "7bit"),
        ("x" * 999, "quoted-printable"),
        ("x" * 1_000_000, "quoted-printable"),
        ("caf\u00e9", "quoted-printable"),
        ("\u041f\u0440\u0438\u0432\u0435\u0442", "base64"),
        ("\u65e5\u672c\u8a9e" * 1_000, "base64"),
        (".\n..\n.", "7bit"),
    ],
)
def test_each_body_gets_the_plainest_encoding_that_is_safe(body: str, encoding: str) -> None:
    assert encoding_of(body[:900_000]) == encoding


def test_a_long_token_stays_whole() -> None:
    token = "QUJD" * 400
    assert body_of(parsed(built(body_text=f"a {token} b"))) == f"a {token} b\r\n"


def test_encoded_bodies_have_short_lines() -> None:
    for body in ("caf\u00e9 " * 500, "\u65e5\u672c\u8a9e" * 500, "x" * 5_000):
        lines = built(body_text=body).payload.partition(b"\r\n\r\n")[2].split(b"\r\n")
        assert max(map(len, lines)) <= 76


@pytest.mark.parametrize("field", ["body_text", "body_html"])
def test_a_body_beyond_the_cap_is_refused(field: str) -> None:
    facts = replace(FACTS, values={"company": "x" * 5_000})
    assert refusal(facts, **{field: "{{company}}" * 201}) == (field, CompositionReason.TOO_LONG)


def test_the_boundary_comes_from_the_message_id() -> None:
    first = parsed(built(body_html="x")).get_boundary()
    second = parsed(built(replace(FACTS, message_id="<2@x>"), body_html="x")).get_boundary()
    assert first != second


def test_a_body_that_holds_the_boundary_gets_another() -> None:
    boundary = str(parsed(built(body_html="x")).get_boundary())
    message = built(body_text=f"--{boundary}--\nrest", body_html="x")
    assert parsed(message).get_boundary() != boundary
    assert parts_of(message) == [f"--{boundary}--\r\nrest", "x"]


# -- Properties

safe_text = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=200)
body_text = st.lists(safe_text | st.sampled_from([".", "..", " ", "\t", "=", "x" * 1_200, "=0A", "--=_"]), max_size=8)
bodies = body_text.map("\n".join)


def as_sent(body: str) -> str:
    """A body as compose writes it: one line end at its end, all of them CRLF."""
    return body.rstrip("\n").replace("\n", "\r\n") + "\r\n"


def untag(text: str) -> str:
    return text.replace("{{", "{ {")


@given(bodies)
def test_every_text_is_read_back_as_it_was(body: str) -> None:
    body = untag(body)
    assert body_of(parsed(built(body_text=body))) == as_sent(body)


@given(bodies, bodies)
def test_both_parts_are_read_back_as_they_were(text: str, html: str) -> None:
    text, html = untag(text), f"<p>{untag(html)}"
    expected = [as_sent(text).removesuffix("\r\n"), as_sent(html).removesuffix("\r\n")]
    assert parts_of(built(body_text=text, body_html=html)) == expected


@given(safe_text, safe_text, st.text(), bodies)
def test_whatever_is_built_passes_the_last_check(name: str, subject: str, value: str, body: str) -> None:
    facts = replace(FACTS, values={"x": value}, unsubscribe_url=URL, thread=("<a@b>",), thread_subject="Old")
    try:
        message = built(facts, from_name=name, subject=f"{subject} {{{{x}}}}", body_text=body, body_html=body)
    except CompositionRefused:
        return
    check_wire(message.payload, message.headers, smtputf8=message.smtputf8)
    dot_stuff(message.payload)
    assert message.payload.isascii()


@given(st.text(), st.text(), st.text(), st.text(), st.text())
def test_no_text_at_all_adds_a_field(name: str, address: str, subject: str, identifier: str, value: str) -> None:
    facts = replace(FACTS, to_address=f"{address}@example.com", thread=(f"<{identifier}@x>",), values={"x": value})
    try:
        message = built(facts, from_name=name, subject=subject + "{{x}}", body_text="{{x}}")
    except CompositionRefused:
        return
    names = [field for field, _ in message.headers]
    assert names[:7] == ["Date", "From", "To", "Subject", "Message-ID", "In-Reply-To", "References"]
    assert len(names) == 10
    check_wire(message.payload, message.headers, smtputf8=message.smtputf8)


@given(st.binary(min_size=1, max_size=3), st.integers(min_value=0))
def test_a_changed_header_never_passes_the_last_check(noise: bytes, place: int) -> None:
    message = built(replace(FACTS, unsubscribe_url=URL))
    head, _, body = message.payload.partition(b"\r\n\r\n")
    position = place % len(head)
    changed = head[:position] + noise + head[position + len(noise) :]
    payload = changed + b"\r\n\r\n" + body
    if payload != message.payload and changed.split() != head.split():
        with pytest.raises(HygieneFailed):
            check_wire(payload, message.headers)


# -- Read by the standard library's strict parser, which lists what it had to forgive


def defects_of(message: BuiltMessage) -> list[object]:
    strict = email.message_from_bytes(message.payload, policy=email.policy.SMTPUTF8)
    found: list[object] = []
    for part in strict.walk():
        found += part.defects
        found += [defect for value in part.values() for defect in value.defects]
    return found


def test_a_follow_up_has_no_defects() -> None:
    facts = replace(FACTS, unsubscribe_url=URL, thread=("<a@b.example>",), thread_subject="Grüße")
    message = built(facts, from_name="Jürgen, Ö", subject="", body_html="<p>é</p>", extra_headers=[("X-A", "é")])
    assert defects_of(message) == []


@given(safe_text, safe_text, bodies, bodies)
def test_nothing_that_is_built_has_defects(name: str, subject: str, text: str, html: str) -> None:
    facts = replace(FACTS, unsubscribe_url=URL, thread=("<a@b.example>", "<c@d.example>"))
    try:
        message = built(facts, from_name=name, subject=subject, body_text=text, body_html=html)
    except CompositionRefused:
        return
    assert defects_of(message) == []


@given(safe_text)
def test_the_strict_parser_finds_one_sender_and_one_recipient(name: str) -> None:
    try:
        message = built(from_name=name)
    except CompositionRefused:
        return
    strict = email.message_from_bytes(message.payload, policy=email.policy.SMTP)
    assert [mailbox.addr_spec for mailbox in strict["From"].addresses] == ["ada@example.com"]
    assert [mailbox.addr_spec for mailbox in strict["To"].addresses] == ["bob@example.com"]
    assert [strict.get_all(field) for field in ("Cc", "Bcc", "Reply-To", "Sender")] == [None] * 4


# -- With the lawful footer, as a campaign sends it


@given(safe_text, safe_text, bodies)
def test_every_campaign_message_offers_the_way_out_three_times(name: str, address: str, body: str) -> None:
    html, text = with_footer(f"<p>{body}</p>", body, name, address)
    message = built(replace(FACTS, unsubscribe_url=URL), body_text=text, body_html=html)
    read_text, read_html = parts_of(message)
    assert URL in read_text
    assert URL in read_html
    assert dict(message.headers)["List-Unsubscribe"] == f"<{URL}>"


def test_a_message_of_a_campaign_names_its_sender() -> None:
    html, text = with_footer("<p>Hi</p>", "Hi", "Acme & Co", "1 Main Street\nTown")
    read_text, read_html = parts_of(built(replace(FACTS, unsubscribe_url=URL), body_text=text, body_html=html))
    assert read_text.endswith(f"Acme & Co\r\n1 Main Street\r\nTown\r\nUnsubscribe: {URL}")
    assert "Acme &amp; Co<br>1 Main Street<br>Town<br>" in read_html


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


@given(st.text(alphabet="aé日 ", min_size=1, max_size=300).filter(lambda body: not body.isascii()))
def test_the_shorter_of_two_encodings_is_taken(body: str) -> None:
    written = built(body_text=body).payload.partition(b"\r\n\r\n")[2]
    content = as_sent(body).encode()
    as_base64 = base64.encodebytes(content).replace(b"\n", b"\r\n")
    shortest = min(len(as_base64), len(quopri.encodestring(content.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")))
    # Each line of base64 has a line end that is reckoned with on average, so a few octets either way are as good.
    assert len(written) <= shortest + 4
