"""What a notice about a message means for it, its enrollment, the address and the credential (design: States).

One table for mails and for providers' calls:

| notice | message | enrollment | address |
|---|---|---|---|
| the address is no good | bounced, hard | bounced, with every other sequence to it | suppressed on every path |
| returned for another reason | bounced, soft | bounced with the reason | |
| a complaint | complained | unsubscribed, with every other sequence to it | suppressed on every path |
| asks not to be written to | | unsubscribed, with every other sequence to it | no campaigns, no test sends |
| a reply | | replied; the contact's other sequences stop | |
| an automatic reply that names a day of return | | its next step waits until the day after it | |
| late, a machine's, delivered | | | |
"""

from datetime import date, datetime, timedelta
from enum import StrEnum

from dispatch.rules.classify.verdict import MailKind
from dispatch.rules.matching import MatchedBy
from dispatch.rules.provider_event import ProviderEventKind

LONGEST_ABSENCE = timedelta(days=366)
"""A day of return further away than this is a typing error, or a joke."""


class Effect(StrEnum):
    """What follows from a notice about one message, beside the record of it."""

    NOTHING = "nothing"
    """It is only recorded; where it carries the message's id it proves that the message left."""
    HARD_BOUNCE = "hard_bounce"
    """The address is no good: every path to it stops, and health hears of it."""
    SOFT_BOUNCE = "soft_bounce"
    """The message came back, the address may be good: this sequence stops with the reason."""
    COMPLAINT = "complaint"
    """The recipient reported the message as unwanted: every path to the address stops, and health hears of it."""
    UNSUBSCRIBE = "unsubscribe"
    """The recipient asks not to be written to, account-wide."""
    REPLY = "reply"
    """The contact wrote back: the contact's sequences stop."""
    WAIT = "wait"
    """The contact is away: nothing stops, the next step waits for the day of return."""


_OF_MAIL: dict[MailKind, Effect] = {
    MailKind.DELAY: Effect.NOTHING,
    MailKind.FEEDBACK: Effect.COMPLAINT,
    MailKind.AUTO_REPLY: Effect.WAIT,
    MailKind.UNSUBSCRIBE: Effect.UNSUBSCRIBE,
    MailKind.REPLY: Effect.REPLY,
    MailKind.MACHINE: Effect.NOTHING,
}

KIND_OF_EVENT: dict[ProviderEventKind, MailKind | None] = {
    ProviderEventKind.HARD_BOUNCE: MailKind.BOUNCE,
    ProviderEventKind.SOFT_BOUNCE: MailKind.BOUNCE,
    ProviderEventKind.DELAY: MailKind.DELAY,
    ProviderEventKind.COMPLAINT: MailKind.FEEDBACK,
    ProviderEventKind.UNSUBSCRIBE: MailKind.UNSUBSCRIBE,
    # Good news is no feedback; it only proves that the message left.
    ProviderEventKind.DELIVERED: None,
    ProviderEventKind.OTHER: None,
}
"""What the same thing is called when it comes by mail."""


def decide_effect(
    kind: MailKind | None, *, hard: bool, exact: bool, matched_by: MatchedBy, names_others: bool = False
) -> Effect:
    """The effect of a notice of this kind; None is a provider's good news.

    `exact`: the notice names the address that we wrote to, and not one behind it. `names_others`: it names Message-IDs,
    and none of them is ours.
    """
    if kind is None:
        return Effect.NOTHING
    if kind is not MailKind.BOUNCE:
        return _OF_MAIL[kind]
    if not exact:
        # The address itself took the message: somebody else may still read what arrives there.
        return Effect.SOFT_BOUNCE
    if hard:
        return Effect.HARD_BOUNCE
    # The mailbox's owner wrote to the same person by hand: what became of that mail says nothing of ours.
    return Effect.NOTHING if names_others and matched_by is MatchedBy.RECIPIENT else Effect.SOFT_BOUNCE


def wait_until(due_at: datetime, return_date: date | None, heard_on: date) -> datetime | None:
    """When a step that is due at `due_at` goes to somebody who is away until `return_date`; None where nothing changes.

    The day after the return, at the step's own time of day (UTC), so that many steps do not gather at midnight. A step
    that is due later anyway keeps its time, and a day that lies behind or more than a year ahead changes nothing.
    """
    if return_date is None or not heard_on <= return_date <= heard_on + LONGEST_ABSENCE:
        return None
    moved = datetime.combine(return_date + timedelta(days=1), due_at.timetz())
    return moved if moved > due_at else None
