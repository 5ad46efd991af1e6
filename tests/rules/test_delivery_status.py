"""Notices of failed deliveries are read whatever program wrote them; delays and other mail are never taken for one."""

import pytest

from dispatch.gateways.known_dialects import find_failed_addresses, with_known_dialects
from dispatch.knowledge import load_knowledge
from dispatch.rules.classify.delivery_status import add_known_dialect, is_unclassified, read_delivery_status
from dispatch.rules.classify.verdict import Classification, MailKind
from dispatch.rules.mail.reader import read_mail
from tests.rules.bounces import SAMPLES
from tests.rules.bounces.samples import ORIGINAL, ORIGINAL_ID, PER_MESSAGE, Sample, notice, report


def judge(text: str) -> Classification | None:
    return read_delivery_status(read_mail(text.replace("{original}", ORIGINAL).encode()), load_knowledge())


def judged(text: str) -> Classification:
    found = judge(text)
    assert found is not None
    return found


def failed(found: Classification) -> tuple[tuple[str, str, bool], ...]:
    return tuple((one.address, one.status, one.hard) for one in found.recipients)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_notice_is_read(sample: Sample) -> None:
    found = judged(sample.text)
    assert found.kind == sample.kind
    assert failed(found) == sample.failed
    assert found.original_message_ids == sample.ids
    assert found.evidence


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_notice_is_read_with_any_line_ends(sample: Sample) -> None:
    raw = sample.raw.replace(b"\n", b"\r\n")
    found = read_delivery_status(read_mail(raw), load_knowledge())
    assert found is not None
    assert failed(found) == sample.failed


@pytest.mark.parametrize("sample", [one for one in SAMPLES if one.kind == "delay"], ids=lambda sample: sample.name)
def test_a_delay_is_never_hard(sample: Sample) -> None:
    assert not any(one.hard for one in judged(sample.text).recipients)


OTHER_MAIL = {
    "a reply": notice("Bob <bob@dest.example>", "Re: A question", "Yes, please call me.\nBob"),
    "a reply that quotes a bounce": notice(
        "Bob <bob@dest.example>",
        "Re: Undelivered Mail Returned to Sender",
        "Strange, I have my mail.\n\n> This is the mail system at mx.example.\n> <bob@dest.example>: User unknown\n",
    ),
    "a forwarded bounce": notice(
        "Carol <carol@sender.example>",
        "Fwd: Undelivered Mail Returned to Sender",
        "Look at that:\n\nYour message could not be delivered.\n<bob@dest.example>: 550 5.1.1 User unknown\n",
    ),
    "a person whose mail does not arrive": notice(
        "Carol <carol@sender.example>",
        "Mail to Bob",
        "My message to bob@dest.example could not be delivered. Do you have his new address?",
    ),
    "out of office": notice(
        "Bob <bob@dest.example>",
        "Automatic reply: A question",
        "I am away until Monday. In urgent cases write to carol@dest.example.",
        "Auto-Submitted: auto-replied",
        "Return-Path: <>",
    ),
    "a complaint": notice(
        "feedback@mx.example",
        "Complaint",
        "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n--b--\n",
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"',
    ),
    "a newsletter": notice("News <news@shop.example>", "Our delivery has improved", "No more failed deliveries!"),
    "nothing": "\n",
}


@pytest.mark.parametrize("text", OTHER_MAIL.values(), ids=OTHER_MAIL)
def test_other_mail_is_no_notice(text: str) -> None:
    assert judge(text) is None


def test_a_receipt_is_a_machines_mail() -> None:
    found = judged(
        'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\n\n--b\n\nread\n--b\n'
        "Content-Type: message/disposition-notification\n\nDisposition: manual-action; displayed\n--b--\n"
    )
    assert found.kind is MailKind.MACHINE


