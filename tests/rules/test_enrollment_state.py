"""How an enrollment rises, stops and is counted (design: States, Bounce rate; contract: Campaigns)."""

from dataclasses import replace
from fractions import Fraction
from itertools import permutations, product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from campaigns.rules.enrollment_state import (
    RANK,
    STATUS_OF_STOP,
    EnrollmentStatus,
    FactGroup,
    Funnel,
    Rates,
    StopReason,
    WaitReason,
    bounce_rate,
    funnel,
    percent,
    rates,
    risen,
    stopped,
    totals,
)

S = EnrollmentStatus
statuses = st.sampled_from(EnrollmentStatus)
counts = st.integers(0, 10**9)
fact_groups = st.builds(
    FactGroup,
    count=st.integers(0, 10**6),
    sent=st.booleans(),
    opened=st.booleans(),
    replied=st.booleans(),
    bounced=st.booleans(),
    unsubscribed=st.booleans(),
)


# Status


def test_the_statuses_are_the_contracts_in_order_of_rank() -> None:
    words = ["pending", "sent", "opened", "replied", "bounced", "unsubscribed"]
    assert [status.value for status in sorted(EnrollmentStatus, key=RANK.__getitem__)] == words


def test_ranks_are_distinct_and_complete() -> None:
    assert sorted(RANK.values()) == list(range(len(EnrollmentStatus)))


@pytest.mark.parametrize(("current", "fact"), list(product(EnrollmentStatus, EnrollmentStatus)))
def test_a_fact_raises_the_status_only_when_it_ranks_higher(current: S, fact: S) -> None:
    order = list(EnrollmentStatus)
    expected = fact if order.index(fact) > order.index(current) else current
    assert risen(current, fact) is expected


@pytest.mark.parametrize(
    ("current", "fact", "after"),
    [
        (S.REPLIED, S.OPENED, S.REPLIED),
        (S.BOUNCED, S.SENT, S.BOUNCED),
        (S.SENT, S.OPENED, S.OPENED),
        (S.PENDING, S.BOUNCED, S.BOUNCED),
        (S.REPLIED, S.UNSUBSCRIBED, S.UNSUBSCRIBED),
        (S.UNSUBSCRIBED, S.REPLIED, S.UNSUBSCRIBED),
        (S.BOUNCED, S.UNSUBSCRIBED, S.UNSUBSCRIBED),
    ],
)
def test_examples_of_rising(current: S, fact: S, after: S) -> None:
    assert risen(current, fact) is after


@given(statuses, statuses)
def test_a_status_never_sinks(current: S, fact: S) -> None:
    after = risen(current, fact)
    assert RANK[after] >= RANK[current]
    assert after in (current, fact)


@given(statuses, statuses)
def test_a_repeated_fact_changes_nothing_more(current: S, fact: S) -> None:
    once = risen(current, fact)
    assert risen(once, fact) is once


@given(st.lists(statuses, min_size=1, max_size=5))
def test_the_order_in_which_facts_arrive_does_not_matter(facts: list[S]) -> None:
    results = set()
    for order in permutations(facts):
        status = S.PENDING
        for fact in order:
            status = risen(status, fact)
        results.add(status)
    assert results == {max(facts, key=RANK.__getitem__)}


# Stop


@pytest.mark.parametrize(
    ("reason", "after"),
    [
        (StopReason.REPLIED, S.REPLIED),
        (StopReason.REPLIED_ELSEWHERE, S.SENT),
        (StopReason.BOUNCED, S.BOUNCED),
        (StopReason.UNSUBSCRIBED, S.UNSUBSCRIBED),
        (StopReason.COMPLAINED, S.UNSUBSCRIBED),
        (StopReason.SUPPRESSED, S.SENT),
        (StopReason.MX_ABSENT, S.BOUNCED),
        (StopReason.GAVE_UP, S.BOUNCED),
        (StopReason.REFUSED, S.BOUNCED),
        (StopReason.QUARANTINED, S.SENT),
        (StopReason.OWNER_DELETED, S.SENT),
    ],
)
def test_what_each_stop_makes_of_an_enrollment_that_was_sent_to(reason: StopReason, after: S) -> None:
    assert stopped(S.SENT, reason) is after


