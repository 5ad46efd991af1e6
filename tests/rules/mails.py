"""Mails as bytes, for tests of the rules that judge them."""

from datetime import date

from dispatch.knowledge import load_knowledge
from dispatch.rules.classify.classifier import classify
from dispatch.rules.classify.verdict import Classification
from dispatch.rules.mail.reader import read_mail

JULY = date(2026, 7, 20)
"""The day on which they come: a Monday."""
ANSWERS_US = "In-Reply-To: <one@ours.example>"
QUOTED = (
    "\n\nOn Mon, 20 Jul 2026 at 10:00, Me <me@ours.example> wrote:\n> Hello\n> Unsubscribe me: https://ours.example/u\n"
)


def mail(subject: str, body: str, *headers: str, sender: str = "Ann Berg <ann@example.org>") -> bytes:
    """A mail of plain text."""
    lines = [f"From: {sender}", "To: me@ours.example", f"Subject: {subject}", "Content-Type: text/plain; charset=utf-8"]
    return ("\n".join([*lines, *headers]) + f"\n\n{body}").encode()


def judged(raw: bytes, *, ours: bool | None = None, on: date = JULY) -> Classification:
    """The verdict; what it refers to is ours where it refers to anything, unless the test says otherwise."""
    refers = b"\nIn-Reply-To:" in raw if ours is None else ours
    return classify(read_mail(raw), load_knowledge(), received_on=on, refers_to_us=refers)
