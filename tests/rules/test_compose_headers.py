"""Headers of composed messages: each field as it must be, and no value that can add another."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from dispatch.rules.compose import (
    LONGEST_SUBJECT,
    OWN_FIELDS,
    THREAD_KEPT,
    CompositionReason,
    CompositionRefused,
    reply_subject,
)
from dispatch.rules.wire_hygiene import check_wire
from tests.rules.composing import FACTS, URL, body_of, built, parsed, refusal

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
