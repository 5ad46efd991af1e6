"""What is known of automatic replies: dispatch/data/auto_replies.toml, checked and compiled.

The file explains its own sections; `dispatch/rules/classify/phrase.py` explains its phrases.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dispatch.rules.classify.bounce_knowledge import InvalidKnowledge
from dispatch.rules.classify.folding import fold
from dispatch.rules.classify.phrase import InvalidPhrase, Phrase, read_phrase

USAGE = "usage"
"""The source of words in everyday use, for which nobody needs a page."""


class Sign(StrEnum):
    """What a phrase says."""

    SUBJECT = "subject"
    """A subject that only automatic replies have."""
    SUBJECT_HINT = "subject_hint"
    """A subject that they have more often than people."""
    DECLARES = "declares"
    """The text calls itself an automatic answer."""
    ABSENT = "absent"
    """Somebody is away, or an office is closed."""
    LEFT = "left"
    """Somebody is gone for good, or an address is."""
    RETURNS = "returns"
    """When somebody is back."""
    MEANWHILE = "meanwhile"
    """How mail is dealt with until then."""
    REFERS = "refers"
    """Whom to turn to meanwhile."""
    RECEIVED = "received"
    """Something has come in and was given to somebody."""
    TICKET = "ticket"
    """The number that it was given."""
    ANSWERS = "answers"
    """When an answer can be expected."""
    THANKS = "thanks"
    """Thanks for the mail."""
    MACHINE = "machine"
    """Nobody reads what is answered to this mail."""
    CHALLENGE = "challenge"
    """The sender has to prove to be a person first."""
    UNSUBSCRIBE = "unsubscribe"
    """A person wants no more mail."""
    PERSON = "person"
    """A person goes on with the conversation."""


class Weight(StrEnum):
    """What a header of a mail tells."""

    DECIDES = "decides"
    """An automatic reply, by this header alone."""
    HINTS = "hints"
    """An automatic reply where the mail does not refer to a message of ours; else together with words."""
    LEANS = "leans"
    """Likelier an automatic reply: fewer words beside it are enough."""
    NOBODY = "nobody"
    """Nobody reads answers to this sender."""


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """One header of automatic replies, by its name as written.

    Its value holds `phrase` and does not hold `unless`; where there is neither, any value will do.
    """

    name: str
    phrase: Phrase | None
    unless: Phrase | None
    weight: Weight
    sample: str
    source: str


@dataclass(frozen=True, slots=True)
class SignRule:
    """One phrase of one language (ISO 639-1), a text that holds it, and where it is known from."""

    language: str
    sign: Sign
    phrase: Phrase
    sample: str
    source: str


@dataclass(frozen=True, slots=True)
class AutoReplyKnowledge:
    """All of the file. `signs` holds every sign, each with its phrases in the order of the file."""

    headers: tuple[HeaderRule, ...]
    signs: Mapping[Sign, tuple[SignRule, ...]]


def read_auto_reply_knowledge(tables: Mapping[str, Any]) -> AutoReplyKnowledge:
    """The knowledge that the tables of the file hold. Raises InvalidKnowledge with the first problem."""
    languages = {key: table for key, table in tables.items() if key not in {"sources", "headers"}}
    sources = {**_texts(tables.get("sources"), "sources"), USAGE: USAGE}
    rules = [
        rule
        for language, signs in languages.items()
        for rule in _read_language(language, _table(signs, language), sources)
    ]
    headers = tables.get("headers")
    if not isinstance(headers, list):
        raise InvalidKnowledge("auto_replies.toml: headers is not a list of tables. Give each as [[headers]].")
    return AutoReplyKnowledge(
        headers=tuple(_read_header(_texts(table, "headers"), sources) for table in headers),
        signs={sign: tuple(rule for rule in rules if rule.sign is sign) for sign in Sign},
    )


def _read_header(table: dict[str, str], sources: Mapping[str, str]) -> HeaderRule:
    name = table.get("name", "")
    path = f"headers {name}"
    missing = {"name", "weight", "sample", "source"} - set(table)
    unknown = set(table) - {"name", "weight", "sample", "source", "phrase", "unless"}
    if missing or unknown:
        problem = f"lacks {', '.join(sorted(missing))}" if missing else f"has {', '.join(sorted(unknown))}"
        raise _wrong(path, f"{problem}; give name, weight, sample, source, and a phrase or unless")
    if table["weight"] not in set(Weight):
        raise _wrong(path, f"has the weight {table['weight']!r}; use one of {', '.join(Weight)}")
    return HeaderRule(
        name=name,
        phrase=_read_phrase(path, table["phrase"], table["sample"]) if "phrase" in table else None,
        unless=_read_phrase(path, table["unless"], "no") if "unless" in table else None,
        weight=Weight(table["weight"]),
        sample=table["sample"],
        source=_source(path, table["source"], sources),
    )


def _read_language(language: str, signs: Mapping[str, Any], sources: Mapping[str, str]) -> Iterator[SignRule]:
    if len(language) != 2:
        raise _wrong(language, "is no language; use the two letters of ISO 639-1")
    for name, content in signs.items():
        path = f"{language}.{name}"
        if name not in set(Sign):
            raise _wrong(path, f"is no sign; use one of {', '.join(Sign)}")
        phrases = _texts(content, path)
        source = _source(path, phrases.pop("source", ""), sources)
        for text, sample in phrases.items():
            yield SignRule(language, Sign(name), _read_phrase(path, text, sample), sample, source)


def _read_phrase(path: str, text: str, sample: str) -> Phrase:
    try:
        phrase = read_phrase(text)
    except InvalidPhrase as error:
        raise _wrong(path, f"has a bad phrase: {error}") from None
    if phrase.find(fold(sample)) is None:
        raise _wrong(path, f"has the phrase {text!r}, which its sample {sample!r} does not hold")
    return phrase


def _source(path: str, name: str, sources: Mapping[str, str]) -> str:
    address = sources.get(name, "")
    if address != USAGE and not address.startswith("https://"):
        raise _wrong(path, f"has the source {name!r}; name one of [sources] with an https:// address, or {USAGE!r}")
    return address


def _texts(content: object, path: str) -> dict[str, str]:
    table = dict(_table(content, path))
    wrong: Iterable[str] = (key for key, value in table.items() if not isinstance(value, str) or not value)
    for key in wrong:
        raise _wrong(f"{path}.{key}", "is not a text")
    return table


def _table(content: object, path: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise _wrong(path, "is not a table")
    return content


def _wrong(path: str, problem: str) -> InvalidKnowledge:
    return InvalidKnowledge(f"auto_replies.toml: {path} {problem}.")
