"""Composition: whatever is given, what is built is read back as it was meant, by strict software too."""

import base64
import email
import email.message
import email.policy
import quopri
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.rules.footer import with_footer
from dispatch.rules.compose import (
    BuiltMessage,
    CompositionRefused,
)
from dispatch.rules.wire_hygiene import HygieneFailed, check_wire, dot_stuff
from tests.rules.composing import FACTS, URL, body_of, built, parsed, parts_of

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


@given(st.text(alphabet="aé日 ", min_size=1, max_size=300).filter(lambda body: not body.isascii()))
def test_the_shorter_of_two_encodings_is_taken(body: str) -> None:
    written = built(body_text=body).payload.partition(b"\r\n\r\n")[2]
    content = as_sent(body).encode()
    as_base64 = base64.encodebytes(content).replace(b"\n", b"\r\n")
    shortest = min(len(as_base64), len(quopri.encodestring(content.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")))
    # Each line of base64 has a line end that is reckoned with on average, so a few octets either way are as good.
    assert len(written) <= shortest + 4


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
