"""What a person wrote anew: the text of a mail without what it quotes.

1. Lines that begin with `>` are quotation; what stands between and below them is an answer to it and stays.
2. A line that introduces a quotation (`On … Ann Berg wrote:`), over up to four lines, goes. Where no `>` follows, the
   program quoted without marks, and all that follows goes too.
3. So does everything from a separator (`-----Original Message-----`) or a block of quoted headers (`From: … Sent: …`).

Greetings and signatures stay. Every line is looked at a bounded number of times, and only among the first thousand
lines is an introduction or original looked for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dispatch.rules.classify.folding import fold_line
from dispatch.rules.classify.quotation_words import CC, DATE, FROM, LABELS, OPENERS, SEPARATORS, SUBJECT, TO, WROTE

LONGEST_TEXT = 20_000
"""Characters of new text that are kept."""

_LONGEST_ORIGINAL = 200_000
"""Characters of a mail that are read."""
_LINES_LOOKED_AT = 1_000
_LONGEST_LINE = 500
"""Characters of a line that may introduce a quotation."""
_LINES_OF_INTRODUCTION = 4
_LINES_OF_HEADERS = 9

_UNSPACED = re.compile("[\u0590-\u06ff\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_WROTE = re.compile(
    rf"(?<!\w)(?:{'|'.join(re.escape(word) for word in sorted(WROTE) if not _UNSPACED.search(word))})(?!\w)"
    rf"|{'|'.join(re.escape(word) for word in sorted(WROTE) if _UNSPACED.search(word))}"
)
_AFTER_INTRODUCTION = "\"'*_ \t\xa0\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""What may stand behind the colon: marks of bold and of the direction of writing."""
_QUOTED = re.compile(r" {0,3}[>＞]|[A-ZА-Я]{2,3}> ")
"""`> `, or with the initials of who is quoted, as The Bat does: `AB> `."""
_GOES_ON_BEHIND = re.compile(r"[^\n]{0,300}[^\s<>@]@[^\s<>@]{1,100}[>)] ?[^\W\d_][^:\n]{0,20}:(?= \S)")
"""An introduction with the original right behind it, as Yahoo's on telephones: `… <ann@example.org> wrote: Hello`."""
_OF_ONESELF = re.compile(r"(?<!\w)(?:i|we|he|she|they|ich|wir|er) (?:also |already )?(?:wrote|said|schrieben?)$")
"""What people say of what they wrote, and no program."""
_REPLY_ABOVE = re.compile(
    r"(?:repl|respon|answer|antwort|repon|respuest|rispo|respost)[^\n]{0,60}"
    r"(?:above this line|oberhalb dieser|au-dessus de cette|encima de esta|sopra questa|acima desta)"
)
_BETWEEN_ARROWS = re.compile(r">>> ?[^\s>][^>\n]{0,80}(?:<[^<>\s]{3,100}>)?[^>\n]{0,20}[0-9][^>\n]{0,20}>>>\s*")
"""How GroupWise introduces the original that it puts below without marks: `>>> Ann Berg 06/10/26 9:10 AM >>>`."""
_NAMED_SENDER = re.compile(r"[^\s<>@]@[^\s<>@]+[>)\]]?[\"' ]{0,3}$")
_LABEL = re.compile(r"[\s*_|\u200e\u200f\u202a-\u202e]{0,6}([^\W\d_][^:：*\n]{0,29}?)[\s*_]{0,4}[:：]")
_BETWEEN_DASHES = re.compile(r"[\s>]{0,4}[-_=*—–]{1,40}\s{0,4}(\S[^\n]{2,200}?)[\s:]{0,4}[-_=*—–]{1,40}\s*")
_BEGINS_ORIGINAL = (
    "begin",
    "start",
    "anfang",
    "debut",
    "inicio",
    "inizio",
    "forwarded",
    "vidarebefordrat",
    "videresen",
)
"""How a separator without dashes begins, with a colon at its end."""
_ONLY_DASHES = re.compile(r"[\s_=*—–-]*[_=*—–-]{3}[\s_=*—–-]*")


@dataclass(frozen=True, slots=True)
class NewText:
    """The new text, without blank lines around it, and whether anything was quoted beside it."""

    text: str
    quotes: bool


def trim_quotation(text: str) -> NewText:
    """The new text of a mail, at most LONGEST_TEXT characters."""
    lines = text[:_LONGEST_ORIGINAL].splitlines()
    kept: list[str] = []
    quotes = False
    index = 0
    while index < len(lines):
        looks = index < _LINES_LOOKED_AT
        if _BETWEEN_ARROWS.fullmatch(lines[index]):
            quotes = True
            break
        if _QUOTED.match(lines[index]):
            quotes = True
        elif looks and (_begins_original(lines, index) or _answers_stand_above(kept, lines[index])):
            quotes = True
            break
        elif looks and (length := _introduction_length(kept, lines, index)):
            quotes = True
            del kept[len(kept) - length + 1 :]
            if not _is_quoted_next(lines, index):
                break
        else:
            kept.append(lines[index])
        index += 1
    return NewText(_join(kept, quotes=quotes), quotes)