def test_what_a_mailer_daemon_says_besides_is_unclassified() -> None:
    found = judged(notice("MAILER-DAEMON@mx.example", "Statistics", "All is well, says carol@dest.example."))
    assert (found.kind, found.recipients) == (MailKind.MACHINE, ())
    assert is_unclassified(found)


BYSTANDERS = {
    "the one who reads the notice": "It could not be delivered.\n\nann@sender.example\n\n<bob@dest.example>\n",
    "the sender of the notice": "mx@mx.example\nIt could not be delivered:\n\n<bob@dest.example>: unknown user\n",
    "whom to contact": "<bob@dest.example>: 550 unknown user\n\nIf in doubt contact carol@mx.example or call.\n",
    "whom to contact in German": "bob@dest.example existiert nicht. Bitte wenden Sie sich an carol@dest.example.\n",
    "whom to contact in French": "bob@dest.example n'existe plus. Veuillez contacter carol@dest.example.\n",
    "whom to contact in Spanish": "bob@dest.example no existe. Escriba a carol@dest.example.\n",
    "who comes instead": "bob@dest.example has left us. Please direct your mail to carol@dest.example.\n",
    "a postmaster": "<postmaster@mx.example>\n\n<bob@dest.example>: 550 unknown user\n",
    "the envelope's sender": "MAIL FROM:<carol@sender.example>\nRCPT TO:<bob@dest.example>\n550 5.1.1 unknown user\n",
    "identifiers": "<bob@dest.example>: 550 unknown user\nMessage-ID: <12345@sender.example>\n",
    "who is in the returned message": (
        "<bob@dest.example>: unknown user\n\n--- Below this line is a copy of the message.\n{original}"
    ),
}


@pytest.mark.parametrize("text", BYSTANDERS.values(), ids=BYSTANDERS)
def test_those_who_are_merely_named_have_not_failed(text: str) -> None:
    found = judged(notice("Mail Delivery System <mx@mx.example>", "Delivery failure", text))
    assert [one.address for one in found.recipients] == ["bob@dest.example"]


