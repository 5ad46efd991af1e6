"""What tests of judging share: a mail comes in, is judged, and what it came to is read again."""

from ampout.events.models import Event
from campaigns.models import Enrollment, Suppression
from credentials.models import SmtpCredential
from dispatch.models import Feedback, Message, Notice
from dispatch.services import notices
from tests.services.desk import Desk, fresh


def store(desk: Desk, message: Message, raw: bytes, credential: SmtpCredential | None = None) -> bool:
    """As a poll of the message's mailbox does."""
    mailbox = credential or message.credential
    assert mailbox is not None
    return notices.store_mail(mailbox.pk, mailbox.account_id, raw, received_at=desk.now)


def judged(desk: Desk, message: Message, raw: bytes, credential: SmtpCredential | None = None) -> Notice:
    """The notice of a mail that came in and was judged."""
    assert store(desk, message, raw, credential)
    assert notices.process_due(now=desk.now) == 1
    found: Notice = Notice.everywhere.latest("processed_at", "next_try_at")
    return found


def enrollment_of(message: Message) -> Enrollment:
    """The message's enrollment as it is now."""
    return fresh(message.place[0])


def reread(message: Message) -> Message:
    """The message as it is now."""
    found: Message = Message.everywhere.get(pk=message.pk)
    return found


def assert_nothing_happened(message: Message) -> None:
    """Nothing moved since it was sent, and nothing was recorded or told."""
    assert enrollment_of(message).status == "sent"
    assert (reread(message).bounce_kind, reread(message).complained_at) == ("", None)
    assert not Suppression.everywhere.exists()
    assert not Feedback.everywhere.exists()
    assert set(Event.everywhere.values_list("type", flat=True)) == {"enrollment.sent"}
