"""Did a machine answer for a person (RFC 3834)?

Both errors cost: an automatic reply taken for a reply stops a sequence that nobody answered, a reply taken for an
automatic one is lost. So:

1. A header that only automatic replies have decides (`Auto-Submitted` other than `no`, `X-Autoreply` …).
2. So does a subject that only they have, unless it answers or passes on another one (`Re: Automatic reply: …`): then
   its words are those of that one. A subject that has such words in the middle needs a word in the text beside it.
3. `Precedence`, `X-Auto-Response-Suppress` and the like decide for mail that does not refer to a message of ours. Where
   it does, or answers through a list or with a quotation, they only hint: lists and whole companies put them on what
   people write. A null return path and marks of loops only hint, but decide beside one of those, unless a list or a
   quotation is there too.
4. The new text decides where it says enough. Each thing that it says (somebody is away, when they return, whom to turn
   to, …) weighs 1, that it is automatic weighs 3, and one of them must be more than politeness. It takes 2; 1 more
   where the subject answers another one, where the text quotes, asks, is long or was written with a program for people;
   2 more where it goes on with the conversation; 1 less for each hint of rule 3; never less than 1.

What is quoted or passed on never counts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dispatch.rules.classify.auto_reply_knowledge import AutoReplyKnowledge, HeaderRule, Sign, Weight
from dispatch.rules.classify.folding import fold, fold_line
from dispatch.rules.classify.phrase import Phrase
from dispatch.rules.classify.reply_text import NewText
from dispatch.rules.classify.signs import FoundSign, find_signs, shorten
from dispatch.rules.classify.subject import Subject
from dispatch.rules.mail.reader import Mail

_READ = 3_000
"""Characters of the new text in which phrases are looked for: what a machine says, it says at once."""
_LONG = 1_500
"""Characters of new text that few automatic replies have."""
_VALUE_READ = 300

TEXT_SIGNS = (
    Sign.DECLARES,
    Sign.CHALLENGE,
    Sign.ABSENT,
    Sign.LEFT,
    Sign.RECEIVED,
    Sign.TICKET,
    Sign.MACHINE,
    Sign.RETURNS,
    Sign.MEANWHILE,
    Sign.REFERS,
    Sign.ANSWERS,
    Sign.THANKS,
)
"""What the text of an automatic reply may say."""
_MORE_THAN_POLITE = frozenset(TEXT_SIGNS[:7])
_WEIGHTS = {Sign.DECLARES: 3, Sign.CHALLENGE: 3}
_LIST_HEADERS = ("List-Id", "List-Post", "Mailing-List", "X-Mailing-List")
_PROGRAMS_OF_PEOPLE = ("iphone", "ipad", "apple mail", "thunderbird", "mutt", "android", "k-9", "evolution", "airmail")


@dataclass(frozen=True, slots=True)
class Traits:
    """What of a mail matters here, gathered once.

    `decisive`, `hints` and `leanings` are headers with their values, `nobody` a sender that nobody answers to; `signs`
    are what the new text says, a person's among them; `by_list` says that a mailing list delivered it.
    """

    decisive: tuple[str, ...]
    hints: tuple[str, ...]
    leanings: tuple[str, ...]
    nobody: str
    signs: Mapping[Sign, FoundSign]
    asks: bool
    by_list: bool
    by_program_of_people: bool


def gather_traits(mail: Mail, new: NewText, knowledge: AutoReplyKnowledge) -> Traits:
    """The traits of one mail with that new text."""
    found = {weight: tuple(_headers_of(mail, knowledge, weight)) for weight in Weight}
    folded = fold(new.text[:_READ])
    programs = f"{mail.header('User-Agent')} {mail.header('X-Mailer')}".lower()
    return Traits(
        decisive=found[Weight.DECIDES],
        hints=found[Weight.HINTS],
        leanings=found[Weight.LEANS],
        nobody=next(iter(found[Weight.NOBODY]), ""),
        signs=find_signs(folded, knowledge, (*TEXT_SIGNS, Sign.PERSON)),
        asks="?" in folded or "؟" in folded,
        by_list=any(mail.header(name) for name in _LIST_HEADERS),
        by_program_of_people=any(program in programs for program in _PROGRAMS_OF_PEOPLE),
    )


def find_auto_reply(
    traits: Traits, subject: Subject, new: NewText, knowledge: AutoReplyKnowledge, *, refers_to_us: bool
) -> tuple[str, ...]:
    """What shows that a machine answered, as sentences; empty when nothing does enough."""
    if traits.decisive:
        return traits.decisive[:3]
    if evidence := find_auto_subject(traits, subject, knowledge):
        return evidence
    if _is_hinted(traits, subject, new, refers_to_us=refers_to_us):
        return (*traits.hints, *traits.leanings, *_sentences(traits))[:4]
    if traits.nobody and (refers_to_us or subject.answers or _says_something(traits)):
        return (traits.nobody, *_sentences(traits))[:4]
    if _says_something(traits) and _weight(traits, subject, knowledge) >= _bar(traits, subject, new):
        return (*_sentences(traits), *traits.hints, *traits.leanings)[:5]
    return ()


def _is_hinted(traits: Traits, subject: Subject, new: NewText, *, refers_to_us: bool) -> bool:
    """Whether the headers of rule 3 decide."""
    if not traits.hints or (subject.answers and (traits.by_list or new.quotes)):
        return False
    return not refers_to_us or bool(traits.leanings and not traits.by_list and not new.quotes)


def find_auto_subject(traits: Traits, subject: Subject, knowledge: AutoReplyKnowledge) -> tuple[str, ...]:
    """What shows it in the subject: rule 2."""
    if subject.answers:
        return ()
    for rule in knowledge.signs[Sign.SUBJECT]:
        at_start = rule.phrase.text.startswith("^")
        for text in (subject.untagged, subject.head, subject.written):
            found = rule.phrase.find(text)
            if found and (
                found.start() <= 1 if at_start else _says_something(traits) or bool(traits.hints + traits.leanings)
            ):
                return (f"Subject: {shorten(subject.text)}",)
    return ()


def _says_something(traits: Traits) -> bool:
    return not _MORE_THAN_POLITE.isdisjoint(traits.signs)


def _weight(traits: Traits, subject: Subject, knowledge: AutoReplyKnowledge) -> int:
    """How much the text says, and the subject beside it."""
    hint = not subject.answers and find_signs(subject.untagged, knowledge, (Sign.SUBJECT_HINT,))
    said = (sign for sign in traits.signs if sign is not Sign.PERSON)
    return sum(_WEIGHTS.get(sign, 1) for sign in said) + bool(hint)


def _bar(traits: Traits, subject: Subject, new: NewText) -> int:
    """How much it has to say: rule 4."""
    doubts = (
        subject.answers,
        new.quotes,
        traits.asks,
        len(new.text) > _LONG,
        traits.by_program_of_people,
    )
    talks = 2 * (Sign.PERSON in traits.signs)
    return max(1, 2 + sum(doubts) + talks - len(traits.hints + traits.leanings))


def _sentences(traits: Traits) -> Iterator[str]:
    return (found.evidence for sign, found in traits.signs.items() if sign is not Sign.PERSON)


def _headers_of(mail: Mail, knowledge: AutoReplyKnowledge, weight: Weight) -> Iterator[str]:
    """The headers of that weight that the mail has, with their values."""
    for rule in knowledge.headers:
        if rule.weight is weight:
            value = next((value for value in mail.all(rule.name) if _fits(rule, value)), None)
            if value is not None:
                yield f"{rule.name}: {shorten(value[:_VALUE_READ])}"


def _fits(rule: HeaderRule, value: str) -> bool:
    folded = fold_line(value[:_VALUE_READ])
    if rule.unless is not None and _begins(rule.unless, folded):
        return False
    return bool(folded) and (rule.phrase is None or _begins(rule.phrase, folded))


def _begins(phrase: Phrase, folded: str) -> bool:
    """Whether a value holds a phrase, at its beginning if the phrase asks for one."""
    found = phrase.find(folded)
    return found is not None and (found.start() == 0 or not phrase.text.startswith("^"))
