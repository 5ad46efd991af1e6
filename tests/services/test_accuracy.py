"""The classifier reaches its figures on mail that nobody here wrote; docs/explanation/accuracy.md says how it does."""

from collections import Counter

import pytest

from dispatch.rules.classify.verdict import MailKind
from tests.corpus.labels import MAILS, read_labels
from tests.corpus.scoring import Score, render, score, stated

FEWEST_MAILS = 300
LARGEST_BYTES = 30_000
FEWEST = {
    MailKind.BOUNCE: 180,
    MailKind.DELAY: 40,
    MailKind.AUTO_REPLY: 70,
    MailKind.REPLY: 40,
    MailKind.FEEDBACK: 10,
    MailKind.UNSUBSCRIBE: 8,
}


@pytest.fixture(scope="module")
def scored() -> Score:
    result = score()
    print("\n".join(["", *result.misses()]))
    return result


# The corpus


def test_there_are_enough_mails_of_each_kind() -> None:
    counts = Counter(label.kind for label in read_labels())
    assert sum(counts.values()) >= FEWEST_MAILS
    assert {kind: counts[kind] for kind in FEWEST if counts[kind] < FEWEST[kind]} == {}


def test_absences_are_in_many_languages() -> None:
    assert len({label.language for label in read_labels() if label.kind == MailKind.AUTO_REPLY}) >= 15


def test_every_mail_has_a_label_and_every_label_a_mail() -> None:
    labelled = [label.path for label in read_labels()]
    assert sorted(labelled) == sorted(str(path.relative_to(MAILS)) for path in MAILS.rglob("*.eml"))


def test_every_label_names_its_source_and_no_mail_is_huge() -> None:
    for label in read_labels():
        assert label.source
        assert len(label.content) < LARGEST_BYTES, label.path


# The figures that are promised


def test_recipients_of_bounces_are_found(scored: Score) -> None:
    assert scored.recipient_recall >= 0.95
    assert scored.recipient_precision >= 0.97


def test_hard_and_soft_are_told_apart(scored: Score) -> None:
    assert scored.hardness >= 0.90


def test_no_delay_counts_as_a_bounce(scored: Score) -> None:
    assert scored.delays_as_bounces == 0


def test_automatic_replies_are_found(scored: Score) -> None:
    assert scored.auto_reply_recall >= 0.95


def test_no_reply_of_a_person_is_lost(scored: Score) -> None:
    assert scored.replies_lost == 0


def test_no_bounce_becomes_a_reply(scored: Score) -> None:
    people = (MailKind.REPLY, MailKind.UNSUBSCRIBE)
    assert [one.label.path for one in scored.of(MailKind.BOUNCE) if one.verdict.kind in people] == []


def test_the_page_says_how_it_does(scored: Score) -> None:
    assert stated() == render(scored)
