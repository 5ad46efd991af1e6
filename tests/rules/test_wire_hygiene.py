"""Wire hygiene: bytes that a server could read in two ways do not leave, and a smuggled header is seen."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.wire_hygiene import (
    LARGEST_HEADER,
    LARGEST_MESSAGE,
    HygieneFailed,
    HygieneReason,
    check_line_ends,
    check_wire,
    dot_stuff,
)

HEADER = b"From: Ada <ada@example.com>\r\nTo: bob@example.com\r\nSubject: Hi\r\n"
FIELDS = [("From", "Ada <ada@example.com>"), ("To", "bob@example.com"), ("Subject", "Hi")]
# Pieces of which the attacks on mail bodies are made (promises A14).
PIECES = [
    b"\r", b"\n", b"\r\n", b".", b"\r.\r", b"\n.\n", b"\r\n.\r\n", b"\r\n.\n", b"\n.\r\n", b"\0", b"\xe2\x80\xa8", b"a"
]  # fmt: skip
wires = st.lists(st.sampled_from(PIECES)).map(b"".join)
clean_bodies = st.lists(st.sampled_from([b".", b"..", b"a", b" ", b"\r\n"])).map(
    lambda pieces: b"".join(pieces) + b"\r\n"
)


def reason_of(payload: bytes, fields: list[tuple[str, str]] = FIELDS, *, smtputf8: bool = False) -> HygieneReason:
    with pytest.raises(HygieneFailed) as caught:
        check_wire(payload, fields, smtputf8=smtputf8)
    return caught.value.reason


def body_reason(body: bytes) -> HygieneReason:
    return reason_of(HEADER + b"\r\n" + body)


def subject_reason(subject: bytes) -> HygieneReason:
    return reason_of(HEADER.replace(b"Hi", subject) + b"\r\nx\r\n")


def as_server(stuffed: bytes) -> list[bytes]:
    """What a server makes of DATA: lines up to the lone dot, each less its first dot (RFC 5321, section 4.5.2)."""
    lines: list[bytes] = []
    for line in (stuffed + b".\r\n").split(b"\r\n"):
        if line == b".":
            return lines
        lines.append(line[1:] if line.startswith(b".") else line)
    raise AssertionError("The end of the message was never seen.")


# -- dot_stuff


@pytest.mark.parametrize(
    ("plain", "stuffed"),
    [
        (b"a\r\n", b"a\r\n"),
        (b".\r\n", b"..\r\n"),
        (b".a\r\n.b\r\n", b"..a\r\n..b\r\n"),
        (b"..\r\n", b"...\r\n"),
        (b"a.\r\nb.c\r\n", b"a.\r\nb.c\r\n"),
        (b"a\r\n.\r\nb\r\n", b"a\r\n..\r\nb\r\n"),
        (b"a\r\n.\r\n", b"a\r\n..\r\n"),
        (b"\r\n.\r\n.\r\n", b"\r\n..\r\n..\r\n"),
        (b"\r\n", b"\r\n"),
    ],
)
def test_each_line_that_begins_with_a_dot_gets_one_more(plain: bytes, stuffed: bytes) -> None:
    assert dot_stuff(plain) == stuffed


@pytest.mark.parametrize(
    "payload",
    [b"a\r.\r\r\n", b"a\n.\n\r\n", b"a\r\n.\n\r\n", b"a\n.\r\n", b"\ra\r\n", b"a\r\r\n", b"a\n\r\n", b"\n", b"\r"],
)
def test_a_line_end_that_stands_alone_is_never_stuffed_around(payload: bytes) -> None:
    with pytest.raises(HygieneFailed) as caught:
        dot_stuff(payload)
    assert caught.value.reason == HygieneReason.BARE_LINE_END


@pytest.mark.parametrize("payload", [b"", b"a", b"a\r\nb"])
def test_a_message_without_its_last_line_end_is_refused(payload: bytes) -> None:
    with pytest.raises(HygieneFailed) as caught:
        dot_stuff(payload)
    assert caught.value.reason == HygieneReason.NO_FINAL_LINE_END


@given(clean_bodies)
def test_a_server_reads_back_exactly_what_was_stuffed(body: bytes) -> None:
    assert b"\r\n".join([*as_server(dot_stuff(body)), b""]) == body


@given(clean_bodies)
def test_no_line_of_a_stuffed_message_ends_it(body: bytes) -> None:
    assert b"." not in dot_stuff(body).split(b"\r\n")


@given(wires)
def test_stuffing_either_is_transparent_or_refuses(wire: bytes) -> None:
    try:
        stuffed = dot_stuff(wire)
    except HygieneFailed:
        assert re.search(rb"\r(?!\n)|(?<!\r)\n", wire) or not wire.endswith(b"\r\n")
    else:
        assert b"\r\n".join([*as_server(stuffed), b""]) == wire


@given(st.binary())
def test_line_ends_pass_only_in_pairs(wire: bytes) -> None:
    whole = re.fullmatch(rb"(?:[^\r\n]*\r\n)+", wire) is not None
    try:
        check_line_ends(wire)
    except HygieneFailed:
        assert not whole
    else:
        assert whole


# -- check_wire: octets


def test_a_clean_message_passes() -> None:
    check_wire(HEADER + b"\r\nHello\r\n.\r\n", FIELDS)


def test_a_message_without_text_passes() -> None:
    check_wire(HEADER + b"\r\n\r\n", FIELDS)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"a\0b\r\n", HygieneReason.NUL),
        (b"a\rb\r\n", HygieneReason.BARE_LINE_END),
        (b"a\nb\r\n", HygieneReason.BARE_LINE_END),
        (b"a\r.\r\r\n", HygieneReason.BARE_LINE_END),
        (b"a\n.\n\r\n", HygieneReason.BARE_LINE_END),
        (b"a\n\r\n", HygieneReason.BARE_LINE_END),
        (b"a\r\nb", HygieneReason.NO_FINAL_LINE_END),
        (b"a" * 999 + b"\r\n", HygieneReason.LINE_TOO_LONG),
        (b"a" * 1_000_000 + b"\r\n", HygieneReason.LINE_TOO_LONG),
        (b"a\r\n" + b"QUJD" * 250 + b"\r\n", HygieneReason.LINE_TOO_LONG),
        ("caf\u00e9\r\n".encode(), HygieneReason.EIGHT_BIT),
        ("a\u2028b\r\n".encode(), HygieneReason.EIGHT_BIT),
        (b"\xff\r\n", HygieneReason.EIGHT_BIT),
        (b"x\r\n" * (LARGEST_MESSAGE // 3), HygieneReason.TOO_LARGE),
    ],
)
def test_a_body_a_server_may_read_otherwise_is_refused(body: bytes, reason: HygieneReason) -> None:
    assert body_reason(body) == reason


def test_the_longest_line_passes() -> None:
    check_wire(HEADER + b"\r\n" + b"a" * 998 + b"\r\n", FIELDS)


def test_eight_bits_pass_where_they_are_declared() -> None:
    header = HEADER + b"Content-Transfer-Encoding: 8bit\r\n"
    check_wire(header + "\r\ncaf\u00e9\r\n".encode(), [*FIELDS, ("Content-Transfer-Encoding", "8bit")])


def test_a_header_beyond_ascii_passes_by_smtputf8_alone() -> None:
    payload = HEADER.replace(b"bob", "zo\u00eb".encode()) + b"\r\nx\r\n"
    fields = [FIELDS[0], ("To", "zo\u00eb@example.com"), FIELDS[2]]
    check_wire(payload, fields, smtputf8=True)
    assert reason_of(payload, fields) == HygieneReason.EIGHT_BIT


def test_smtputf8_lets_no_eight_bit_body_through() -> None:
    assert reason_of(HEADER + b"\r\n\xc3\xa9\r\n", smtputf8=True) == HygieneReason.EIGHT_BIT


def test_a_header_that_is_no_utf8_is_refused() -> None:
    payload = HEADER.replace(b"Hi", b"\xff") + b"\r\nx\r\n"
    assert reason_of(payload, smtputf8=True) == HygieneReason.MALFORMED_HEADER


# -- check_wire: the header


@pytest.mark.parametrize(
    "header",
    [
        b"Subject Hi\r\n",
        b": Hi\r\n",
        b"Sub ject: Hi\r\n",
        b"Subject : Hi\r\n",
        b" Subject: Hi\r\n",
        b"Subject: Hi\r\n \t\r\n",
        b"Subj\x01ect: Hi\r\n",
    ],
)
def test_a_line_that_is_no_field_is_refused(header: bytes) -> None:
    assert reason_of(header + b"\r\nx\r\n") == HygieneReason.MALFORMED_HEADER


def test_a_message_without_a_body_is_refused() -> None:
    assert reason_of(HEADER) == HygieneReason.NO_BODY


def test_a_message_without_a_header_is_refused() -> None:
    assert reason_of(b"\r\nx\r\n\r\ny\r\n") == HygieneReason.MALFORMED_HEADER


@pytest.mark.parametrize(
    "subject",
    [
        b"Hi\r\nBcc: x@example.com",
        b"Hi\r\nX: y",
        b"Ho",
        b"hi",
        b"",
        b"Hi Hi",
        b"=?utf-8?q?Ho?=",
        b"=?utf-8?q?Hi=0D=0ABcc:_x?=",
        b"=?utf-8?q?Hi?= =?utf-8?q?Hi?=",
        b"Hi =?utf-8?q?x?=",
        b"Hi\r\n Hi",
    ],
)
def test_a_header_that_says_something_else_is_refused(subject: bytes) -> None:
    assert subject_reason(subject) == HygieneReason.HEADERS_DIFFER


def test_an_injected_header_is_seen_even_in_an_encoded_word() -> None:
    subject = "A \U0001f4a9 s=?UTF-8?Q?=0A?=Bcc: injected@example.com"
    # What CPython 3.11.7 makes of it with EmailMessage(policy=default): CVE-2024-6923.
    emitted = b"=?utf-8?q?A_=F0=9F=92=A9_s=0A?=\r\nBcc: injected@example.com"
    payload = HEADER.replace(b"Hi", emitted) + b"\r\nx\r\n"
    assert reason_of(payload, [*FIELDS[:2], ("Subject", subject)]) == HygieneReason.HEADERS_DIFFER


@pytest.mark.parametrize(
    "fields",
    [
        [],
        FIELDS[:2],
        FIELDS[1:],
        [*FIELDS, ("Bcc", "x@example.com")],
        [FIELDS[1], FIELDS[0], FIELDS[2]],
        [*FIELDS, FIELDS[2]],
        [*FIELDS[:2], ("subject", "Hi")],
    ],
)
def test_fields_are_compared_by_number_order_and_name(fields: list[tuple[str, str]]) -> None:
    assert reason_of(HEADER + b"\r\nx\r\n", fields) == HygieneReason.HEADERS_DIFFER


def test_folded_and_encoded_values_are_compared_as_they_are_read() -> None:
    sender = b"From: =?utf-8?q?J=C3=BCrgen?=\r\n =?utf-8?b?IE0=?= <j@example.com>\r\n"
    references = b"References: <a@b>\r\n\t<c@d>\r\n"
    check_wire(
        sender + references + b"\r\nx\r\n", [("From", "J\u00fcrgen M <j@example.com>"), ("References", "<a@b>\t<c@d>")]
    )


def test_a_header_beyond_any_we_write_is_refused() -> None:
    assert reason_of(HEADER + b"X: y\r\n" * 11_000 + b"\r\nx\r\n") == HygieneReason.TOO_LARGE


@pytest.mark.parametrize("word", [b"=?nope?q?x?=", b"=?utf-8?b?x?=", b"=?utf-8?q?=FF?=", b"a =?utf-8?b?=4?= b"])
def test_an_encoded_word_nobody_can_read_is_refused(word: bytes) -> None:
    assert subject_reason(word) == HygieneReason.MALFORMED_HEADER


@pytest.mark.parametrize("value", [b"Hi ", b"Hi\t", b"Hi \t ", b" \tHi", b"\r\n Hi", b"\r\n\tHi"])
def test_blanks_around_a_value_say_nothing(value: bytes) -> None:
    check_wire(HEADER.replace(b" Hi", value) + b"\r\nx\r\n", FIELDS)


@pytest.mark.parametrize("value", [b"H i", b"Hi\xc2\xa0", b"\x0bHi", b"Hi\x0c"])
def test_other_blanks_say_something(value: bytes) -> None:
    payload = HEADER.replace(b"Hi", value) + b"\r\nx\r\n"
    assert reason_of(payload, smtputf8=True) == HygieneReason.HEADERS_DIFFER


@pytest.mark.parametrize("start", [b" ", b"\t", b" x\r\n", b"\t \r\n"])
def test_a_header_cannot_begin_with_a_continuation(start: bytes) -> None:
    assert reason_of(start + HEADER + b"\r\nx\r\n") == HygieneReason.MALFORMED_HEADER


def test_smtputf8_is_only_taken_where_it_is_given() -> None:
    payload = HEADER.replace(b"Hi", "é".encode()) + b"\r\nx\r\n"
    with pytest.raises(HygieneFailed) as caught:
        check_wire(payload, [*FIELDS[:2], ("Subject", "é")])
    assert caught.value.reason == HygieneReason.EIGHT_BIT


def test_the_largest_header_passes() -> None:
    filler = b"X: " + b"y" * 900 + b"\r\n"
    head = HEADER + filler * 70
    last = b"Z: " + b"y" * (LARGEST_HEADER - len(head) - 3)
    fields = [*FIELDS, *[("X", "y" * 900)] * 70, ("Z", last[3:].decode())]
    check_wire(head + last + b"\r\n\r\nx\r\n", fields)
    fields[-1] = ("Z", last[3:].decode() + "y")
    assert reason_of(head + last + b"y\r\n\r\nx\r\n", fields) == HygieneReason.TOO_LARGE


def test_the_largest_message_passes() -> None:
    head = HEADER + b"\r\n"
    size = LARGEST_MESSAGE - len(head)
    body = (b"a" * 998 + b"\r\n") * (size // 1_000) + b"b" * (size % 1_000 - 2) + b"\r\n"
    check_wire(head + body, FIELDS)
    assert reason_of(head + b"\r\n" + body) == HygieneReason.TOO_LARGE


# -- What operators read


@pytest.mark.parametrize(
    ("payload", "reason", "sentence"),
    [
        (HEADER, "no_body", "No empty line sets the header apart from the body."),
        (HEADER + b"\r\n\0\r\n", "nul", "The message contains a NUL."),
        (HEADER + b"\r\n\n", "bare_line_end", "The message holds a CR or an LF that stands alone."),
        (HEADER + b"\r\nx", "no_final_line_end", "The message does not end with CRLF."),
        (HEADER + b"\r\n" + b"x" * 999 + b"\r\n", "line_too_long", "A line has 999 octets; 998 are allowed."),
        (
            HEADER + b"\r\n\xff\r\n",
            "eight_bit",
            "The body is not ASCII, and is not declared to be 8bit.",
        ),
        (
            b"\xff" + HEADER + b"\r\nx\r\n",
            "eight_bit",
            "The header is not ASCII, and the message does not go by SMTPUTF8.",
        ),
        (b"x\r\n" + HEADER + b"\r\nx\r\n", "malformed_header", "The header has a line that is no field."),
        (
            b" " + HEADER + b"\r\nx\r\n",
            "malformed_header",
            "The header has a continuation of nothing, or of blanks alone.",
        ),
        (
            b"X: =?nope?q?x?=\r\n" + HEADER + b"\r\nx\r\n",
            "malformed_header",
            "The header has an encoded-word that cannot be read.",
        ),
        (
            b"X: y\r\n" + HEADER + b"\r\nx\r\n",
            "headers_differ",
            "Field 1 of the header should be From, and say what it was given.",
        ),
    ],
)
def test_each_refusal_has_a_code_and_a_sentence(payload: bytes, reason: str, sentence: str) -> None:
    with pytest.raises(HygieneFailed) as caught:
        check_wire(payload, FIELDS)
    assert (caught.value.reason, str(caught.value)) == (reason, sentence)


def test_a_refusal_names_the_field_and_repeats_no_content() -> None:
    with pytest.raises(HygieneFailed, match=r"^Field 3 of the header should be Subject") as caught:
        check_wire(HEADER.replace(b"Hi", b"secret") + b"\r\nx\r\n", FIELDS)
    assert "secret" not in str(caught.value)


def test_a_refusal_counts_the_fields() -> None:
    with pytest.raises(HygieneFailed, match="3 fields instead of 2"):
        check_wire(HEADER + b"\r\nx\r\n", FIELDS[:2])


@given(st.binary())
def test_any_bytes_either_pass_or_are_refused(payload: bytes) -> None:
    with pytest.raises(HygieneFailed):
        check_wire(payload, FIELDS)


@given(wires)
def test_any_body_that_passes_is_safe_on_the_wire(body: bytes) -> None:
    payload = HEADER + b"\r\n" + body
    try:
        check_wire(payload, FIELDS)
    except HygieneFailed:
        return
    assert re.search(rb"\r(?!\n)|(?<!\r)\n|\0|[\x80-\xff]|[^\r\n]{999}", payload) is None
    assert b"\r\n".join([*as_server(dot_stuff(payload)), b""]) == payload


@given(st.binary(max_size=40).filter(lambda value: value.strip(b" \t") != b"Hi"))
def test_no_subject_but_the_right_one_passes(subject: bytes) -> None:
    with pytest.raises(HygieneFailed):
        check_wire(HEADER.replace(b"Hi", subject) + b"\r\nx\r\n", FIELDS, smtputf8=True)


@pytest.mark.parametrize("piece", [b"a\r\n", b"\r\n", b"=?a\r\n", b"=?utf-8?q?a?=\r\n ", b"a: b\r\n", b" \r\n", b"."])
@pytest.mark.parametrize("size", [LARGEST_HEADER - 100, 5_000_000])
def test_the_time_is_linear_in_the_size(piece: bytes, size: int) -> None:
    payload = b"X: " + piece * (size // len(piece)) + b"\r\n\r\nx\r\n"
    started = time.process_time()
    with pytest.raises(HygieneFailed):
        check_wire(payload, FIELDS)
    assert time.process_time() - started < 3.0
