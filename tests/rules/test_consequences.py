"""What follows from a notice: one table, and the day that somebody comes back."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.classify.verdict import MailKind
from dispatch.rules.consequences import KIND_OF_EVENT, LONGEST_ABSENCE, Effect, decide_effect, wait_until
from dispatch.rules.matching import MatchedBy
from dispatch.rules.provider_event import ProviderEventKind

B, E = MatchedBy, Effect
NOON = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
TODAY = NOON.date()


def effect(kind: MailKind | None, *, hard: bool = False, by: MatchedBy = B.MESSAGE_ID, **facts: bool) -> Effect:
    return decide_effect(kind, hard=hard, matched_by=by, **({"exact": True} | facts))


@pytest.mark.parametrize(
    ("kind", "follows"),
    [
        (MailKind.DELAY, E.NOTHING),
        (MailKind.MACHINE, E.NOTHING),
        (MailKind.FEEDBACK, E.COMPLAINT),
        (MailKind.AUTO_REPLY, E.WAIT),
        (MailKind.UNSUBSCRIBE, E.UNSUBSCRIBE),
        (MailKind.REPLY, E.REPLY),
        (MailKind.BOUNCE, E.SOFT_BOUNCE),
        (None, E.NOTHING),
    ],
)
def test_each_kind_has_its_effect(kind: MailKind | None, follows: Effect) -> None:
    assert effect(kind) == follows


@pytest.mark.parametrize("by", B)
def test_an_address_that_is_no_good_is_a_hard_bounce_however_it_was_matched(by: MatchedBy) -> None:
    assert effect(MailKind.BOUNCE, hard=True, by=by) == E.HARD_BOUNCE
    assert effect(MailKind.BOUNCE, hard=True, by=by, names_others=True) == E.HARD_BOUNCE


@pytest.mark.parametrize("by", B)
def test_an_address_behind_ours_never_suppresses_ours(by: MatchedBy) -> None:
    assert effect(MailKind.BOUNCE, hard=True, by=by, exact=False) == E.SOFT_BOUNCE


def test_what_became_of_somebody_elses_mail_stops_nothing() -> None:
    assert effect(MailKind.BOUNCE, by=B.RECIPIENT, names_others=True) == E.NOTHING
    assert effect(MailKind.BOUNCE, by=B.RECIPIENT) == E.SOFT_BOUNCE
    assert effect(MailKind.BOUNCE, by=B.MESSAGE_ID, names_others=True) == E.SOFT_BOUNCE


@given(st.sampled_from(sorted(MailKind)), st.booleans(), st.booleans(), st.sampled_from(sorted(B)), st.booleans())
def test_nothing_but_a_bounce_or_complaint_is_held_against_an_address(
    kind: MailKind, hard: bool, exact: bool, by: MatchedBy, others: bool
) -> None:
    follows = decide_effect(kind, hard=hard, exact=exact, matched_by=by, names_others=others)
    if follows is E.HARD_BOUNCE:
        assert kind is MailKind.BOUNCE
        assert hard
        assert exact
    assert (follows is E.COMPLAINT) == (kind is MailKind.FEEDBACK)


def test_every_event_of_a_provider_has_a_name_among_the_mails() -> None:
    assert set(KIND_OF_EVENT) == set(ProviderEventKind)
    assert KIND_OF_EVENT[ProviderEventKind.DELAY] is MailKind.DELAY


# -- Somebody is away


def test_a_step_goes_on_the_day_after_the_return_at_its_own_time() -> None:
    assert wait_until(NOON, TODAY + timedelta(days=7), TODAY) == NOON + timedelta(days=8)


def test_somebody_who_is_back_today_is_written_to_tomorrow() -> None:
    assert wait_until(NOON, TODAY, TODAY) == NOON + timedelta(days=1)


@pytest.mark.parametrize(
    "return_date",
    [None, TODAY - timedelta(days=1), date(1970, 1, 1), TODAY + LONGEST_ABSENCE + timedelta(days=1), date.max],
)
def test_no_day_or_an_odd_one_changes_nothing(return_date: date | None) -> None:
    assert wait_until(NOON, return_date, TODAY) is None


def test_a_step_that_is_due_later_anyway_keeps_its_time() -> None:
    assert wait_until(NOON + timedelta(days=9), TODAY + timedelta(days=7), TODAY) is None


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001  # bounds
    st.one_of(st.none(), st.dates()),
    st.dates(date(2026, 1, 1), date(2027, 12, 31)),
)
def test_nothing_ever_goes_earlier(due_at: datetime, return_date: date | None, heard_on: date) -> None:
    until = wait_until(due_at, return_date, heard_on)
    if until is not None:
        assert until > due_at
        assert return_date is not None
        assert (until.date() - return_date).days == 1
        assert until.timetz() == due_at.timetz()
        assert until.date() - heard_on <= LONGEST_ABSENCE + timedelta(days=1)
