"""The simulated recipients: how each behaves is visible in its address, and decided here by a pure table.

A recipient's behaviour is the tag behind the last ``+`` of its local part: ``anna.berg@sandbox.test`` simply accepts,
``anna.berg+greylist@sandbox.test`` greylists. A tag that names no behaviour is ordinary subaddressing (RFC 5233) and
accepts. The domain plays no part: every domain belongs to the pretend internet.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

REWRITTEN_DOMAIN = "rewritten.sandbox.test"
"""Right-hand side of the Message-IDs given by recipients that replace ours."""

REMEMBERED_RECIPIENTS = 100_000
"""How many recipients the memory keeps; beyond that the longest unseen are forgotten, and behave as on a first try."""


class Behaviour(StrEnum):
    """What a recipient does with its mail; every value but ``accepts`` is also the tag in the address."""

    ACCEPTS = "accepts"
    """Takes everything at once; what an address without a tag does."""
    UNKNOWN = "unknown"
    """Does not exist: refused at RCPT, whenever it is tried."""
    CONTENT = "content"
    """Refuses the message for its content after DATA, whenever it is tried."""
    GREYLIST = "greylist"
    """Is deferred at RCPT until some seconds after the first try, then accepts (RFC 6647)."""
    FULL = "full"
    """Its mailbox is full for the first few tries, deferred at RCPT, then accepts."""
    SLOW = "slow"
    """Accepts, but lets every answer from RCPT on wait for some seconds."""
    REWRITE = "rewrite"
    """Accepts under a Message-ID of the provider's own, named in the final answer, as Amazon SES does."""

    # All below accept at once; what they do afterwards is decided in reactions.py.
    REPLY = "reply"
    """A person who answers the first message in plain text, the message quoted below."""
    REPLY_HTML = "reply-html"
    """A person who answers the first message in HTML, as Outlook, Gmail or Apple Mail write it."""
    REMOVE = "remove"
    """A person who answers that they want no more mail."""
    OOO_DE = "ooo-de"
    """Out of office, in German."""
    OOO_EN = "ooo-en"
    """Out of office, in English."""
    OOO_ES = "ooo-es"
    """Out of office, in Spanish."""
    OOO_FR = "ooo-fr"
    """Out of office, in French."""
    OOO_IT = "ooo-it"
    """Out of office, in Italian."""
    OOO_JA = "ooo-ja"
    """Out of office, in Japanese."""
    OOO_NL = "ooo-nl"
    """Out of office, in Dutch."""
    OOO_PL = "ooo-pl"
    """Out of office, in Polish."""
    OOO_PT = "ooo-pt"
    """Out of office, in Portuguese."""
    OOO_SV = "ooo-sv"
    """Out of office, in Swedish."""
    OOO_DATE = "ooo-date"
    """Out of office, with the day of return, in one of four languages."""
    OOO_LATER = "ooo-later"
    """Reads two messages, then leaves: out of office with the day of return, from the third of a thread on."""
    OOO_PLAIN = "ooo-plain"
    """Out of office by a program that says so in the subject alone."""
    DSN_POSTFIX = "dsn-postfix"
    """Does not exist, as a Postfix behind the first server finds out: a report of RFC 3464."""
    DSN_EXCHANGE = "dsn-exchange"
    """Does not exist, told by Exchange in a text alone."""
    DSN_QMAIL = "dsn-qmail"
    """Does not exist, told by qmail in a text alone."""
    DSN_FULL = "dsn-full"
    """Its mailbox is full, told in a report: the address is good."""
    DSN_POLICY = "dsn-policy"
    """Its server refuses the message by its rules, told in a report: the address is good."""
    DSN_DELAY = "dsn-delay"
    """Its server cannot be reached for a while, which the sender is told; then the message arrives."""
    COMPLAIN = "complain"
    """Marks the message as spam; the provider passes that on (RFC 5965)."""
    ONECLICK = "oneclick"
    """Unsubscribes by the button of its mail program (RFC 8058)."""
    OPEN = "open"
    """A person who reads with images on."""
    CLICK = "click"
    """A person who reads with images on and follows the first link."""
    OPEN_PROXY = "open-proxy"
    """Its provider fetches the images, whether or not anybody reads."""
    OPEN_SCANNER = "open-scanner"
    """Its provider's scanner follows every image and link at once."""


