"""What the recipients write is what the engine takes it for, and the mails are those of real programs."""

from datetime import timedelta

import pytest

from ampout.sandbox.absences import DAYS_AWAY, WORDINGS
from ampout.sandbox.reactions import Kind, Letter, Reaction, react
from ampout.sandbox.recipients import Behaviour
from dispatch.knowledge import load_knowledge
from dispatch.rules.classify.classifier import classify
from dispatch.rules.classify.verdict import Classification, MailKind
from dispatch.rules.mail.reader import read_mail
from dispatch.rules.triage import looks_like_notice
from tests.sandbox.deliveries import MESSAGE_ID, SENT_AT, make_delivered

PEOPLE = [f"person.{number}" for number in range(24)]
"""As many names as it takes to meet every wording and dialect."""

EXPECTED = {
    Kind.REPLY: MailKind.REPLY,
    Kind.AUTO_REPLY: MailKind.AUTO_REPLY,
    Kind.BOUNCE_HARD: MailKind.BOUNCE,
    Kind.BOUNCE_SOFT: MailKind.BOUNCE,
    Kind.DELAY: MailKind.DELAY,
    Kind.COMPLAINT: MailKind.FEEDBACK,
    Kind.UNSUBSCRIBE: MailKind.UNSUBSCRIBE,
}
THREAD = ("<one@x>", "<two@x>")
WRITERS = [
    behaviour for behaviour in Behaviour if behaviour.value.startswith(("reply", "remove", "ooo-", "dsn-", "complain"))
]


def letters(behaviour: Behaviour) -> list[tuple[Reaction, bytes]]:
    thread = THREAD if behaviour is Behaviour.OOO_LATER else ()
    reactions = [one for name in PEOPLE for one in react(behaviour, make_delivered(behaviour, thread, name))]
    return [(one, one.act.raw) for one in reactions if isinstance(one.act, Letter)]


def judge(raw: bytes) -> Classification:
    return classify(read_mail(raw), load_knowledge(), received_on=SENT_AT.date(), refers_to_us=True)


@pytest.mark.parametrize("behaviour", WRITERS)
def test_what_is_written_counts_as_what_it_is_meant_as(behaviour: Behaviour) -> None:
    for reaction, raw in letters(behaviour):
        verdict = judge(raw)
        assert verdict.kind is EXPECTED[reaction.kind], raw.decode()
        assert MESSAGE_ID in verdict.original_message_ids


@pytest.mark.parametrize("behaviour", [one for one in WRITERS if one.value.startswith("dsn-")])
def test_a_notice_names_its_recipient_and_whether_the_address_is_bad(behaviour: Behaviour) -> None:
    for name, (reaction, raw) in zip(PEOPLE, letters(behaviour), strict=True):
        [recipient] = judge(raw).recipients
        assert recipient.address == f"{name}+{behaviour}@sandbox-b.test"
        assert recipient.hard is (reaction.kind is Kind.BOUNCE_HARD)
        assert looks_like_notice(read_mail(raw))


@pytest.mark.parametrize("language", WORDINGS)
def test_an_absence_is_known_by_its_language(language: str) -> None:
    assert {judge(raw).language for _, raw in letters(Behaviour(f"ooo-{language}"))} == {language}


@pytest.mark.parametrize("behaviour", [Behaviour.OOO_DATE, Behaviour.OOO_LATER])
def test_days_of_return_are_read_in_every_language(behaviour: Behaviour) -> None:
    today, dates = SENT_AT.date(), [judge(raw).return_date for _, raw in letters(behaviour)]
    assert {day is not None and DAYS_AWAY[0] <= (day - today) / timedelta(days=1) <= DAYS_AWAY[1] for day in dates} == {
        True
    }


def test_an_answer_is_read_without_what_it_quotes() -> None:
    for behaviour in (Behaviour.REPLY, Behaviour.REPLY_HTML, Behaviour.REMOVE):
        for _, raw in letters(behaviour):
            said = judge(raw).reply_text or ""
            assert said
            assert "we have a guide" not in said