def _join(lines: list[str], *, quotes: bool) -> str:
    """The lines as one text. Dashes above what was cut belonged to it."""
    while quotes and lines and (not lines[-1].strip() or _ONLY_DASHES.fullmatch(lines[-1][:200])):
        lines.pop()
    return "\n".join(line.rstrip() for line in lines).strip()[:LONGEST_TEXT].rstrip()


# -- Introductions


def _introduction_length(kept: Sequence[str], lines: Sequence[str], index: int) -> int:
    """How many lines that end with this one introduce a quotation; 0 when it is none."""
    goes_on = _GOES_ON_BEHIND.match(lines[index][:_LONGEST_LINE])
    last = goes_on[0] if goes_on else lines[index].rstrip(_AFTER_INTRODUCTION)
    if not last.endswith((":", "：")) or len(last) > _LONGEST_LINE:
        return 0
    before = _lines_before(kept, lines, index)
    marked = _is_quoted_next(lines, index)
    for count in range(len(before) + 1):
        joined = fold_line(" ".join([*before[len(before) - count :], last])).rstrip(": ")
        if _introduces(joined, marked=marked):
            return 1 + max(count, _opening(before))
    return 0


def _lines_before(kept: Sequence[str], lines: Sequence[str], index: int) -> list[str]:
    """The lines right above, at most three, down to the nearest blank one; those that were cut already are none."""
    before: list[str] = []
    while len(before) < _LINES_OF_INTRODUCTION - 1 and len(before) < len(kept):
        line = kept[-1 - len(before)]
        if not line.strip() or line is not lines[index - 1 - len(before)] or len(line) > _LONGEST_LINE:
            break
        before.insert(0, line)
    return before


def _introduces(folded: str, *, marked: bool) -> bool:
    has_digit = any(character.isdigit() for character in folded)
    if marked and _NAMED_SENDER.search(folded):
        return True
    if _WROTE.search(folded):
        by_program = has_digit and _opens(folded) and not _OF_ONESELF.search(folded)
        return marked or "@" in folded or by_program
    return has_digit and _NAMED_SENDER.search(folded) is not None and len(folded) < 200


def _opening(before: list[str]) -> int:
    """How many lines above belong to it: from the nearest one that opens as such lines do and holds a date."""
    for count, line in enumerate(reversed(before), start=1):
        if _opens(fold_line(line)) and any(character.isdigit() for character in line):
            return count
    return 0


def _opens(folded: str) -> bool:
    words = folded.lstrip("\"'*_ ").split(" ", 2)
    return words[0].rstrip(".,") in OPENERS or " ".join(words[:2]) in OPENERS or _UNSPACED.match(folded) is not None


def _is_quoted_next(lines: Sequence[str], index: int) -> bool:
    """Whether the next lines that are not blank are marked as quoted."""
    return any(_QUOTED.match(line) for line in _next_lines(lines, index + 1, 1))


def _next_lines(lines: Sequence[str], start: int, count: int) -> list[str]:
    """The next lines that are not blank, among a few."""
    return [line for line in lines[start : start + 2 * count + 2] if line.strip()][:count]


# -- Originals below


def _begins_original(lines: Sequence[str], index: int) -> bool:
    line = lines[index]
    if not line.strip() or len(line) > _LONGEST_LINE:
        return False
    return _is_separator(line) or _begins_headers(lines, index)


def _answers_stand_above(kept: Sequence[str], line: str) -> bool:
    """Whether a help desk asked for answers above this line, and one stands there."""
    return bool(_REPLY_ABOVE.search(fold_line(line[:200]))) and any(above.strip() for above in kept)


def _is_separator(line: str) -> bool:
    found = _BETWEEN_DASHES.fullmatch(line.replace("&nbsp;", " "))
    if found:
        words = fold_line(found[1]).rstrip(".: ")
        return words in SEPARATORS or ("@" in words and _WROTE.search(words) is not None)
    folded = fold_line(line[:80]).rstrip(": ")
    return line.rstrip().endswith(":") and folded.startswith(_BEGINS_ORIGINAL) and folded in SEPARATORS


def _begins_headers(lines: Sequence[str], index: int) -> bool:
    """Whether a block of quoted headers begins here: a sender, and two more, a subject or an address among them."""
    if _label(lines[index]) not in {FROM, DATE, TO, SUBJECT}:
        return False
    block = _next_lines(lines, index, _LINES_OF_HEADERS)
    kinds: set[str] = set()
    for line in block:
        kind = _label(line)
        if not kind and kinds and len(line) > 0 and not _is_continuation(line):
            break
        kinds.add(kind)
    kinds.discard("")
    has_address = any("@" in line for line in block)
    return FROM in kinds and len(kinds - {CC}) >= 3 and (SUBJECT in kinds or has_address)


def _is_continuation(line: str) -> bool:
    """A long list of recipients goes on in the next line."""
    return line[0] in " \t" or "@" in line or ";" in line


def _label(line: str) -> str:
    found = _LABEL.match(line[:80])
    return LABELS.get(fold_line(found[1]), "") if found else ""
