"""Which of our messages a mail or a provider's report is about (design: Matching; promises C9, D1).

A mail is matched in this order:

1. the token of a return path, in a header that names where the mail was delivered;
2. a Message-ID of ours, or the one that the provider gave the message instead, in `In-Reply-To`, `References` or the
   message that comes back, the nearest first;
3. its sender: the newest message that this mailbox sent to that address, within some days.

A bounce must besides name a recipient that we wrote to. Whoever knows neither token nor Message-ID cannot make one up
for somebody whom the mailbox never wrote to.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from dispatch.rules.mail.reader import Mail

DELIVERED_TO = ("To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "Cc")
"""Headers where the address stands that a mail was sent to; which of them is there depends on the mailbox's server."""

T = TypeVar("T")

LONGEST_ID = 255
"""Characters of a Message-ID that the ledger keeps; a longer one is none of ours."""

MOST_IDS = 200


class MatchedBy(StrEnum):
    """What tied a notice to a message; the stronger first."""

    TOKEN = "token"  # noqa: S105  # no secret
    """The return path's signed token."""
    MESSAGE_ID = "message_id"
    """Our Message-ID, which nobody can guess."""
    DELIVERED_ID = "delivered_id"
    """The Message-ID that the provider gave it instead of ours."""
    SENDER = "sender"
    """The newest message to the address that wrote back."""
    RECIPIENT = "recipient"
    """The newest message to the address that a bounce names, without any id of ours: the weakest."""


PROVES_SENDING = frozenset({MatchedBy.TOKEN, MatchedBy.MESSAGE_ID, MatchedBy.DELIVERED_ID})
"""A notice matched by one of these carries what only the sent message carried (design, law 3)."""


@dataclass(frozen=True, slots=True)
class Clues:
    """What a mail says about the message it answers: ids of ours from tokens, Message-IDs (`<…>`), and who wrote."""

    tokens: tuple[uuid.UUID, ...] = ()
    message_ids: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message that something points to; `recipient` is the keyed hash of its recipient's address."""

    message_id: uuid.UUID
    matched_by: MatchedBy
    recipient: bytes


@dataclass(frozen=True, slots=True)
class RecipientMatch:
    """A recipient that a notice names (its place in the notice's list; None where it names nobody), and its message.

    `exact` is false where the message is sure but the address is another one than ours: somewhere behind it.
    """

    index: int | None
    candidate: Candidate
    exact: bool = True


def read_clues(mail: Mail, read_token: Callable[[str], uuid.UUID | None], more_ids: Sequence[str] = ()) -> Clues:
    """The clues of a mail, of which the headers are enough. `more_ids` come first: those of a returned message."""
    addresses = [address for name in DELIVERED_TO for address in mail.addresses(name)]
    tokens = [found for found in map(read_token, addresses) if found is not None]
    ids = [*more_ids, *mail.message_ids("In-Reply-To"), *reversed(mail.message_ids("References"))]
    return Clues(_each_once(tokens), _each_once([one for one in map(bracketed, ids) if one])[:MOST_IDS], senders(mail))


def senders(mail: Mail) -> tuple[str, ...]:
    """Who wrote: the address of `From`, or of `Sender` where there is no other."""
    return (mail.addresses("From") or mail.addresses("Sender"))[:3]


def bracketed(message_id: str) -> str:
    """A Message-ID in its angle brackets; empty where it is none, or longer than any of ours."""
    bare = message_id.strip().strip("<>").strip()
    return f"<{bare}>" if bare and len(bare) + 2 <= LONGEST_ID and not any(sign in bare for sign in " \x00<>") else ""


def _each_once(found: Sequence[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(found))


def known_candidates(
    clues: Clues, by_token: Mapping[uuid.UUID, Candidate], by_id: Mapping[str, Candidate]
) -> list[Candidate]:
    """The messages that the clues name by token or id, in the order of trust, each once."""
    found = [by_token[token] for token in clues.tokens if token in by_token]
    found += [by_id[one] for one in clues.message_ids if one in by_id]
    once: dict[uuid.UUID, Candidate] = {}
    for candidate in found:
        once.setdefault(candidate.message_id, candidate)
    return list(once.values())


def match_answer(known: Sequence[Candidate], by_sender: Candidate | None) -> Candidate | None:
    """The message that somebody answered."""
    return known[0] if known else by_sender


def match_recipients(
    named: Sequence[bytes], known: Sequence[Candidate], mailed: Mapping[bytes, Candidate]
) -> list[RecipientMatch]:
    """The messages that a bounce, a delay or a complaint is about, one for each recipient that is ours.

    1. A named recipient is that of a message which the notice names by token or id: that message.
    2. Nobody is named, and the notice names exactly one message: that one.
    3. One recipient is named, it is none of those of the messages, and there is one message: that one, not exact. An
       address we wrote to handed the mail on.
    4. A named recipient was written to by this mailbox lately (`mailed`, by its hash): the newest message to it.
    """
    matches = []
    for index, digest in enumerate(named):
        candidate = next((one for one in known if one.recipient == digest), None) or mailed.get(digest)
        if candidate is not None:
            matches.append(RecipientMatch(index, candidate))
    if matches or len(known) != 1 or len(named) > 1:
        return matches
    return [RecipientMatch(0 if named else None, known[0], exact=not named)]
