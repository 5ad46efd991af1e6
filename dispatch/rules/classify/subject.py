"""Subjects: whether they answer or pass on another one, and what they say themselves."""

import re
from dataclasses import dataclass

from dispatch.rules.classify.folding import fold_line

_LONGEST = 400

# What mail programs put before the subject they answer or pass on, in their languages, folded.
_PREFIXES = (
    "re|aw|sv|vs|odp|res|antw|antwort|ynt|απ|σχετ|r|rif|ref|tr|wg|fwd|fw|doorst|enc|rv|va|bls|pd|ilt|trs|vl|hodn|atb|ats"
    "|vast|отв|ответ|відп|vb|fs|rsp|reply|回复|回覆|答复|答覆|转发|轉寄|返信|転送|回信|답장|회신|전달|رد|השב|balas|bal"
    "|tra loi|re\\^[0-9]{1,2}|предп|пер|пересл"
)
_ANSWERS = re.compile(rf"^(?:{_PREFIXES}) ?(?:\[[0-9]{{1,3}}\]|\([0-9]{{1,3}}\)|[0-9]{{1,2}})? ?: ?")
_ANSWERS_LATER = re.compile(rf" (?:{_PREFIXES}) ?: ?")
_TAGS = re.compile(
    r"^(?:\[[^\]]{1,40}\]|\*{1,5}[^*]{1,30}\*{1,5}|ext(?:ern|ernal)?:|【[^】]{1,20}】|\(ext(?:ern|ernal)?\)|[\s>])+"
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject as the header has it; folded; and folded without the tags that gateways and lists put in front.

    `head` is what was put before the subject that is answered (`Absence Re: …`). `answers` says that it answers or
    passes on another one: what it says are then the words of that one. `bare` is it without those prefixes.
    """

    text: str
    written: str
    untagged: str
    head: str
    answers: bool
    bare: str


def read_subject(text: str) -> Subject:
    """The subject that a header holds."""
    written = fold_line(text[:_LONGEST])
    untagged = _TAGS.sub("", written)
    bare = untagged
    for _ in range(10):
        shorter = _TAGS.sub("", _ANSWERS.sub("", bare, count=1))
        if shorter == bare:
            break
        bare = shorter
    head = _ANSWERS_LATER.split(untagged, maxsplit=1)[0]
    return Subject(text[:_LONGEST], written, untagged, head, _ANSWERS.match(untagged) is not None, bare)
