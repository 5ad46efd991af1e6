"""From status codes and the words of servers to one judgement: which status, and is the address itself no good?

1. A code that means one thing decides (`5.1.1`: no such user), unless plain words beside it name a reason that
   overrules it: servers give address codes for spam, full mailboxes and senders they do not like.
2. Codes that mean anything (`5.0.0`, `5.7.1`, `4.4.7`) leave it to the words of the diagnostic, then to those of the
   notice.
3. Where no words are known, the code's own meaning counts; without any code, nothing is said and nothing is hard.
"""

import re
from dataclasses import dataclass

from dispatch.rules.classify.bounce_knowledge import BounceKnowledge, Reason

_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d]|\.\d)")
_REPLY_CODE = re.compile(r"(?<![\d.\w-])([45]\d\d)(?=[ \-:;,#]|$)", re.MULTILINE)
_NAMES_IN_TEXT = re.compile(
    r"https?://[^\s<>]{1,500}|[(\[]?<[^<>\s]{0,400}>[)\]]?"
    r"|[(\[\"']?(?<![\w.+=%-])[\w.+=%-]{1,128}@[\w.-]{1,255}[)\]\"']?"
)
_WORDS_READ = 4000
"""Characters in which a reason is looked for."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Status (empty where nothing tells), whether the address is no good, and the reason's name."""

    status: str
    hard: bool
    reason: str = ""


def plain_words(text: str) -> str:
    """The text in lower case on one line, without addresses and links, which may hold any word."""
    text = _NAMES_IN_TEXT.sub(" ", text[:_WORDS_READ])
    return " ".join(text.lower().replace("’", "'").split())


def find_status(text: str) -> str:
    """The first enhanced status code of a failure that says something: `x.y.0` says less than others, `x.0.0` nothing.

    Empty if there is none.
    """
    codes = [match[0] for match in _ENHANCED.finditer(text[:_WORDS_READ]) if match[1] != "2"]
    telling = [code for code in codes if not code.endswith(".0.0")] or codes
    return next((code for code in telling if not code.endswith(".0")), telling[0] if telling else "")


def find_reply_code(text: str) -> str:
    """The first SMTP reply code of a failure in the text; empty if none."""
    match = _REPLY_CODE.search(text[:_WORDS_READ])
    return match[1] if match else ""


def judge_failure(status: str, diagnostic: str, notice: str, knowledge: BounceKnowledge) -> Judgement:
    """The judgement on one failed recipient, from its status field, its diagnostic and the text of the notice."""
    given, said = find_status(status), find_status(diagnostic)
    code = said if said and not precise_reason(given, knowledge) else given
    words = plain_words(diagnostic)
    told = find_reason(words, knowledge)
    if meant := precise_reason(code, knowledge):
        reason: Reason | None = told if told and _overrules(told, meant, words, knowledge) else meant
    else:
        meant = knowledge.hints.get(_permanent(code))
        reason = told or find_reason(plain_words(notice), knowledge) or meant
        if reason and reason.weak and (meant or (code or find_reply_code(diagnostic)).startswith("4")):
            reason = meant
    return _judged(code, reason, meant, find_reply_code(diagnostic))


def find_reason(words: str, knowledge: BounceKnowledge) -> Reason | None:
    """The reason that plain words tell: the first in the order of the file."""
    return next((known.reason for known in knowledge.words if known.rule.pattern.search(words)), None)


def precise_reason(code: str, knowledge: BounceKnowledge) -> Reason | None:
    """What a code means that means one thing; a temporary code never says that an address is no good."""
    reason = knowledge.codes.get(_permanent(code))
    return None if reason and reason.hard and not code.startswith("5") else reason


def _permanent(code: str) -> str:
    return f"5{code[1:]}" if code else ""


def _overrules(told: Reason, meant: Reason, words: str, knowledge: BounceKnowledge) -> bool:
    """Whether the words weigh more than the code: they name another reason, and none for the address beside it."""
    if not told.overrules or not meant.hard:
        return False
    about_address = (known for known in knowledge.words if known.reason.hard and not known.reason.weak)
    return not any(known.rule.pattern.search(words) for known in about_address)


def _judged(code: str, reason: Reason | None, meant: Reason | None, reply_code: str) -> Judgement:
    """The code as it came where it says what the reason is; else the reason's own, temporary or not as it came."""
    if reason is None:
        return Judgement(code or (f"{reply_code[0]}.0.0" if reply_code else ""), hard=False)
    if code and reason is meant:
        return Judgement(code, reason.hard, reason.name)
    kind = "5" if reason.hard else (code or reply_code or reason.status)[0]
    return Judgement(kind + reason.status[1:], reason.hard, reason.name)
