"""What a recipient does after it accepted a mail: a pure function of the mail, with what each act should count as.

Programs answer every mail that is no program's own. People answer, complain, unsubscribe and ask to be left alone at
the first mail of a thread only; that they read, every time.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from random import Random

from ampout.sandbox.absences import WORDINGS, write_absence, write_dated_absence, write_plain_absence
from ampout.sandbox.delivered import Delivered
from ampout.sandbox.mailboxes import INBOX, JUNK
from ampout.sandbox.notices import (
    write_complaint,
    write_delay,
    write_exchange,
    write_full,
    write_policy,
    write_postfix,
    write_qmail,
)
from ampout.sandbox.recipients import Behaviour
from ampout.sandbox.replies import write_html_reply, write_removal, write_reply
from ampout.sandbox.visits import PEOPLE, PROXIES, Agent, Visit

JUNK_SHARE = 6
"""One in so many answers is taken for junk by the sender's own provider."""
PEOPLE_WRITE, PROGRAMS_WRITE = (0.4, 1.0), (0.1, 0.3)
"""Earliest and latest moment of an answer, as shares of the longest wait."""
READS_BEFORE_LEAVING = 2
"""Mails of a thread that somebody reads who leaves later."""


class Kind(StrEnum):
    """What an act should count as in the sender's books."""

    REPLY = "reply"
    AUTO_REPLY = "auto_reply"
    BOUNCE_HARD = "bounce_hard"
    BOUNCE_SOFT = "bounce_soft"
    DELAY = "delay"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    OPEN = "open"
    CLICK = "click"
    PROXY = "proxy"
    SCAN = "scan"


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that the recipient, or a server on its behalf, writes."""

    raw: bytes
    to: str
    """The address it goes to."""
    folder: str = INBOX
    """Where the provider of that address puts it."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """One act, so long after the mail came."""

    after: float
    """The share of the longest wait (Pace.answer_seconds), 0 to 1."""
    kind: Kind
    act: Letter | Visit


Writer = Callable[[Delivered, Random], bytes]

_ANSWERS: Mapping[Behaviour, tuple[Kind, Writer]] = {
    Behaviour.REPLY: (Kind.REPLY, write_reply),
    Behaviour.REPLY_HTML: (Kind.REPLY, write_html_reply),
    Behaviour.REMOVE: (Kind.UNSUBSCRIBE, write_removal),
}
"""What people write, once."""

_NOTES: Mapping[Behaviour, Writer] = {
    Behaviour.OOO_DATE: write_dated_absence,
    Behaviour.OOO_LATER: write_dated_absence,
    Behaviour.OOO_PLAIN: write_plain_absence,
}
"""What people's programs write while they are away; in one language each: see _language."""

_NOTICES: Mapping[Behaviour, tuple[Kind, Writer]] = {
    Behaviour.DSN_POSTFIX: (Kind.BOUNCE_HARD, write_postfix),
    Behaviour.DSN_EXCHANGE: (Kind.BOUNCE_HARD, write_exchange),
    Behaviour.DSN_QMAIL: (Kind.BOUNCE_HARD, write_qmail),
    Behaviour.DSN_FULL: (Kind.BOUNCE_SOFT, write_full),
    Behaviour.DSN_POLICY: (Kind.BOUNCE_SOFT, write_policy),
    Behaviour.DSN_DELAY: (Kind.DELAY, write_delay),
}
"""What servers write to the address in MAIL FROM."""


def is_passive(behaviour: Behaviour) -> bool:
    """Whether a recipient does nothing with the mail it accepted."""
    own = {Behaviour.COMPLAIN, Behaviour.ONECLICK, *_VISITORS}
    return not (behaviour in {*_ANSWERS, *_NOTES, *_NOTICES, *own} or _language(behaviour))


