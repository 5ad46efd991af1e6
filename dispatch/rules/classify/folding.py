"""Text made comparable: one form for every spelling of the same words.

People write `zurück`, `zurueck` and `zuruck`, `réponse` and `reponse`, with typographic quotes and without. Phrases and
mails pass through the same `fold`, so that they meet.
"""

import re
import unicodedata

FOLDED_AT_MOST = 8_000
"""Characters that are looked at. Normalising is quadratic in long runs of marks; at this length that is nothing."""

# Accents of Latin, Greek and Cyrillic, points of Hebrew, vowel signs of Arabic; the voicing marks of kana stay.
_MARKS = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u064b-\u065f\u0670]+")
_INVISIBLE = re.compile("[\u00ad\u0640\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]+")
_ALIKE = str.maketrans(
    {
        **dict.fromkeys("‘’‛`´ʼ′", "'"),
        **dict.fromkeys("“”„‟«»″", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ı": "i",
        "æ": "a",
        "œ": "o",
        "∶": ":",
        "ى": "ي",
        "ی": "ي",
        "ة": "ه",
        "ک": "ك",
    }
)
_UMLAUT = re.compile("[aou]e")

_LINE_END = re.compile(r"[ \t]*\r?\n[ \t]*")
_PARAGRAPH = re.compile(r"(?<=[,.:;!?。*\-])\n\s*|\n{2,}")
_BLANKS = re.compile(r"[^\S\n]+")


def fold(text: str) -> str:
    """The first characters of a text in one case, without accents, with plain quotes, dashes and single blanks.

    A line end stays where a sentence or paragraph ends; elsewhere the line was only wrapped, and a blank stands for it.
    """
    return fold_line(_join_lines(text[:FOLDED_AT_MOST]))


def fold_line(text: str) -> str:
    """The same for a text whose line ends are right as they are, such as a subject."""
    text = unicodedata.normalize("NFKD", _INVISIBLE.sub("", text[:FOLDED_AT_MOST])).casefold()
    text = unicodedata.normalize("NFC", _MARKS.sub("", text)).translate(_ALIKE)
    text = _UMLAUT.sub(_without_e, text)
    return _BLANKS.sub(" ", text).strip()


def _join_lines(text: str) -> str:
    text = _LINE_END.sub("\n", text)
    return _PARAGRAPH.sub("\0", text).replace("\n", " ").replace("\0", "\n")


def _without_e(found: re.Match[str]) -> str:
    """`ue` is how `ü` is written without it; both become `u`."""
    return found.group()[0]
