"""The data file of automatic replies: every entry has a sample that it fits and a source, and mistakes are told."""

import tomllib
from typing import Any

import pytest

from dispatch.knowledge import DATA, load_knowledge
from dispatch.rules.classify.auto_reply_knowledge import USAGE, Sign, read_auto_reply_knowledge
from dispatch.rules.classify.folding import fold
from dispatch.rules.classify.knowledge import InvalidKnowledge
from dispatch.rules.classify.phrase import InvalidPhrase, read_phrase

TEXT = (DATA / "auto_replies.toml").read_text(encoding="utf-8")
KNOWLEDGE = load_knowledge().auto_replies
RULES = [rule for rules in KNOWLEDGE.signs.values() for rule in rules]


def tables() -> dict[str, Any]:
    return tomllib.loads(TEXT)


def test_every_phrase_fits_its_sample_and_has_a_source() -> None:
    for rule in RULES:
        assert rule.phrase.find(fold(rule.sample)), rule
        assert rule.source == USAGE or rule.source.startswith("https://"), rule


def test_every_source_is_used() -> None:
    used = {rule.source for rule in RULES} | {header.source for header in KNOWLEDGE.headers}
    assert set(tables()["sources"].values()) <= used


def test_absences_and_requests_are_known_in_many_languages() -> None:
    spoken = {sign: {rule.language for rule in KNOWLEDGE.signs[sign]} for sign in Sign}
    assert len(spoken[Sign.ABSENT]) >= 35
    assert len(spoken[Sign.SUBJECT]) >= 35
    assert len(spoken[Sign.UNSUBSCRIBE]) >= 30


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"english": {}}, "english is no language"),
        ({"en": {"gone": {"source": "usage"}}}, "en.gone is no sign"),
        ({"en": {"absent": {"source": "nobody", "away": "away"}}}, "has the source 'nobody'"),
        ({"en": {"absent": {"source": "usage", "away": "here"}}}, "which its sample 'here' does not hold"),
        ({"en": {"absent": {"source": "usage", "(away": "away"}}}, "brackets that do not pair"),
        ({"en": {"absent": {"source": "usage", "away": 1}}}, "en.absent.away is not a text"),
        ({"headers": {}}, "headers is not a list"),
        ({"headers": [{"name": "X-A"}]}, "lacks sample, source, weight"),
        ({"headers": [{"name": "X", "weight": "w", "sample": "x", "source": "usage", "a": "b"}]}, "has a"),
        ({"headers": [{"name": "X", "weight": "w", "sample": "x", "source": "usage"}]}, "has the weight 'w'"),
    ],
)
def test_a_mistake_is_named(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidKnowledge, match=r"auto_replies\.toml: ") as raised:
        read_auto_reply_knowledge(tables() | change)
    assert problem in str(raised.value)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("out of (the |)office", "I am OUT OF\nOFFICE now"),
        ("réponse automatique", "Reponse  automatique"),
        ("zurück", "Ich bin zurueck."),
        ("am * away", "I am still away"),
        ("vacat~", "on vacation"),
        ("^stop$", "Please wait. Stop!"),
        ("ticket #", "your Ticket #AB-12"),
        ("% days", "in 14 days"),
        ("不在", "現在不在です"),
        ("İzindeyim", "izindeyim"),
    ],
)
def test_a_phrase_is_found_however_it_is_spelt(phrase: str, text: str) -> None:
    assert read_phrase(phrase).find(fold(text))


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("away", "runaway"),
        ("am * away", "I am here. Bob is away"),
        ("^stop$", "do not stop at all"),
        ("^stop$", "a stop"),
        ("ticket #", "a ticket for you"),
    ],
)
def test_a_phrase_is_not_found_in_other_words(phrase: str, text: str) -> None:
    assert read_phrase(phrase).find(fold(text)) is None


@pytest.mark.parametrize("phrase", ["", "~", "()", "(a", "a)", "a * b * c * d", "a ^ b", "a $ b"])
def test_a_bad_phrase_is_refused(phrase: str) -> None:
    with pytest.raises(InvalidPhrase):
        read_phrase(phrase)
