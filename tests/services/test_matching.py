"""Matching in the database: what is worth fetching, and that no tenant's message is found by another's mail."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ampout.lib import clock
from credentials.models import SmtpCredential
from dispatch.models import Message
from dispatch.rules.mail.reader import Mail, read_mail
from dispatch.rules.matching import Clues, MatchedBy
from dispatch.services import matching
from tests import factories
from tests.services import mails
from tests.services.desk import Desk, message_of

DELIVERED = "<0100018c-0000@email.amazonses.com>"


@pytest.fixture(autouse=True)
def time_of_the_desk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at a mailbox reads the clock itself: it is the desk's."""
    monkeypatch.setattr(clock, "utc_now", lambda: desk.now)


@pytest.fixture
def sent(desk: Desk) -> Message:
    """A message that left."""
    desk.released(1)
    [claimed] = desk.send_due()
    return message_of(claimed)


def mailbox(message: Message) -> SmtpCredential:
    assert message.credential is not None
    return message.credential


def interest(credential: SmtpCredential, *raw: bytes) -> list[bool]:
    """As a poll asks: by the headers alone."""
    heads = [read_mail(one.partition(b"\r\n\r\n")[0] + b"\r\n\r\n") for one in raw]
    return matching.find_interest(credential, heads)


def stranger(*headers: str) -> bytes:
    return mails.mail("From: Eve <eve@elsewhere.example>", "Subject: Lunch?", *headers)


# -- What is worth fetching


def test_answers_bounces_and_mail_of_contacts_are_worth_fetching(sent: Message) -> None:
    asked = [
        mails.reply(sent),
        mails.reply(sent, from_email="assistant@elsewhere.example"),
        mails.reply(sent, refers=False),
        mails.bounce(sent),
        mails.auto_reply(sent, refers=False),
        mails.reply(sent, from_email="x@elsewhere.example", refers=False, to=tagged(sent)),
    ]
    assert interest(mailbox(sent), *asked) == [True] * 6


def tagged(message: Message) -> str:
    return mails.return_path_of(message, settings.DIGEST_KEY)


def test_private_mail_is_left_alone(sent: Message) -> None:
    asked = [
        stranger(),
        stranger("In-Reply-To: <somebody@elses.example>"),
        stranger(f"To: {mails.sender_of(sent).replace('@', '+tag@')}"),
        mails.mail("Subject: from nobody"),
    ]
    assert interest(mailbox(sent), *asked) == [False] * 4


def test_a_delivered_id_counts_as_ours(sent: Message) -> None:
    Message.everywhere.update(delivered_message_id=DELIVERED)
    assert interest(mailbox(sent), stranger(f"References: {DELIVERED}")) == [True]


def test_a_message_id_counts_in_capitals_too(sent: Message) -> None:
    assert interest(mailbox(sent), stranger(f"In-Reply-To: {sent.message_id.upper()}")) == [True]


def test_whoever_was_written_to_long_ago_is_a_stranger(desk: Desk, sent: Message) -> None:
    desk.wait(days=settings.MATCH_SENDER_DAYS, seconds=1)
    assert interest(mailbox(sent), mails.reply(sent, refers=False)) == [False]
    assert interest(mailbox(sent), mails.reply(sent)) == [True]


def test_a_contact_of_another_mailbox_is_a_stranger_to_this_one(desk: Desk, sent: Message) -> None:
    other = desk.credential()
    assert interest(other, mails.reply(sent, refers=False)) == [False]
    assert interest(other, mails.reply(sent)) == [True]


def test_the_number_of_queries_does_not_grow(sent: Message) -> None:
    asked = [mails.reply(sent), stranger("References: <a@x.example> <b@x.example>"), stranger()]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert interest(mailbox(sent), *asked * 20) == [True, False, False] * 20
    assert len(queries) <= 4  # one of them is the test's own


# -- Tenants are walled


def test_no_clue_leads_to_another_accounts_message(sent: Message) -> None:
    Message.everywhere.update(delivered_message_id=DELIVERED)
    stranger_account = factories.make_account("Bob")
    clues = Clues((sent.pk,), (sent.message_id, DELIVERED), (sent.recipient,))
    assert len(matching.find_known(sent.account_id, clues)) == 1
    assert matching.find_known(stranger_account.pk, clues) == []


def test_no_mail_to_another_accounts_mailbox_is_of_interest(sent: Message) -> None:
    theirs = factories.make_credential(factories.make_account("Bob"))
    forged = mails.reply(sent, from_email="eve@elsewhere.example")
    assert interest(theirs, forged, mails.reply(sent, refers=False)) == [False, False]


def test_the_newest_message_to_an_address_is_this_mailboxes_own(desk: Desk, sent: Message) -> None:
    digest = bytes(sent.recipient_digest)
    theirs = factories.make_credential(factories.make_account("Bob"))
    for credential, account, found in ((mailbox(sent), sent.account, 1), (theirs, theirs.account, 0)):
        latest = matching.find_latest_to(credential.pk, account.pk, [digest], at=desk.now, by=MatchedBy.SENDER)
        assert len(latest) == found


# -- The newest message to a sender


def newest(desk: Desk, message: Message, **ahead: float) -> object:
    at = desk.now + timedelta(**ahead)
    found = matching.find_latest_to(
        mailbox(message).pk, message.account_id, [bytes(message.recipient_digest)], at=at, by=MatchedBy.SENDER
    )
    return next(iter(found.values())).message_id if found else None


def test_it_is_the_latest_step(desk: Desk) -> None:
    desk.released(1, steps=2)
    [first] = desk.send_due()
    desk.wait(hours=1)
    [second] = desk.send_due()
    assert newest(desk, message_of(second)) == second.message_id
    assert newest(desk, message_of(second), minutes=-30) == first.message_id


def test_what_came_in_before_anything_was_sent_answers_nothing(desk: Desk, sent: Message) -> None:
    assert newest(desk, sent, minutes=-4) == sent.pk  # the mailbox's clock may be behind
    assert newest(desk, sent, minutes=-6) is None


def test_what_never_left_is_answered_by_nobody(desk: Desk, sent: Message) -> None:
    Message.everywhere.update(wire_at=None)
    assert newest(desk, sent) is None


# -- Ids as providers name them


@pytest.mark.parametrize(
    ("named", "host", "forms"),
    [
        ("<a@x.example>", "smtp.x.example", ("<a@x.example>",)),
        ("a@x.example", "smtp.x.example", ("<a@x.example>",)),
        ("0100", "email-smtp.us-east-1.amazonaws.com", ("<0100@email.amazonses.com>",)),
        (
            "0100",
            "email-smtp.eu-west-1.amazonaws.com",
            ("<0100@eu-west-1.amazonses.com>", "<0100@email.amazonses.com>"),
        ),
        ("0100", "relay.own.example", ("<0100@email.amazonses.com>",)),
        ("", "relay.own.example", ("",)),
    ],
)
def test_an_id_is_looked_for_in_the_forms_it_may_have(named: str, host: str, forms: tuple[str, ...]) -> None:
    assert matching.forms_of_provider_id(named, host) == forms


def test_addresses_that_cannot_be_read_have_no_digest() -> None:
    assert matching.digest_of("undisclosed-recipients") is None
    assert matching.sender_digests(_from("")) == set()
    assert matching.digest_of("MAX@Recipient.Example") == matching.digest_of("max@recipient.example")


def _from(sender: str) -> Mail:
    return read_mail(f"From: {sender}\r\n\r\n".encode())