def test_every_stop_has_a_row() -> None:
    assert set(STATUS_OF_STOP) == set(StopReason)


@given(statuses, st.sampled_from(StopReason))
def test_a_stop_never_lowers_a_status(current: S, reason: StopReason) -> None:
    assert RANK[stopped(current, reason)] >= RANK[current]


@given(st.sampled_from(StopReason), st.sampled_from(StopReason))
def test_two_stops_end_the_same_in_either_order(one: StopReason, other: StopReason) -> None:
    assert stopped(stopped(S.SENT, one), other) is stopped(stopped(S.SENT, other), one)


def test_no_stop_pretends_that_something_was_sent_or_opened() -> None:
    assert not {S.PENDING, S.SENT, S.OPENED} & set(STATUS_OF_STOP.values())


def test_stop_and_wait_reasons_fit_their_column() -> None:
    assert all(len(reason) <= 24 for reason in [*StopReason, *WaitReason])


def test_a_reason_is_either_to_stop_or_to_wait() -> None:
    assert not {reason.value for reason in StopReason} & {reason.value for reason in WaitReason}


# Totals


def test_totals_name_every_status_and_fill_in_zeros() -> None:
    assert totals({S.SENT: 3, S.BOUNCED: 1}) == {
        "pending": 0,
        "sent": 3,
        "opened": 0,
        "replied": 0,
        "bounced": 1,
        "unsubscribed": 0,
    }


def test_totals_of_nothing_are_all_zero() -> None:
    assert set(totals({}).values()) == {0}


@given(st.dictionaries(statuses, counts))
def test_totals_add_up_to_the_enrollments(by_status: dict[S, int]) -> None:
    assert sum(totals(by_status).values()) == sum(by_status.values())


@given(st.dictionaries(statuses, counts))
def test_totals_come_in_order_of_rank(by_status: dict[S, int]) -> None:
    assert list(totals(by_status)) == [status.value for status in EnrollmentStatus]


# Funnel


def test_an_empty_campaign_has_an_empty_funnel() -> None:
    assert funnel([]) == Funnel(0, 0, 0, 0, 0, 0)


def test_the_funnel_counts_each_stage_with_all_later_ones() -> None:
    groups = [
        FactGroup(10),
        FactGroup(5, sent=True),
        FactGroup(3, sent=True, opened=True),
        FactGroup(2, sent=True, opened=True, replied=True),
    ]
    assert funnel(groups) == Funnel(enrolled=20, sent=10, opened=5, replied=2, bounced=0, unsubscribed=0)


def test_who_replied_without_loading_an_image_counts_as_opened() -> None:
    assert funnel([FactGroup(1, sent=True, replied=True)]).opened == 1


def test_who_bounced_after_a_reply_stays_in_every_stage_reached() -> None:
    group = FactGroup(1, sent=True, opened=True, replied=True, bounced=True, unsubscribed=True)
    assert funnel([group]) == Funnel(1, 1, 1, 1, 1, 1)


def test_who_bounced_before_any_connection_was_not_sent_to() -> None:
    assert funnel([FactGroup(4, bounced=True)]) == Funnel(4, 0, 0, 0, bounced=4, unsubscribed=0)


@given(st.lists(fact_groups, max_size=20))
def test_each_stage_of_the_funnel_holds_the_next(groups: list[FactGroup]) -> None:
    result = funnel(groups)
    assert result.enrolled >= result.sent >= result.opened >= result.replied >= 0
    assert max(result.bounced, result.unsubscribed) <= result.enrolled


@given(st.lists(fact_groups, max_size=10), st.lists(fact_groups, max_size=10))
def test_the_funnel_of_two_batches_is_the_sum_of_theirs(one: list[FactGroup], other: list[FactGroup]) -> None:
    whole, left, right = funnel(one + other), funnel(one), funnel(other)
    assert whole.enrolled == left.enrolled + right.enrolled
    assert whole.sent == left.sent + right.sent
    assert whole.opened == left.opened + right.opened
    assert whole.replied == left.replied + right.replied
    assert whole.bounced == left.bounced + right.bounced
    assert whole.unsubscribed == left.unsubscribed + right.unsubscribed