ADDRESSES = [
    "o'brien@dest.example",
    "bob+tag@dest.example",
    "bounce=bob=dest@dest.example",
    "bob..x@dest.example",
    "-bob-@dest.example",
    ".bob.@dest.example",
    "böb@dest.example",
    "bob@bücher.example",
    "bob@xn--bcher-kva.example",
    "bob&carol@dest.example",
    "bob@[192.0.2.1]",
    "bob_smith-jones.x@sub.sub2.dest.example",
]
PLACES = [
    "<{}>:\nSorry, no mailbox here by that name. (#5.1.1)\n",
    "The following address(es) failed:\n\n  {}\n    no such user\n",
    "Your message to {} could not be delivered.\nuser unknown\n",
    "550 5.1.1 <{}>... User unknown\n",
    "Unable to deliver message to the following address(es).\n\n<{}>:\nunknown user\n",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses_of_any_form_are_read_whole(address: str, place: str) -> None:
    found = judged(notice("MAILER-DAEMON@mx.example", "failure notice", place.format(address)))
    assert [one.address for one in found.recipients] == [address]


def test_all_recipients_are_found() -> None:
    text = "This is the mail system at host mx.example.\n\n<bob@dest.example>: host a said: 550 5.1.1 User unknown\n\n"
    found = judged(
        notice(
            "MAILER-DAEMON@mx.example",
            "Undelivered",
            text + "<carol@dest.example>: host a said: 552 5.2.2 Over quota\n",
        )
    )
    assert failed(found) == (("bob@dest.example", "5.1.1", True), ("carol@dest.example", "5.2.2", False))


def test_the_address_that_was_written_to_is_kept_beside_the_one_that_failed() -> None:
    fields = (
        f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@inner.example\nOriginal-Recipient: rfc822; bob@dest.example\n"
        "Action: failed\nStatus: 5.1.1\n"
    )
    (recipient,) = judged(report("x", fields)).recipients
    assert (recipient.address, recipient.aliases) == ("bob@inner.example", ("bob@dest.example",))


def test_a_name_within_one_host_is_not_what_was_written_to() -> None:
    fields = (
        f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@ims-ms-daemon\nOriginal-Recipient: rfc822; bob@dest.example\n"
        "Action: failed\nStatus: 5.1.1\n"
    )
    (recipient,) = judged(report("x", fields)).recipients
    assert (recipient.address, recipient.aliases) == ("bob@dest.example", ("bob@ims-ms-daemon",))


def test_diagnostics_are_kept_and_cut() -> None:
    fields = f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@dest.example\nAction: failed\nStatus: 5.1.1\n"
    (recipient,) = judged(report("x", f"{fields}Diagnostic-Code: smtp; 550 {'x' * 3000}\n")).recipients
    assert recipient.diagnostic.startswith("550 x")
    assert len(recipient.diagnostic) == 1000


def test_a_notice_about_a_notice_speaks_of_the_outer_one() -> None:
    inner = report("x", f"{PER_MESSAGE}\nFinal-Recipient: rfc822; carol@dest.example\nAction: failed\nStatus: 5.1.1\n")
    outer = f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@dest.example\nAction: failed\nStatus: 5.1.1\n"
    found = judged(report("x", outer, returned=inner.replace("=_r", "=_i")))
    assert [one.address for one in found.recipients] == ["bob@dest.example"]


def test_a_notice_that_a_machine_passes_on_is_read() -> None:
    inner = report("x", f"{PER_MESSAGE}\nFinal-Recipient: rfc822; bob@dest.example\nAction: failed\nStatus: 5.1.1\n")
    head = 'From: postmaster@gate.example\nSubject: Undeliverable\nContent-Type: multipart/mixed; boundary="o"\n\n'
    found = judged(f"{head}--o\n\nsee below\n--o\nContent-Type: message/rfc822\n\n{inner}\n--o--\n")
    assert failed(found) == (("bob@dest.example", "5.1.1", True),)


def test_identifiers_in_headers_count_when_nothing_came_back() -> None:
    text = notice(
        "MAILER-DAEMON@mx.example",
        "failure notice",
        "<bob@dest.example>: unknown user\n",
        f"In-Reply-To: {ORIGINAL_ID}",
    )
    assert judged(text).original_message_ids == (ORIGINAL_ID,)


def test_a_library_is_asked_where_nobody_was_found() -> None:
    machine = Classification(MailKind.MACHINE, evidence=("machine, unclassified",))
    mail = read_mail(notice("MAILER-DAEMON@mx.example", "x", "no such user").encode())
    found = add_known_dialect(machine, mail, ["bob@dest.example", "ann@sender.example"], load_knowledge())
    assert (found.kind, failed(found)) == (MailKind.BOUNCE, (("bob@dest.example", "5.1.1", True),))
    assert add_known_dialect(machine, mail, ["ann@sender.example"], load_knowledge()) is machine


ODD = {
    "no From": b"Subject: x\n\nx",
    "an empty From": b"From:\nSubject: x\n\nx",
    "deep": b"Content-Type: message/rfc822\n\n" * 2000,
    "parentheses": b"From: " + b"(" * 20_000 + b"\n\n",
    "bytes": bytes(range(256)),
    "nothing": b"",
}


@pytest.mark.parametrize("raw", ODD.values(), ids=ODD)
def test_nothing_escapes_from_the_library(raw: bytes) -> None:
    assert find_failed_addresses(raw) == ()


def test_the_library_names_recipients_of_a_report() -> None:
    sample = next(one for one in SAMPLES if one.name == "a plain report")
    assert find_failed_addresses(sample.raw) == ("bob@dest.example",)


def test_the_library_is_not_asked_about_what_is_known() -> None:
    sample = next(one for one in SAMPLES if one.name == "a plain report")
    found, mail = judged(sample.text), read_mail(sample.raw)
    assert with_known_dialects(found, mail, sample.raw, load_knowledge()) is found
