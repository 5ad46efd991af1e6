"""Which phrases of the data file a text holds, and in which language it is."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from dispatch.rules.classify.auto_reply_knowledge import AutoReplyKnowledge, Sign
from dispatch.rules.classify.language import detect_language

_SHOWN = 80
"""Characters of evidence that are shown of a text."""


@dataclass(frozen=True, slots=True)
class FoundSign:
    """A sign in a text: the language of its phrase, the words that were found, folded, and where they begin."""

    sign: Sign
    language: str
    words: str
    start: int

    @property
    def evidence(self) -> str:
        """The words as a short sentence."""
        return f"Text, {self.sign}: {self.words}"


def find_signs(folded: str, knowledge: AutoReplyKnowledge, wanted: Collection[Sign]) -> dict[Sign, FoundSign]:
    """The first phrase found of each wanted sign, in a folded text."""
    found: dict[Sign, FoundSign] = {}
    for sign in wanted:
        for rule in knowledge.signs[sign]:
            match = rule.phrase.find(folded)
            if match is not None:
                found[sign] = FoundSign(sign, rule.language, shorten(match.group()), match.start())
                break
    return found


def language_of(text: str, signs: Mapping[Sign, FoundSign]) -> str | None:
    """The language of a text: as its small words tell, else that of most of the phrases found."""
    languages = Counter(found.language for found in signs.values())
    return detect_language(text) or next((language for language, _ in languages.most_common(1)), None)


def shorten(text: str) -> str:
    """A text on one line, cut for evidence."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
