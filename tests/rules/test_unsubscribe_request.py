"""Requests to be left alone: in people's own words only, and never where they go on talking."""

import pytest

from dispatch.rules.classify.verdict import MailKind
from tests.rules.mails import ANSWERS_US, QUOTED, judged, mail
from tests.rules.reply_samples import UNSUBSCRIBES

REQUESTS = [(language, text) for language, texts in UNSUBSCRIBES.items() for text in texts]


@pytest.mark.parametrize(("language", "text"), REQUESTS)
@pytest.mark.parametrize("quoted", ["", QUOTED])
def test_a_request_is_understood(language: str, text: str, quoted: str) -> None:
    found = judged(mail("Re: Your offer", text + quoted, ANSWERS_US))
    assert (found.kind, found.reply_text) == (MailKind.UNSUBSCRIBE, text)
    assert found.evidence[0].startswith("Text, unsubscribe: ")


@pytest.mark.parametrize(
    "subject", ["unsubscribe", "Unsubscribe me", "REMOVE", "Abmelden", "Désinscription", "Re: unsubscribe"]
)
@pytest.mark.parametrize("body", ["", "Thanks\nAnn", "Sent from my iPhone"])
def test_a_subject_that_is_nothing_else_is_a_request(subject: str, body: str) -> None:
    assert judged(mail(subject, body)).kind is MailKind.UNSUBSCRIBE


@pytest.mark.parametrize(
    "text",
    [
        "I was going to unsubscribe but tell me more",
        "Please don't remove me from the list, I like your mails",
        "Before you remove me from your list: what does it cost?",
        "How do you handle people who ask to unsubscribe me from this?",
        "unsubscribe rates are the metric we care about. What do your customers see?",
        "Please remove me from cc and write to Bob only.",
        "We stop sending offers on Friday.",
        "Nicht austragen, bitte!",
        "Do not stop emailing me, I am interested.",
        "Great, thanks!" + QUOTED,
        "Your mail has a link to unsubscribe. Good.",
        'Acked.\n--\nTo unsubscribe from this list: send the line "unsubscribe talk" to us@example.org',
        "Stop by our booth at the fair!",
        "STOP the press, this is great! Call me.",
        "Please take me through the pricing.",
        "Remove the second item from the list and send a new quote.",
        "I'd like to opt out of the trial but keep the plan.",
        "Do not send the contract to me again, send it to Bob.",
        "Nehmen Sie mich bitte in Ihren Verteiler auf.",
        "Merci de me retirer de la réunion de lundi.",
        "Por favor, elimine mi segundo nombre de la factura.",
        "Удалите, пожалуйста, второй пункт из договора.",
    ],
)
def test_what_only_speaks_of_it_is_a_reply(text: str) -> None:
    assert judged(mail("Re: Your offer", text, ANSWERS_US)).kind is MailKind.REPLY


def test_a_long_mail_is_a_reply() -> None:
    text = "We have looked at your offer in detail. " * 40 + "Please remove me from your list."
    assert judged(mail("Re: Your offer", text, ANSWERS_US)).kind is MailKind.REPLY


def test_a_subject_of_ours_makes_no_request() -> None:
    assert (
        judged(mail("Re: Why people unsubscribe from lists", "Interesting, call me.", ANSWERS_US)).kind
        is MailKind.REPLY
    )
