"""Mails as the engine sends them, and as their recipients see them."""

from datetime import UTC, datetime

from ampout.sandbox.delivered import Delivered, read_delivered
from ampout.sandbox.recipients import Behaviour
from dispatch.rules.compose import CompiledMessage, MessageFacts, build, compile_step

WEB = "http://127.0.0.1:8000"
MESSAGE_ID = "<00ff.11ee@sandbox.test>"
SENT_AT = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
LOGIN = "sender3@sandbox.test"
BOUNCES_TO = "sender3+b1token@sandbox.test"

STEP = compile_step(
    from_name="Jana Pokorná",
    from_email=LOGIN,
    subject="{{first_name}}, a quieter office for {{company}}?",
    body_text="Hello {{first_name}},\n\nwe have a guide.\n\nUnsubscribe: {{unsubscribe_url}}\n",
    body_html=f"""<p>Hello {{{{first_name}}}}, <a href="{WEB}/c/guide">our guide</a></p>
<p><a href="{{{{unsubscribe_url}}}}">Unsubscribe</a></p><img src="{WEB}/o/pixel" width="1" alt="">""",
)


def make_mail(recipient: str, thread: tuple[str, ...] = (), step: CompiledMessage = STEP) -> bytes:
    """A campaign's mail to ``recipient``, behind those of ``thread``."""
    facts = MessageFacts(
        to_address=recipient,
        message_id=MESSAGE_ID,
        date=SENT_AT,
        values={"first_name": "Änne", "company": "龙腾科技"},
        unsubscribe_url=f"{WEB}/u/token",
        thread=thread,
    )
    return build(step, facts).payload


def make_delivered(behaviour: Behaviour, thread: tuple[str, ...] = (), name: str = "anna.berg") -> Delivered:
    """That mail in the mailbox of a recipient of this behaviour."""
    recipient = f"{name}+{behaviour}@sandbox-b.test"
    mail = read_mail(make_mail(recipient, thread), recipient)
    assert mail is not None
    return mail


def read_mail(raw: bytes, recipient: str = "anna.berg@sandbox.test", sender: str = BOUNCES_TO) -> Delivered | None:
    """Any mail in a recipient's mailbox."""
    return read_delivered(
        raw, received_at=SENT_AT, sender=sender, recipient=recipient, login=LOGIN, message_id=MESSAGE_ID
    )
