"""Phrases: the small language in which the data files write down what machines and people say.

A phrase is plain words, compared after folding (case, accents and wrapped lines do not count). Beside them:

    (a|b|)   one of these, the last one empty: or nothing; brackets may stand in brackets
    ~        letters, up to fifteen: the rest of a word
    *        anything within the sentence, up to sixty characters; between blanks, or nothing at all
    %        digits
    #        a number, such as a ticket's: digits with letters, dashes and an optional number sign
    ^ at the start: only where a sentence begins; $ at the end: only where one ends

Words match whole. There is nothing in it that takes more than a bounded time, whatever the text.
"""

import re
from dataclasses import dataclass

from dispatch.rules.classify.folding import fold_line

_GAPS_AT_MOST = 2
_TOKENS = re.compile(r"[()|~#%^$]| \* |\*|[^()|~*#%^$ ]+| ")
_WITHIN = r"(?:[^.!?。\n]|(?<=[0-9])\.){0,60}?"
# Scripts that put no blank between words, or grow prefixes: edges of words tell nothing there.
_UNSPACED = re.compile("[\u0590-\u06ff\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_MEANINGS = {
    "(": "(?:",
    ")": ")",
    "|": "|",
    "~": r"[^\W\d_]{0,15}",
    "*": _WITHIN,
    " * ": rf"(?!\w){_WITHIN} ",
    " ": " ",
    "%": r"[0-9]{1,8}",
    "#": r"#? ?[a-z]{0,6}[-:]?[0-9][0-9a-z.-]{0,30}",
    "^": r"(?:^|(?<=[\n.!?。:,*(>\"\[【-])|(?<=[\n.!?。:,*(>\"\[-] ))",
    "$": r"(?= ?(?:$|[\n.!?。,;:()*\]\"-]))",
}


class InvalidPhrase(ValueError):
    """A phrase breaks the rules of its small language; the message says how."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase. `literal` is the longest of its words that any match must hold: a quick test before the slow one."""

    text: str
    pattern: re.Pattern[str]
    literal: str

    def find(self, folded: str) -> re.Match[str] | None:
        """The first place of the phrase in a folded text."""
        return self.pattern.search(folded) if self.literal in folded else None


def read_phrase(text: str) -> Phrase:
    """The phrase that `text` spells. Raises InvalidPhrase."""
    folded = fold_line(text)
    _check(text, folded)
    tokens = _TOKENS.findall(folded)
    source = "".join(_MEANINGS.get(token) or re.escape(token) for token in tokens)
    if _UNSPACED.search(folded) is None:
        source = _edge(folded[0], r"(?:(?<!\w)|(?='))") + source + _edge(folded[-1], r"(?!\w)")
    return Phrase(text, re.compile(source), _longest_literal(tokens))


def _check(text: str, folded: str) -> None:
    if not folded.strip("()|~*#%^$ "):
        raise InvalidPhrase(f"The phrase {text!r} holds no word.")
    if folded.count("*") > _GAPS_AT_MOST:
        raise InvalidPhrase(f"The phrase {text!r} has more than {_GAPS_AT_MOST} gaps. Split it.")
    if not _is_balanced(folded):
        raise InvalidPhrase(f"The phrase {text!r} has brackets that do not pair. Close each one.")
    if "^" in folded[1:] or "$" in folded[:-1]:
        raise InvalidPhrase(f"The phrase {text!r} has a ^ or $ inside. They stand at the ends.")


def _is_balanced(folded: str) -> bool:
    depth = 0
    for character in folded:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            return False
    return depth == 0


def _edge(character: str, boundary: str) -> str:
    """A whole word begins and ends here, unless the phrase says otherwise or the script knows no such edges."""
    return boundary if character.isalnum() or character in "()" else ""


def _longest_literal(tokens: list[str]) -> str:
    """The longest word outside of brackets; empty where all stand in brackets."""
    depth = 0
    literals = [""]
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth == 0 and token not in _MEANINGS:
            literals.append(token)
    return max(literals, key=len)