@given(st.lists(fact_groups, min_size=1, max_size=10), st.sampled_from(["sent", "opened", "replied"]))
def test_a_new_fact_never_makes_a_stage_smaller(groups: list[FactGroup], fact: str) -> None:
    before = funnel(groups)
    after = funnel([replace(groups[0], **{fact: True}), *groups[1:]])
    assert after.sent >= before.sent
    assert after.opened >= before.opened
    assert after.replied >= before.replied


# Percentages


@pytest.mark.parametrize(
    ("part", "whole", "result"),
    [
        (0, 0, 0.0),
        (0, 7, 0.0),
        (7, 7, 100.0),
        (1, 3, 33.33),
        (2, 3, 66.67),
        (1, 8, 12.5),
        (1, 800, 0.13),
        (3, 800, 0.38),
        (1, 100_000, 0.0),
        (1, 20_000, 0.01),
        (99_999, 100_000, 100.0),
    ],
)
def test_percent_is_rounded_half_up_to_two_places(part: int, whole: int, result: float) -> None:
    assert percent(part, whole) == result


@given(counts, st.integers(1, 10**9))
@example(10**9, 10**9)
def test_percent_is_within_half_a_hundredth_of_the_truth(part: int, whole: int) -> None:
    part = min(part, whole)
    result = Fraction(str(percent(part, whole)))
    assert abs(result - Fraction(100 * part, whole)) <= Fraction(1, 200)
    assert 0 <= result <= 100


@given(st.integers(1, 10**9), counts, counts)
def test_a_larger_part_is_never_a_smaller_percentage(whole: int, one: int, other: int) -> None:
    assert percent(min(one, other), whole) <= percent(max(one, other), whole)


# Rates


def test_the_bounce_rate_counts_what_a_server_answered_or_may_have_taken() -> None:
    assert bounce_rate(accepted=90, unknown=2, refused=8, bounced=5) == 5.0


def test_refusals_for_content_make_the_base_larger_not_the_bounces() -> None:
    assert bounce_rate(accepted=98, unknown=0, refused=2, bounced=0) == 0.0


def test_a_bounce_that_comes_back_after_acceptance_counts_once() -> None:
    assert bounce_rate(accepted=20, unknown=0, refused=0, bounced=1) == 5.0


def test_nothing_sent_is_no_bounce_rate() -> None:
    assert bounce_rate(accepted=0, unknown=0, refused=0, bounced=0) == 0.0


@given(counts, counts, counts, counts)
def test_a_bounce_rate_lies_between_none_and_all(accepted: int, unknown: int, refused: int, bounced: int) -> None:
    bounced = min(bounced, accepted + unknown + refused)
    assert 0.0 <= bounce_rate(accepted=accepted, unknown=unknown, refused=refused, bounced=bounced) <= 100.0


@given(counts, counts, st.integers(0, 10**6))
def test_it_does_not_matter_which_of_the_three_ends_a_message_had(base: int, bounced: int, moved: int) -> None:
    bounced, moved = min(bounced, base), min(moved, base)
    all_accepted = bounce_rate(accepted=base, unknown=0, refused=0, bounced=bounced)
    some_unknown = bounce_rate(accepted=base - moved, unknown=moved, refused=0, bounced=bounced)
    some_refused = bounce_rate(accepted=base - moved, unknown=0, refused=moved, bounced=bounced)
    assert all_accepted == some_unknown == some_refused


def test_rates_are_shares_of_those_sent_to() -> None:
    assert rates(sent=200, opened=50, replied=3, bounce_rate=4.0) == Rates(
        bounce_rate=4.0,
        open_rate=25.0,
        reply_rate=1.5,
    )


def test_rates_of_a_campaign_that_sent_nothing_are_zero() -> None:
    assert rates(sent=0, opened=0, replied=0, bounce_rate=0.0) == Rates(0.0, 0.0, 0.0)
