"""Does a person ask not to be written to?

1. Only the new text counts: the footer that we wrote ourselves, quoted, has the same words.
2. The text is short, and asks within its first lines; or the subject is nothing but the request and the text adds
   little.
3. Words that turn the request around (`before I unsubscribe`, `don't remove me`) or go on with the conversation
   (`tell me more`) make it a reply. In doubt it is one: a person reads replies.
"""

import re

from dispatch.rules.classify.auto_reply_knowledge import AutoReplyKnowledge, Sign
from dispatch.rules.classify.folding import fold
from dispatch.rules.classify.reply_text import NewText
from dispatch.rules.classify.signs import FoundSign, find_signs, shorten
from dispatch.rules.classify.subject import Subject

_LONGEST = 1_200
"""Characters of new text, a signature included, that a request has at most."""
_WITHIN = 400
"""Characters in which it begins."""
_BARE, _BARE_WITHIN = 24, 80
"""A request of one bare word, in characters, and where it begins: what comes later is the link in somebody's footer."""
_ADDS_LITTLE = 200

_TURNED = re.compile(
    r"(?<!want )(?<!wish )(?<!like )(?<!need )(?<!ask )(?<!have )\bto $"
    r"|\b(?:not|don't|didn't|won't|doesn't|can't|dont|never|without|before|instead of|rather than|almost|nearly"
    r"|going to|about to|gonna|tempted to|was to|were to|people|users|customers|who|that|they|if you|unless"
    r"|nicht|ohne|bevor|statt|anstatt|fast|wollte|sonst|ne pas|sans|avant de|au lieu de|sin|antes de|en vez de"
    r"|senza|prima di|invece di|sem|voordat|zonder|bijna|in plaats van|innan|uden|uten|przed|bez|zamiast|nim) ?"
    r"(?:to |i |you |we |me |ich |sie )?(?:please |just |simply |have to |must |will |would |could |can )?$"
)
"""Words right before a request that make it none."""
_CONVERSATION = re.compile(
    r"(?:call|ring) me|keep me (?:posted|updated|informed)|but keep|this is great"
    r"|tell (?:me|us) more|how do you (?!unsub|opt)"
    r"|let's (?:talk|chat|speak|meet|discuss)|sounds (?:good|great|interesting)"
    r"|(?:am|'m|are|'re|be) interested|happy to (?:talk|chat|discuss|meet)"
    r"|send me (?:more|the|your) (?:info|details|deck|pricing|proposal)"
    r"|(?:from|off) (?:the |this )?(?:cc|thread|meeting|invite|call|attendees|guest list|calendar)\b"
    r"|teilnehmerliste|gasteliste|liste des (?:participants|invites)|lista (?:de|dei) (?:asistentes|parti?cipant[ei]s?)"
    r"|^stop[!,.]? (?:before|wait|right|hold)|(?:invoices?|brochure|catalogue?|parcel)\b.{0,20}(?:by post|enough)"
    r"|mehr (?:dazu|erfahren)|klingt (?:gut|interessant)|en savoir plus|cuenteme|dime mas|mi interessa|saber mais"
)
"""Words of one who wants to go on talking, or to be left out of something else."""


def find_unsubscribe_request(new: NewText, subject: Subject, knowledge: AutoReplyKnowledge) -> FoundSign | None:
    """The words of the request; None when there is none."""
    folded = fold(new.text)
    if len(new.text) > _LONGEST or _CONVERSATION.search(folded):
        return None
    found = find_signs(folded, knowledge, (Sign.UNSUBSCRIBE,)).get(Sign.UNSUBSCRIBE)
    if (
        found is not None
        and found.start <= (_WITHIN if len(found.words) > _BARE else _BARE_WITHIN)
        and not _TURNED.search(folded[max(0, found.start - 40) : found.start])
    ):
        return found
    return _in_subject(folded, subject, knowledge)


def _in_subject(folded: str, subject: Subject, knowledge: AutoReplyKnowledge) -> FoundSign | None:
    """The request as the whole of a subject of the person's own, or one that our unsubscribe link suggested."""
    if len(folded) > _ADDS_LITTLE:
        return None
    found = find_signs(subject.bare, knowledge, (Sign.UNSUBSCRIBE,)).get(Sign.UNSUBSCRIBE)
    is_whole = found is not None and len(found.words) >= len(subject.bare.strip(" .!?")) - 12
    if found is None or not is_whole or found.start > 0:
        return None
    return FoundSign(found.sign, found.language, f"subject {shorten(subject.text)}", 0)
