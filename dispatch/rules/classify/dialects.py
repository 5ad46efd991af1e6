"""Recipients that a notice names in plain words.

The order, each step only where the one before found nothing:

1. `X-Failed-Recipients`, which Exim and Gmail write.
2. Patterns of known programs (bounces.toml, `recipients`).
3. Addresses that stand where notices put them: alone on a line or at its start, behind words such as `unknown user:`,
   or beside the reply of a server.
4. Any other address in the machine's own words, if it is the only one, or one that the returned message went to.
5. The returned message's only recipient, or those of its recipients whose names without domain the notice calls.
6. The only address in the subject.

Whoever else is named in a notice has not failed: its reader, its sender, the sender of the returned message,
postmasters and whom to contact.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dispatch.rules.classify.bounce_knowledge import BounceKnowledge, Rule
from dispatch.rules.classify.notice_text import Notice
from dispatch.rules.classify.status_codes import find_reason, find_reply_code, find_status, plain_words
from dispatch.rules.mail.reader import Mail

# Letters of Latin, Greek and Cyrillic; others may stand right before an address without being part of it.
_LETTER = "A-Za-z0-9_\u00c0-\u024f\u0370-\u052f"
_LABEL = f"[{_LETTER}-]{{1,63}}"
_ADDRESS = re.compile(
    r"<[ \t]{0,3}(?:mailto:|smtp:)?(?P<bracketed>(?:\"[^\"<>\n]{1,128}\"|[^<>\s@\"]{1,256})@[^<>\s@\"]{1,255}?)"
    r"\.?[ \t]{0,3}>"
    rf"|(?<![{_LETTER}.!#$%&*+/=?^`{{|}}~@-])(?P<plain>[.-]{{0,3}}[{_LETTER}][{_LETTER}.!#$%&'*+/=?^`{{|}}~-]{{0,127}}"
    rf"@(?:{_LABEL}(?:\.{_LABEL}){{1,8}}|\[[0-9.]{{7,15}}\]))(?![@{_LETTER}])",
)
_ALONE = re.compile(r"[\s>*•·o\-–#|\"'<(\[{]{0,20}\Z")
_NOTHING_ELSE = re.compile(r"[\s>\"'<(\[{)\]}.,;:*•·|#o\-–]{0,60}\Z")
_AT_START_AFTER = re.compile(
    r"[\"'>)]{0,3}(?:[ \t]{0,4}(?::|\.\.\.|;|,?[ \t]{0,4}\(|[ \t]-)|[ \t]{1,10}(?:on |#|\d{3}[ -]))"
)
_NOT_PEOPLE = re.compile(
    r"(?:mailer-?daemon|post-?master|mail-?daemon|abuse|no-?reply|do-?not-?reply|hostmaster|webmaster|helpdesk|support)@"
)
_REPLY_AHEAD = re.compile(r"\A[45]\d\d[ -]'")
"""A reply's code that a quotation mark parts from the address: `552-'bob@example.org`."""
_LOCAL_NAME = re.compile(
    r"^(?:[ \t]{0,8}|[45]\d\d[ -]|[45]\d\d[ -][45]\.\d\.\d{1,3} |.{0,40}\buser )"
    r"[\"'<]?([\w.+-]{1,64})[\"'>]?(?:\.\.\.|:| is | unk| not |$)",
    re.MULTILINE | re.IGNORECASE,
)
"""A user without a domain, where it stands first on a line, behind a reply's code or behind the word."""
_BEFORE = 90
"""Characters before an address that say what it is about."""
_DIAGNOSTIC = 1000
_MAX_RECIPIENTS = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A failed recipient with the words that stand beside it."""

    address: str
    diagnostic: str


@dataclass(frozen=True, slots=True)
class _Mention:
    """An address in the notice: where it stands, and whether surely as a failed recipient's."""

    address: str
    start: int
    end: int
    sure: bool


def find_recipients(mail: Mail, notice: Notice, knowledge: BounceKnowledge) -> tuple[Found, ...]:
    """The failed recipients of a notice in plain words, at most 100."""
    others = _other_people(mail, notice.returned)
    listed = [one for one in mail.addresses("X-Failed-Recipients") if one]
    mentions = list(_mentions(notice.text, knowledge, others))
    if not listed:
        listed = _by_patterns(notice.text, knowledge, others) or _by_place(mentions, _went_to(notice.returned))
    if not listed:
        went_to = [one for one in _went_to(notice.returned) if one not in others]
        listed = went_to if len(went_to) == 1 else _called_by_name(notice.text, went_to) or _in_subject(mail, others)
    wanted = tuple(dict.fromkeys(listed))[:_MAX_RECIPIENTS]
    return tuple(Found(address, _words_beside(notice.text, address, mentions, knowledge)) for address in wanted)


def words_about(address: str, notice: Notice, knowledge: BounceKnowledge) -> str:
    """What the notice says of one recipient in plain words; empty where it does not name it."""
    return _words_beside(notice.text, address, list(_mentions(notice.text, knowledge, frozenset())), knowledge)


def failed_among(mail: Mail, notice: Notice, addresses: Iterable[str]) -> tuple[str, ...]:
    """Those of `addresses` that may be failed recipients at all: no one who is merely named."""
    others = _other_people(mail, notice.returned)
    return tuple(dict.fromkeys(one.lower() for one in addresses if _is_whole(one) and one.lower() not in others))


def _other_people(mail: Mail, returned: Mail | None) -> frozenset[str]:
    """Whose addresses stand in a notice without having failed, unless the returned message was sent to them."""
    names = ("From", "To", "Reply-To", "Sender", "Delivered-To", "X-Original-To", "Envelope-To", "Return-Path", "Cc")
    own = {address for name in names for address in mail.addresses(name)}
    if returned:
        senders = ("From", "Sender", "Reply-To", "Return-Path", "Errors-To", "X-Sender", "Resent-From")
        own |= {address for name in senders for address in returned.addresses(name)}
        own -= set(returned.addresses("To")) if len(returned.addresses("To")) == 1 else set()
    return frozenset(own)


def _went_to(returned: Mail | None) -> tuple[str, ...]:
    """Whom the returned message was sent to: its envelope where a header keeps it, else To."""
    if returned is None:
        return ()
    for name in ("X-Original-To", "Envelope-To", "X-Envelope-To", "X-RCPT-To", "Original-Recipient"):
        if found := returned.addresses(name):
            return found
    return returned.addresses("To") or returned.addresses("Resent-To")


def _called_by_name(text: str, addresses: Iterable[str]) -> list[str]:
    """Those of `addresses` whose local parts stand where notices name users: `550 bob... User unknown`."""
    called = {match[1].lower() for match in _LOCAL_NAME.finditer(text)}
    return [address for address in addresses if address.rpartition("@")[0] in called]


def _in_subject(mail: Mail, others: frozenset[str]) -> list[str]:
    """The address in the subject, if there is just one."""
    matches = _ADDRESS.finditer(mail.header("Subject"))
    found = {_cleaned(match["bracketed"] or match["plain"]) for match in matches} - others
    return list(found) if len(found) == 1 else []


def _by_patterns(text: str, knowledge: BounceKnowledge, others: frozenset[str]) -> list[str]:
    """What the first pattern that finds anybody finds."""
    for rule in knowledge.recipients:
        found = [_cleaned(match["address"]) for match in rule.pattern.finditer(text)]
        if kept := [address for address in found if _is_whole(address) and address not in others]:
            return kept
    return []


def _by_place(mentions: list[_Mention], went_to: tuple[str, ...]) -> list[str]:
    sure = [mention.address for mention in mentions if mention.sure]
    if sure:
        return sure
    seen = list(dict.fromkeys(mention.address for mention in mentions))
    return seen if len(seen) == 1 else [address for address in seen if address in went_to]


def _mentions(text: str, knowledge: BounceKnowledge, others: frozenset[str]) -> Iterator[_Mention]:
    """The addresses in the machine's words that may be failed recipients."""
    for match in _ADDRESS.finditer(text):
        address = _cleaned(match["bracketed"] or match["plain"])
        before = " ".join(text[max(match.start() - _BEFORE, 0) : match.start()].lower().split())
        if (
            not _is_whole(address)
            or address in others
            or _NOT_PEOPLE.match(address)
            or _any(knowledge.bystanders, before)
        ):
            continue
        yield _Mention(address, match.start(), match.end(), _stands_sure(text, match, before, knowledge))


def _stands_sure(text: str, match: re.Match[str], before: str, knowledge: BounceKnowledge) -> bool:
    """Whether the address stands where notices put failed recipients."""
    if _any(knowledge.leads, before):
        return True
    line_start = text.rfind("\n", 0, match.start()) + 1
    line_end = text.find("\n", match.end())
    ahead = text[line_start : match.start()][-200:]
    behind = text[match.end() : line_end if line_end >= 0 else len(text)][:400]
    line = f"{ahead} {behind}"
    if _ALONE.match(ahead) and _AT_START_AFTER.match(behind):
        return True
    if _NOTHING_ELSE.match(_ADDRESS.sub(" ", line)):
        return True
    return bool(find_reply_code(ahead) or find_status(line) or find_reason(plain_words(line), knowledge))


def _any(rules: Iterable[Rule], words: str) -> bool:
    return any(rule.pattern.search(words) for rule in rules)


def _is_whole(address: str) -> bool:
    """Whether it names somebody: some providers put stars in place of the name."""
    return "@" in address and "**" not in address


def _cleaned(address: str) -> str:
    """The address in lower case, without what surrounds it."""
    address = _REPLY_AHEAD.sub("", address.lower(), count=1).strip("'`,;:<>(){} ").rstrip(".")
    address = address.strip("[]") if address.startswith("[") or "[" not in address else address
    return address.removeprefix("mailto:").removeprefix("smtp:").removeprefix("smtp=")


def _words_beside(text: str, address: str, mentions: list[_Mention], knowledge: BounceKnowledge) -> str:
    """What is said of the recipient: its own line where that holds a reply, and the words up to the next recipient."""
    mention = next((one for one in mentions if one.address == address), None)
    if mention is None:
        return ""
    following = (one.start for one in mentions if one.start > mention.end and one.address != address)
    behind = text[mention.end : min(mention.end + _DIAGNOSTIC, *following, len(text))].lstrip(" >:\"'\n\t)]")
    ahead = text[text.rfind("\n", 0, mention.start) + 1 : mention.start]
    told = find_reply_code(ahead) or find_reason(plain_words(ahead), knowledge)
    return " ".join(f"{ahead} {behind}".split() if told else behind.split())[:_DIAGNOSTIC]