class Stage(StrEnum):
    """Where in the conversation a recipient gives the answer that decides."""

    RCPT = "rcpt"
    """In answer to RCPT TO; no body is sent."""
    DOT = "dot"
    """In answer to the dot that ends the body."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the behaviours that change with time take, scaled down from days and hours to seconds."""

    greylist_seconds: float = 5.0
    """Time from the first try until a greylisting recipient accepts; real ones take 1 to 15 minutes."""
    full_tries: int = 2
    """How many tries find a full mailbox full."""
    slow_seconds: float = 2.0
    """How long a slow recipient lets each command wait."""
    answer_seconds: float = 15.0
    """The longest that a person takes to read or answer; real ones take days. Machines take a part of it."""


@dataclass(frozen=True, slots=True)
class Sightings:
    """What a recipient remembers of the tries before this one."""

    count: int = 0
    """How many RCPT commands named it before."""
    first_at: datetime | None = None
    """When the first of them came; None when there was none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a recipient answers one try."""

    reply: str
    """The SMTP reply line that decides, without its line end."""
    stage: Stage = Stage.DOT
    """Where that reply is given; every command before it is answered with success."""
    delay_seconds: float = 0.0
    """How long each command from RCPT on waits for its answer."""
    rewrites_message_id: bool = False
    """Whether the message is delivered under a Message-ID made by ``provider_id``, appended to the reply."""

    @property
    def accepts(self) -> bool:
        """Whether the recipient takes the message."""
        return self.reply.startswith("2")


ACCEPTED = Answer("250 2.0.0 OK: delivered")
REFUSED_UNKNOWN = Answer("550 5.1.1 Recipient address rejected: user unknown", Stage.RCPT)
REFUSED_CONTENT = Answer("554 5.7.1 Message refused: its content looks like spam")
DEFERRED_GREYLIST = Answer("451 4.7.1 Greylisted, please try again later", Stage.RCPT)
DEFERRED_FULL = Answer("452 4.2.2 Mailbox full, please try again later", Stage.RCPT)
# Without an enhanced code, word for word as Amazon SES answers: `250 Ok <id>`.
ACCEPTED_REWRITTEN = Answer("250 Ok", rewrites_message_id=True)


def behaviour_of(address: str) -> Behaviour:
    """The behaviour named by the tag in ``address`` (``local+tag@domain``), in any case; ACCEPTS when none is named."""
    local_part = address.rpartition("@")[0]
    _, plus, tag = local_part.rpartition("+")
    try:
        return Behaviour(tag.lower()) if plus else Behaviour.ACCEPTS
    except ValueError:
        return Behaviour.ACCEPTS


UNCHANGING = {
    Behaviour.UNKNOWN: REFUSED_UNKNOWN,
    Behaviour.CONTENT: REFUSED_CONTENT,
    Behaviour.REWRITE: ACCEPTED_REWRITTEN,
}
"""The behaviours that answer every try alike, but not with ACCEPTED, as all others do."""


def decide(behaviour: Behaviour, seen_before: Sightings, now: datetime, pace: Pace) -> Answer:
    """How a recipient of this behaviour, tried before as ``seen_before`` says, answers a try at ``now``."""
    if behaviour is Behaviour.GREYLIST:
        patience = timedelta(seconds=pace.greylist_seconds)
        known = seen_before.first_at is not None and now - seen_before.first_at >= patience
        return ACCEPTED if known else DEFERRED_GREYLIST
    if behaviour is Behaviour.FULL:
        return ACCEPTED if seen_before.count >= pace.full_tries else DEFERRED_FULL
    if behaviour is Behaviour.SLOW:
        return Answer(ACCEPTED.reply, delay_seconds=pace.slow_seconds)
    return UNCHANGING.get(behaviour, ACCEPTED)


def provider_id(digest: bytes, now: datetime) -> str:
    """An id of the shape Amazon SES gives: the time in milliseconds, a UUID, a counter; from the message's SHA-256."""
    milliseconds = int(now.timestamp() * 1000)
    return f"0100{milliseconds:012x}-{UUID(bytes=digest[:16])}-000000"


class Memory:
    """What the recipients remember of earlier tries; kept in this process, so a restart makes every try a first one."""

    def __init__(self, limit: int = REMEMBERED_RECIPIENTS) -> None:
        self._sightings: OrderedDict[str, Sightings] = OrderedDict()
        self._limit = limit

    def note(self, recipient: str, now: datetime) -> Sightings:
        """Remember a try of ``recipient`` at ``now``; returns what was remembered before it."""
        identity = recipient.lower()
        before = self._sightings.pop(identity, Sightings())
        self._sightings[identity] = Sightings(before.count + 1, before.first_at or now)
        if len(self._sightings) > self._limit:
            self._sightings.popitem(last=False)
        return before
