"""What is known of notices about failed deliveries: the rules of dispatch/data/bounces.toml, checked and compiled.

The file explains its own sections. Patterns are regular expressions over text in lower case with single blanks; each
has a sample that it must match and a source. Every gap in them is bounded, so none takes more than linear time.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

USAGE = "usage"
"""The source of words in everyday use."""
_UNBOUNDED = re.compile(r"(?<!\\)(?:\\\\)*[*+]|\{\d+,\}")
"""`*`, `+` and `{3,}` outside of what is escaped: they could make a search quadratic."""


class InvalidKnowledge(ValueError):
    """A data file says something that cannot be used; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern with a text that it matches, the language of both, and the page that the wording is known from."""

    pattern: re.Pattern[str]
    sample: str
    language: str
    source: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a delivery failed. `status` is given where the notice names none.

    `codes` are the enhanced status codes that mean just this, `hints` those that mean it where no words say otherwise.
    `hard` means that the address itself is no good for good. `overrules` says that plain words for this reason weigh
    more than an address code beside them, `weak` that they weigh less than a code that is temporary or says more.
    """

    name: str
    meaning: str
    status: str
    hard: bool
    overrules: bool
    weak: bool
    codes: tuple[str, ...]
    hints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """Words that tell a reason."""

    reason: Reason
    rule: Rule


@dataclass(frozen=True, slots=True)
class BounceKnowledge:
    """All of the file; every tuple in its order, which is the order of judgement.

    `recipients` are patterns with a group `address` over the notice as it stands (case and lines kept).
    """

    reasons: Mapping[str, Reason]
    codes: Mapping[str, Reason]
    hints: Mapping[str, Reason]
    words: tuple[Words, ...]
    failures: tuple[Rule, ...]
    delays: tuple[Rule, ...]
    successes: tuple[Rule, ...]
    last_words: tuple[Rule, ...]
    subjects: tuple[Rule, ...]
    machines: tuple[Rule, ...]
    likely_machines: tuple[Rule, ...]
    cuts: tuple[Rule, ...]
    recipients: tuple[Rule, ...]
    leads: tuple[Rule, ...]
    bystanders: tuple[Rule, ...]


_SECTIONS = (
    *("failures", "delays", "successes", "last_words", "subjects", "machines", "likely_machines", "cuts"),
    *("recipients", "leads", "bystanders"),
)


def read_bounce_knowledge(content: Mapping[str, Any]) -> BounceKnowledge:
    """The knowledge in the tables of the file. Raises InvalidKnowledge with the first problem."""
    known = {"sources", "reasons", "words", *_SECTIONS}
    if strange := sorted(set(content) - known):
        raise InvalidKnowledge(f"bounces.{strange[0]} is not known. Remove it, or teach the loader.")
    sources = _read_sources(content.get("sources", {}))
    reasons = {name: _read_reason(name, table) for name, table in content.get("reasons", {}).items()}
    words = [
        Words(_reason_of(group, reasons), rule)
        for group in content.get("words", [])
        for rule in _read_group("words", group, sources)
    ]
    sections = {section: _read_section(section, content.get(section, []), sources) for section in _SECTIONS}
    return BounceKnowledge(
        reasons=reasons,
        codes=_by_code((code, reason) for reason in reasons.values() for code in reason.codes),
        hints=_by_code((code, reason) for reason in reasons.values() for code in reason.hints),
        words=tuple(words),
        **sections,
    )


def _read_sources(table: Mapping[str, Any]) -> Mapping[str, str]:
    for name, address in table.items():
        if not isinstance(address, str) or not address.startswith(("https://", "http://")):
            raise InvalidKnowledge(f"sources.{name} cannot be used. Use the address of a page.")
    return table


def _read_reason(name: str, table: Mapping[str, Any]) -> Reason:
    try:
        return Reason(
            name=name,
            meaning=table["meaning"],
            status=table["status"],
            hard=table.get("hard", False),
            overrules=table.get("overrules", False),
            weak=table.get("weak", False),
            codes=tuple(table.get("codes", ())),
            hints=tuple(table.get("hints", ())),
        )
    except KeyError as error:
        raise InvalidKnowledge(f"reasons.{name} lacks {error.args[0]}.") from None


def _reason_of(group: Mapping[str, Any], reasons: Mapping[str, Reason]) -> Reason:
    name = group.get("reason", "")
    if name not in reasons:
        raise InvalidKnowledge(f"words speaks of the reason {name!r}. Use one of {', '.join(reasons)}.")
    return reasons[name]


def _by_code(pairs: Iterable[tuple[str, Reason]]) -> dict[str, Reason]:
    codes: dict[str, Reason] = {}
    for code, reason in pairs:
        if code in codes:
            raise InvalidKnowledge(f"The code {code} stands in two reasons. Name it in one.")
        codes[code] = reason
    return codes


def _read_section(section: str, groups: Iterable[Mapping[str, Any]], sources: Mapping[str, str]) -> tuple[Rule, ...]:
    return tuple(rule for group in groups for rule in _read_group(section, group, sources))


def _read_group(section: str, group: Mapping[str, Any], sources: Mapping[str, str]) -> Iterator[Rule]:
    """The rules of one table: pairs of pattern and sample that share language and source."""
    source, language = group.get("source", ""), group.get("language", "en")
    if source != USAGE and source not in sources:
        raise InvalidKnowledge(f"{section} names the source {source!r}, which is not in [sources].")
    for pair in group.get("patterns", []):
        if len(pair) != 2:
            raise InvalidKnowledge(f"{section} holds {pair!r}. Use a pattern and a sample.")
        yield Rule(_compile(section, pair[0]), pair[1], language, source)


def _compile(section: str, text: str) -> re.Pattern[str]:
    if _UNBOUNDED.search(re.sub(r"\[[^\]]*\]", "c", text)):
        raise InvalidKnowledge(f"{section} holds {text!r}, which has an unbounded gap. Use {{0,40}} or the like.")
    flags = re.MULTILINE | re.IGNORECASE if section == "recipients" else re.MULTILINE
    try:
        pattern = re.compile(text, flags)
    except re.error as error:
        raise InvalidKnowledge(f"{section} holds {text!r}, which is no regular expression ({error}).") from None
    if section == "recipients" and "address" not in pattern.groupindex:
        raise InvalidKnowledge(f"{section} holds {text!r}, which has no group named address.")
    return pattern