def react(behaviour: Behaviour, mail: Delivered) -> tuple[Reaction, ...]:
    """What a recipient of this behaviour does about ``mail``; the same mail, the same acts."""
    dice = _dice(behaviour, mail)
    if behaviour in _VISITORS:
        return tuple(_VISITORS[behaviour](mail, dice))
    if behaviour in _ANSWERS and not mail.references:
        kind, write = _ANSWERS[behaviour]
        return (_letter(PEOPLE_WRITE, kind, write(mail, dice), mail.answer_to, dice),)
    if behaviour in _NOTICES and mail.sender:
        kind, write = _NOTICES[behaviour]
        return (Reaction(dice.uniform(0.1, 0.5), kind, Letter(write(mail, dice), mail.sender)),)
    if behaviour is Behaviour.COMPLAIN and not mail.references:
        return (Reaction(dice.uniform(0.3, 1), Kind.COMPLAINT, Letter(write_complaint(mail, dice), mail.login)),)
    if behaviour is Behaviour.ONECLICK and mail.one_click and not mail.references:
        visit = Visit(mail.one_click, Agent.PROVIDER, "POST", "List-Unsubscribe=One-Click")
        return (Reaction(dice.uniform(0.3, 1), Kind.UNSUBSCRIBE, visit),)
    return tuple(_notes(behaviour, mail, dice))


def _notes(behaviour: Behaviour, mail: Delivered, dice: Random) -> Iterable[Reaction]:
    """Out of office: at once, for programs do not wait; never about a program's mail (RFC 3834, section 2)."""
    has_left = behaviour is not Behaviour.OOO_LATER or len(mail.references) >= READS_BEFORE_LEAVING
    if mail.is_automatic or not has_left:
        return
    if language := _language(behaviour):
        yield _letter(PROGRAMS_WRITE, Kind.AUTO_REPLY, write_absence(mail, language, dice), mail.answer_to, dice)
    elif behaviour in _NOTES:
        yield _letter(PROGRAMS_WRITE, Kind.AUTO_REPLY, _NOTES[behaviour](mail, dice), mail.answer_to, dice)


def _letter(window: tuple[float, float], kind: Kind, raw: bytes, to: str, dice: Random) -> Reaction:
    """An answer, which the provider of the sender may take for junk."""
    folder = JUNK if dice.randrange(JUNK_SHARE) == 0 else INBOX
    return Reaction(dice.uniform(*window), kind, Letter(raw, to, folder))


def _language(behaviour: Behaviour) -> str:
    """`de` for `ooo-de`; empty where the behaviour names no language."""
    prefix, _, language = behaviour.value.partition("-")
    return language if prefix == "ooo" and language in WORDINGS else ""


def _open(mail: Delivered, dice: Random) -> Iterable[Reaction]:
    agent, when = dice.choice(PEOPLE), dice.uniform(0.4, 0.9)
    return [Reaction(when, Kind.OPEN, Visit(url, agent)) for url in mail.images]


def _click(mail: Delivered, dice: Random) -> Iterable[Reaction]:
    opened = list(_open(mail, dice))
    wanted = [url for url in mail.links if url != mail.one_click][:1]
    return [*opened, *(Reaction(1, Kind.CLICK, Visit(url, Agent.CHROME)) for url in wanted)]


def _proxy(mail: Delivered, dice: Random) -> Iterable[Reaction]:
    agent, when = dice.choice(PROXIES), dice.uniform(0.1, 0.5)
    return [Reaction(when, Kind.PROXY, Visit(url, agent)) for url in mail.images]


def _scan(mail: Delivered, _dice: Random) -> Iterable[Reaction]:
    """Every address by HEAD and by GET, the unsubscribe link included: looking must change nothing."""
    urls = dict.fromkeys((*mail.images, *mail.links, *filter(None, [mail.one_click])))
    return [Reaction(0, Kind.SCAN, Visit(url, Agent.SCANNER, method)) for url in urls for method in ("HEAD", "GET")]


_VISITORS: Mapping[Behaviour, Callable[[Delivered, Random], Iterable[Reaction]]] = {
    Behaviour.OPEN: _open,
    Behaviour.CLICK: _click,
    Behaviour.OPEN_PROXY: _proxy,
    Behaviour.OPEN_SCANNER: _scan,
}
"""Who fetches what."""


def _dice(behaviour: Behaviour, mail: Delivered) -> Random:
    facts = f"{behaviour} {mail.recipient.lower()} {mail.message_id}".encode("utf-8", "surrogateescape")
    return Random(sha256(facts).digest())  # noqa: S311  # repeatable on purpose, and no secret
