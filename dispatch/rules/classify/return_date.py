"""The day on which somebody is back, as an automatic reply states it.

1. Dates are found in the forms in use (`3 January`, `January 3rd, 2027`, `7.1.`, `12/08/2026`, `2027-01-07`, `8月15日`,
   `on Monday`), each with the word beside it: one of returning, or one of lasting until.
2. Of the first future date of return, the first "until", and the end of a range, in this order, one is taken.
3. "Back on X" is X. "Until X" and "from W to X" are X as well: people mean the last day away or the first day back,
   and whoever acts on the date waits one day more. Only where the wording includes X (`through`, `t/m`,
   `einschließlich`) it is the day after it.

A date without a year is the next such date. Dates that do not exist, have passed, or lie more than a year ahead are no
answer; nor is a yearless one that passed within the last four months, for it was forgotten in an old text. Of `12/08`,
which people read in two ways, the one that comes sooner counts in English, and the day comes first elsewhere.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum

from dispatch.rules.classify.calendar_words import (
    INCLUDING_WORDS,
    POSTPOSITIONS,
    RETURN_WORDS,
    UNTIL_WORDS,
    month_of,
    weekday_of,
)
from dispatch.rules.classify.folding import fold

_READ = 4_000
"""Characters of the text that are looked at."""
_DATES_AT_MOST = 40
_YEAR = timedelta(days=366)
_STALE = timedelta(days=240)
"""A date without a year that comes later than this has just passed."""
_WORD_BEFORE = 60
"""Characters before a date in which the word that belongs to it stands."""
_BESIDE = 3
"""Characters between a date and the weekday that belongs to it."""
_WORD_BEHIND = 40

_FORMS = re.compile(
    r"(?:(?<![0-9a-zа-яα-ω.:+/-])|(?<=[א-ת]-)"
    # the end of 8-12 June, 8.-12.6., 6/8-6/12
    r"|(?<=[0-9.]-)(?=[0-9]{1,2}(?:\.? [^\W\d_]{3}|\.[0-9]{1,2}\.|/[0-9])))(?!24/7)(?:"
    # 2027-01-07, 2027年1月7日, 2027. 1. 7.
    r"(?P<y1>20[0-9]{2}) ?[-/.年년] ?(?P<m1>[0-9]{1,2}) ?[-/.月월] ?(?P<d1>[0-9]{1,2})(?![0-9])"
    # 1月7日
    r"|(?P<m2>[0-9]{1,2}) ?[月월] ?(?P<d2>[0-9]{1,2})(?![0-9])"
    # 7.1.2027, 7/1, 07-01-27
    r"|(?P<a3>[0-9]{1,2}) ?(?P<s3>[./-]) ?(?P<b3>[0-9]{1,2})(?:(?:(?P=s3)) ?(?P<y3>20[0-9]{2}|[0-9]{2})(?![0-9:]))?"
    r"(?![0-9:%]| ?(?:uhr|h\b|am\b|pm\b|a\.m|p\.m|hrs|klo))"
    # 7 tháng 1
    r"|(?P<d5>[0-9]{1,2}) thang (?P<m5>[0-9]{1,2})(?:(?: nam |[/, ]{1,2})(?P<y5>20[0-9]{2}))?"
    # 7 January 2027, 7. Januar, 3rd of January, 7 de enero de 2027
    r"|(?P<d4>[0-9]{1,2})(?:[ºª°.]|-?[a-zа-я]{1,3}(?=[ .])\.?)? ?(?:of |de |d'|den |di )?"
    r"(?<![^\W\d_])(?P<w4>[^\W\d_]{3,14})\.?(?:,? ?(?:de |del |of |g\. )?(?P<y4>20[0-9]{2}))?(?![0-9])"
    r")"
    # January 7th, 2027; 2027. január 7.; sausio 7 d.
    r"|(?<![\w.])(?:(?P<y6>20[0-9]{2})\.? ?(?:m\. |g\. )?)?(?P<w6>[^\W\d_]{3,14})\.? (?:the )?(?P<d6>[0-9]{1,2})"
    r"(?:st|nd|rd|th|\.)?(?:,? (?P<y7>20[0-9]{2}))?(?![0-9/:])"
    r"|(?<!\w)(?P<w8>[^\W\d_]{3,14})(?!\w)",
)
_DAY_AFTER_MONTH = re.compile(
    r" ?(?:-|to|until|through|and|bis|au|al|til|till|tot|a|do|~|から|至|到|부터) ?(?P<day>[0-9]{1,2})"
    r"(?:st|nd|rd|th|日|일)?(?![0-9/:a-z月월]|\.[0-9])"
)
_HALF_RANGE = re.compile(
    r"(?<![0-9.:/])[0-9]{1,2}(?:[ºª°.]|-?[a-zа-я]{1,3})? ?"
    r"(?:-|~|to|till|until|through|and|bis|und|au|et|al|a|ao|y|e|t/m|tot|en|til|till|och|og|do|az|до|по|i|и|и до)"
    r" ?(?:the |den |zum |el |il |le |dia |d\. )?$"
)
_RANGE_WORD = re.compile(
    r"^(?:日|일|st|nd|rd|th|\.)*[ ,(]*(?:-|~|to|til|till|until|through|and|bis|au|al|a|all'|ate|ao|tot|t/m|tot en met"
    r"|do|до|по|εως|μεχρι|から|より|부터|至|到|den|sampai|hingga|kuni|lidz|iki|fins|och|og|zum|le|einschliesslich|zum"
    r"|inclusief|pana|ve|ile|з|з|и|inkl|jusqu'au|hasta|el|il|la|[ ,.()]|(?:[a-zа-яα-ω']{2,14},? ?))*$"
)
_SENTENCE_END = re.compile(
    r"[\n!?。]|(?<=[^\W\d_]{4})(?<!einschl)(?<!inkl)(?<!incl)\.(?= |$)|(?:(?<=[0-9]{4})|(?<=[0-9][ap]m))\.(?= |$)"
)


def _alternation(words: tuple[str, ...]) -> str:
    """Words to search for: whole ones, beginnings (`~`), and those of scripts without blanks anywhere."""
    pieces = []
    for word in sorted(words, key=len, reverse=True):
        source = re.escape(word.rstrip("~"))
        if re.search("[\u0590-\u06ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]", word):
            pieces.append(source)
        else:
            pieces.append(rf"(?<!\w){source}" + ("" if word.endswith("~") else r"(?!\w)"))
    return "|".join(pieces)


_CUE = re.compile(
    f"(?P<including>{_alternation(INCLUDING_WORDS)})|(?P<back>{_alternation(RETURN_WORDS)})"
    f"|(?P<until>{_alternation(UNTIL_WORDS)})"
)


_BEHIND = re.compile(
    rf"^(?:日|일|st|nd|rd|th|\.|'|-)*[ ,()]*(?:[^\W\d_]{{1,14}}?[ ,()]{{0,2}}){{0,2}}?"
    rf"(?P<cue>{_alternation(POSTPOSITIONS)})"
)
"""A word that is known to stand behind its date, right behind it."""


class _Cue(IntEnum):
    """What the words around a date say; the order is the order of preference."""

    BACK = 0
    INCLUDING = 1
    UNTIL = 2
    RANGE_END = 3
    NONE = 4


@dataclass(frozen=True, slots=True)
class _Stated:
    """A date as it stands in the text: its place, the days it may mean, the likeliest first, and of what kind it is."""

    start: int
    end: int
    days: tuple[date, ...]
    is_weekday: bool = False
    is_range: bool = False


def find_return_date(text: str, *, language: str | None, received_on: date) -> date | None:
    """The day of return that a text states, as seen from the day on which it came; None when it states none."""
    folded = fold(text[:_READ])
    found: dict[_Cue, date] = {}
    before: _Stated | None = None
    for stated in _stated_dates(folded, language, received_on):
        cue = _cue_of(folded, stated, before)
        before = stated
        if cue is not _Cue.NONE and stated.days:
            day = stated.days[0] + timedelta(days=cue is _Cue.INCLUDING)
            found.setdefault(cue, day)
    return found[min(found)] if found else None


# -- Dates


def _stated_dates(folded: str, language: str | None, received_on: date) -> Iterator[_Stated]:
    """The dates of the text in their order; a weekday beside a date is not one more."""
    count = 0
    position = 0
    last = -_BESIDE - 1
    while count < _DATES_AT_MOST and (found := _FORMS.search(folded, position)):
        days, end = _days(found, folded, language, received_on)
        position = max(end, found.end()) if days is not None else _after_word(found)
        names_again = found["w8"] and (found.start() <= last + _BESIDE or _is_named_again(folded, found.end()))
        if days is not None and not names_again:
            count += 1
            last = end
            yield _Stated(found.start(), end, days, bool(found["w8"]), end > found.end())


def _after_word(found: re.Match[str]) -> int:
    """Where to go on after what was no date: behind its first word or number, for a date may begin in it."""
    inner = re.search(r"[\W_]", found.group())
    return found.start() + (inner.start() + 1 if inner and inner.start() else len(found.group()))


def _is_named_again(folded: str, position: int) -> bool:
    """Whether the date of a weekday follows it: `Monday, 5 January`."""
    return (
        re.match(
            r"(?:-feira)?[ ,.(]{0,3}(?:the |den |dem |le |el |il |dia |d\. |dnia |%)?(?:[0-9]|[^\W\d_]{3,9}\.? [0-9])",
            folded[position : position + 30],
        )
        is not None
    )


def _days(
    found: re.Match[str], folded: str, language: str | None, received_on: date
) -> tuple[tuple[date, ...] | None, int]:
    """The days that a match means, and where it ends; None when it is no date, empty when it is one of no use."""
    if found["w8"]:
        weekday = weekday_of(found["w8"])
        ahead = None if weekday is None else (weekday - received_on.weekday() - 1) % 7 + 1
        return (None if ahead is None else (received_on + timedelta(days=ahead),)), found.end()
    if found["a3"]:
        return _numeric(found, language, received_on), found.end()
    month, day, year = _named(found, language)
    if month is None:
        return None, found.end()
    end = found.end()
    if (found["w6"] and not found["y7"]) or found["m2"]:
        later = _DAY_AFTER_MONTH.match(folded, end + bool(found["m2"]))
        day, end = (int(later["day"]), later.end()) if later else (day, end)
    return _usable([(year, month, day)], received_on), end


def _named(found: re.Match[str], language: str | None) -> tuple[int | None, int, int | None]:
    """Month, day and year of the forms that leave no doubt which is which."""
    groups = found.groupdict()
    for number in "125":
        if groups[f"d{number}"]:
            year = groups.get(f"y{number}")
            return int(groups[f"m{number}"]), int(groups[f"d{number}"]), int(year) if year else None
    number = "4" if groups["w4"] else "6"
    year = groups["y4"] or groups["y6"] or groups["y7"]
    return month_of(groups[f"w{number}"], language), int(groups[f"d{number}"]), int(year) if year else None


def _numeric(found: re.Match[str], language: str | None, received_on: date) -> tuple[date, ...] | None:
    """The days that `12/08` may mean: the day first, but in English whichever comes sooner."""
    first, second = int(found["a3"]), int(found["b3"])
    year = int(found["y3"]) if found["y3"] else None
    if year is not None and year < 100:
        year += 2000
    if not (1 <= first <= 31 and 1 <= second <= 31) or (first > 12 and second > 12):
        return None
    if found["s3"] == "-" and year is None:
        return None
    orders = [(year, second, first)]
    if language in {"en", None} or second > 12:
        orders.append((year, first, second))
    if language in {"hu", "ja", "zh", "ko", "lt"} and year is None:
        orders.reverse()
        return _usable(orders, received_on)
    days = _usable(orders, received_on)
    return tuple(sorted(days)) if found["s3"] != "." else days


def _usable(stated: list[tuple[int | None, int, int]], received_on: date) -> tuple[date, ...]:
    """The days that exist and lie within a year from the day of receipt on."""
    days = []
    for year, month, day in stated:
        resolved = _resolve(year, month, day, received_on)
        if resolved is not None and received_on <= resolved <= received_on + _YEAR:
            days.append(resolved)
    return tuple(days)


def _resolve(year: int | None, month: int, day: int, received_on: date) -> date | None:
    try:
        if year is not None:
            return date(year, month, day)
        here = date(received_on.year, month, day)
        resolved = here if here >= received_on else date(received_on.year + 1, month, day)
    except ValueError:
        return None
    return resolved if resolved - received_on <= _STALE else None


# -- The words beside them


def _cue_of(folded: str, stated: _Stated, before: _Stated | None) -> _Cue:
    """What the nearest word before the date says, within its sentence; else the nearest behind it."""
    floor = max(stated.start - _WORD_BEFORE, before.end if before else 0, 0)
    ahead = _SENTENCE_END.split(folded[floor : stated.start])[-1]
    behind = _SENTENCE_END.split(folded[stated.end : stated.end + _WORD_BEHIND], maxsplit=1)[0]
    cues = [_cue(found) for found in _CUE.finditer(ahead)]
    after = _cue_behind(behind, stated)
    includes = after is _Cue.INCLUDING
    if cues:
        last = max(cues[-2:], key=lambda cue: cue is _Cue.INCLUDING)
        return _Cue.INCLUDING if includes and last is _Cue.UNTIL else last
    if after not in {_Cue.NONE, _Cue.INCLUDING}:
        return after
    if stated.is_range or _HALF_RANGE.search(ahead[-20:]) or _ends_range(folded, stated, before):
        return _Cue.INCLUDING if includes else _Cue.RANGE_END
    return after


def _cue_behind(behind: str, stated: _Stated) -> _Cue:
    """What is said behind a date. Before a further number it belongs to that, but for words known to stand behind."""
    if (found := _BEHIND.match(behind)) and (cue := _CUE.search(found["cue"])):
        return _cue(cue)
    found = _CUE.search(behind)
    if found is None or stated.is_weekday or any(character.isdigit() for character in behind):
        return _Cue.NONE
    return _cue(found) if _cue(found) is not _Cue.UNTIL else _Cue.NONE


def _ends_range(folded: str, stated: _Stated, before: _Stated | None) -> bool:
    """Whether the date before this one is its beginning: `from 1 August to 14 August`."""
    if before is None or stated.start - before.end >= _WORD_BEHIND:
        return False
    return _RANGE_WORD.match(folded[before.end : stated.start]) is not None


def _cue(found: re.Match[str]) -> _Cue:
    return {"back": _Cue.BACK, "including": _Cue.INCLUDING, "until": _Cue.UNTIL}[found.lastgroup or "until"]
