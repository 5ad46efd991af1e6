"""Every rule of dispatch/data/bounces.toml matches its sample, names its source, and takes linear time."""

import time
from typing import Any

import pytest

from dispatch.knowledge import load_knowledge, read_tables
from dispatch.rules.classify.bounce_knowledge import InvalidKnowledge, Rule, Words, read_bounce_knowledge
from dispatch.rules.classify.status_codes import find_reason, plain_words

KNOWN = load_knowledge().bounces
SECTIONS = (
    *("failures", "delays", "successes", "last_words", "subjects", "machines", "likely_machines", "cuts"),
    *("leads", "bystanders"),
)
RULES = [(section, rule) for section in SECTIONS for rule in getattr(KNOWN, section)]
SLOW = (
    "user mailbox ",
    "message size exceeds ",
    "the following ",
    "550 5.1.1 ",
    "a",
    "not ",
    "収件人 邮箱 ",
    "- ",
    "to:<",
)


def one_line(text: str) -> str:
    return " ".join(text.lower().split())


@pytest.mark.parametrize("words", KNOWN.words, ids=lambda words: words.rule.sample[:40])
def test_words_tell_their_reason_and_no_other_that_is_judged_before(words: Words) -> None:
    assert words.rule.pattern.search(plain_words(words.rule.sample))
    assert find_reason(plain_words(words.rule.sample), KNOWN) == words.reason


@pytest.mark.parametrize(("section", "rule"), RULES, ids=lambda value: getattr(value, "sample", value)[:40])
def test_a_rule_matches_its_sample(section: str, rule: Rule) -> None:
    assert rule.pattern.search(one_line(rule.sample)), section


@pytest.mark.parametrize("rule", KNOWN.recipients, ids=lambda rule: rule.sample[:40])
def test_a_program_names_its_recipient(rule: Rule) -> None:
    match = rule.pattern.search(rule.sample)
    assert match is not None
    assert match["address"] == "bob@example.net"


def test_every_source_is_used() -> None:
    tables = read_tables("bounces.toml")
    groups = [group for section in ("words", "recipients", *SECTIONS) for group in tables[section]]
    assert {group["source"] for group in groups} == {*tables["sources"], "usage"}


def test_every_reason_has_words_or_codes() -> None:
    told = {words.reason.name for words in KNOWN.words}
    assert {name for name, reason in KNOWN.reasons.items() if name not in told and not reason.codes} == set()


def test_only_reasons_about_the_address_are_hard() -> None:
    hard = {name for name, reason in KNOWN.reasons.items() if reason.hard}
    assert hard == {"unknown_user", "refused_address", "unknown_host", "moved", "no_mail", "disabled"}


@pytest.mark.parametrize("text", SLOW)
def test_no_pattern_takes_more_than_linear_time(text: str) -> None:
    """Each pattern is tried on far more than it is ever given, and on twice that."""
    patterns = [rule.pattern for _, rule in RULES] + [words.rule.pattern for words in KNOWN.words]
    short, long = text * (8_000 // len(text)), text * (16_000 // len(text))
    for pattern in (*patterns, *(rule.pattern for rule in KNOWN.recipients)):
        assert seconds(pattern, long) < 4 * seconds(pattern, short) + 0.02, pattern.pattern


def seconds(pattern: Any, text: str) -> float:
    before = time.process_time()
    pattern.search(text)
    return time.process_time() - before


BASE: dict[str, Any] = {
    "sources": {"page": "https://example.org/"},
    "reasons": {"full": {"meaning": "Full.", "status": "5.2.2", "codes": ["5.2.2"]}},
}
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "a section nobody knows": ({"strange": []}, "bounces.strange is not known"),
    "a source without address": ({"sources": {"page": "a page"}}, "sources.page cannot be used"),
    "a reason without meaning": ({"reasons": {"full": {"status": "5.2.2"}}}, "reasons.full lacks meaning"),
    "words for no reason": (
        {"words": [{"reason": "odd", "source": "page", "patterns": [["a", "a"]]}]},
        "the reason 'odd'",
    ),
    "a rule without source": ({"delays": [{"patterns": [["a", "a"]]}]}, "names the source ''"),
    "a pattern without sample": ({"delays": [{"source": "page", "patterns": [["a"]]}]}, "a pattern and a sample"),
    "an unbounded gap": ({"delays": [{"source": "page", "patterns": [["a.*b", "ab"]]}]}, "an unbounded gap"),
    "a bad expression": ({"delays": [{"source": "page", "patterns": [["(a", "a"]]}]}, "no regular expression"),
    "a recipient without address": (
        {"recipients": [{"source": "page", "patterns": [["a", "a"]]}]},
        "no group named address",
    ),
    "a code in two reasons": (
        {"reasons": {name: {"meaning": "x", "status": "5.2.2", "codes": ["5.2.2"]} for name in ("a", "b")}},
        "stands in two reasons",
    ),
}


@pytest.mark.parametrize(("change", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_with_its_first_problem(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidKnowledge, match=problem):
        read_bounce_knowledge(BASE | change)


def test_a_small_file_is_read() -> None:
    known = read_bounce_knowledge(BASE | {"delays": [{"source": "page", "patterns": [["late", "it is late"]]}]})
    assert [rule.sample for rule in known.delays] == ["it is late"]
    assert known.codes["5.2.2"].name == "full"
