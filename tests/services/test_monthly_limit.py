"""The operator's monthly limit: reserved with each slot, waited for by name, and never overrun (design, law 4)."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from campaigns.models import Campaign, Enrollment
from dispatch.models import Message, MonthlyReservation
from dispatch.services import lanes, lifecycle, monthly_limit, plan, stops, test_send
from dispatch.services.conservation import conservation_of
from dispatch.services.evidence import Resolution, resolve_unknown
from dispatch.services.limits import set_monthly_limit
from dispatch.services.monthly_limit import MonthOverrun, PlanLimitReached
from dispatch.usage import usage_of
from tests.services.desk import Desk, S, message_of
from tests.services.rival import Held, Waiting
from tests.services.usage_ledger import left

TESTER = "tester@own.example"
END_OF_MONTH = datetime(2026, 3, 31, 23, 58, tzinfo=UTC)
NEXT_MONTH = datetime(2026, 4, 1, tzinfo=UTC)


def limit(desk: Desk, sends: int | None) -> None:
    """What the operator says."""
    set_monthly_limit(desk.account.pk, sends, now=desk.now)
    desk.account.refresh_from_db()


def sent(desk: Desk) -> int:
    return usage_of(desk.account.pk, now=desk.now).current.sends


def reservation(desk: Desk) -> MonthlyReservation:
    found: MonthlyReservation = MonthlyReservation.objects.of(desk.account).get()
    return found


def waiting(desk: Desk, campaign: Campaign) -> dict[str, int]:
    account = conservation_of([campaign.pk], now=desk.now)[campaign.pk]
    assert account.balanced, account.as_dict()
    return account.waiting


# -- The planner


def test_without_a_limit_nothing_is_reserved(desk: Desk) -> None:
    desk.released(3)
    desk.send_due()
    assert (sent(desk), MonthlyReservation.everywhere.exists()) == (3, False)


def test_no_more_is_planned_than_the_month_has_left(desk: Desk) -> None:
    campaign = desk.released(5)
    limit(desk, 3)
    assert desk.tick().planned == 3
    assert waiting(desk, campaign) == {"in_flight": 3, "monthly_limit": 2}
    desk.send(*desk.claim())
    for _ in range(3):
        desk.wait(minutes=5)
        assert desk.tick().planned == 0
    assert (sent(desk), waiting(desk, campaign)) == (3, {"monthly_limit": 2})
    assert desk.violations() == []


def test_what_waits_goes_when_the_month_ends(desk: Desk) -> None:
    campaign = desk.released(4)
    limit(desk, 3)
    desk.send_due()
    desk.now = NEXT_MONTH - timedelta(microseconds=1)
    assert desk.tick().planned == 0
    desk.now = NEXT_MONTH
    assert waiting(desk, campaign) == {"due": 1}
    assert len(desk.send_due()) == 1
    assert (sent(desk), reservation(desk).reserved) == (1, 1)
    assert desk.violations() == []


def test_what_waits_goes_when_the_limit_is_raised(desk: Desk) -> None:
    campaign = desk.released(5)
    limit(desk, 2)
    desk.send_due()
    limit(desk, 4)
    assert waiting(desk, campaign) == {"due": 3}
    desk.send_due()
    assert (sent(desk), waiting(desk, campaign)) == (4, {"monthly_limit": 1})
    limit(desk, None)
    desk.send_due()
    assert (sent(desk), MonthlyReservation.everywhere.exists()) == (5, False)


def test_a_limit_of_none_at_all_holds_everything(desk: Desk) -> None:
    campaign = desk.released(2)
    limit(desk, 0)
    assert desk.tick().planned == 0
    assert waiting(desk, campaign) == {"monthly_limit": 2}


def test_later_steps_get_what_is_left_before_new_contacts_do(desk: Desk) -> None:
    campaign = desk.released(1, steps=2)
    desk.send_due()
    desk.enroll(campaign, 2, next_due_at=desk.now)
    limit(desk, 2)
    assert desk.tick().planned == 1
    assert Message.everywhere.filter(state="planned").get().step_position == 2


def test_a_later_step_counts_and_waits_like_the_first(desk: Desk) -> None:
    campaign = desk.released(2, steps=2)
    limit(desk, 3)
    desk.send_due()
    desk.send_due()
    assert (sent(desk), waiting(desk, campaign)) == (3, {"monthly_limit": 1})


def test_a_step_whose_time_has_not_come_waits_for_that(desk: Desk) -> None:
    campaign = desk.released(2, steps=2)
    campaign.steps.filter(position=2).update(delay_minutes=60)
    limit(desk, 2)
    desk.send_due()
    desk.tick()
    assert waiting(desk, campaign) == {"delay": 2}
    desk.wait(hours=2)
    assert waiting(desk, campaign) == {"monthly_limit": 2}


def test_a_paused_campaign_waits_for_its_resume_and_then_for_the_limit(desk: Desk) -> None:
    campaign = desk.released(2)
    desk.tick()
    lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
    limit(desk, 0)
    assert waiting(desk, campaign) == {"paused": 2}
    lifecycle.resume_campaign(desk.account, campaign.pk, now=desk.now)
    assert waiting(desk, campaign) == {"monthly_limit": 2}


def test_whoever_replies_while_waiting_gets_nothing_when_the_month_ends(desk: Desk) -> None:
    campaign = desk.released(2)
    limit(desk, 0)
    desk.tick()
    first = Enrollment.everywhere.filter(campaign=campaign).first()
    assert first is not None
    stops.unsubscribe_contact(first.contact, now=desk.now)
    desk.now = NEXT_MONTH
    limit(desk, 9)
    assert len(desk.send_due()) == 1


def test_the_limit_of_one_account_holds_back_nobody_else(desk: Desk) -> None:
    other = Desk()
    desk.released(3)
    others = other.released(3)
    limit(desk, 1)
    assert desk.tick().planned == 1 + 3
    assert waiting(other, others) == {"in_flight": 3}


def test_several_campaigns_share_their_accounts_limit(desk: Desk) -> None:
    campaigns = [desk.released(3) for _ in range(3)]
    limit(desk, 4)
    assert desk.tick().planned == 4
    assert sum(waiting(desk, campaign).get("monthly_limit", 0) for campaign in campaigns) == 5


# -- What comes back to the limit


@pytest.mark.parametrize("state", [S.REFUSED, S.GAVE_UP, S.QUARANTINED])
def test_what_was_not_sent_is_off_the_count_a_minute_later(desk: Desk, state: S) -> None:
    desk.released(3)
    limit(desk, 2)
    desk.tick()
    lost, gone = desk.claim()
    desk.send(gone)
    desk.settle(lost, state)
    assert desk.tick().planned == 0
    desk.wait(minutes=1)
    assert desk.tick().planned == 1
    desk.send(*desk.claim())
    assert sent(desk) == 2
    assert desk.violations() == []


def test_what_waits_for_a_retry_holds_its_place(desk: Desk) -> None:
    campaign = desk.released(2)
    limit(desk, 1)
    desk.send_due(S.DEFERRED)
    desk.wait(minutes=10)
    assert desk.tick().planned == 0
    assert waiting(desk, campaign) == {"back_off": 1, "monthly_limit": 1}
    desk.wait(minutes=21)
    desk.send(*desk.claim())
    desk.wait(minutes=10)
    assert (desk.tick().planned, sent(desk)) == (0, 1)


def test_what_lost_its_slot_is_reserved_again(desk: Desk) -> None:
    campaign = desk.released(2)
    limit(desk, 2)
    desk.tick()
    lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
    lifecycle.resume_campaign(desk.account, campaign.pk, now=desk.now)
    desk.wait(minutes=2)
    assert (desk.tick().planned, reservation(desk).reserved) == (2, 2)
    assert desk.violations() == []


def test_what_is_unknown_counts_and_an_operators_resend_does_not_count_twice(desk: Desk) -> None:
    desk.released(1)
    limit(desk, 1)
    [claimed] = desk.send_due(S.UNKNOWN)
    assert sent(desk) == 1
    resolve_unknown(claimed.message_id, Resolution.RESEND, actor="olga")
    desk.wait(minutes=2)
    assert len(desk.send_due()) == 1
    assert sent(desk) == 1
    assert desk.violations() == []


# -- The end of a month


def test_what_has_a_slot_at_the_turn_counts_in_the_month_it_leaves_in(desk: Desk) -> None:
    desk.now = END_OF_MONTH - timedelta(minutes=30)
    desk.released(2, steps=2)
    limit(desk, 4)
    desk.send_due()
    Campaign.everywhere.update(min_wait_seconds=180, max_wait_seconds=180)
    desk.now = END_OF_MONTH
    assert desk.tick().planned == 2
    desk.send(*desk.claim())
    assert (sent(desk), reservation(desk).reserved) == (3, 4)
    desk.wait(minutes=3)
    desk.tick()
    desk.send(*desk.claim())
    assert (desk.now.month, sent(desk)) == (4, 1)
    assert desk.violations() == []


def test_what_is_on_its_way_at_the_turn_is_part_of_the_new_month(desk: Desk) -> None:
    desk.now = END_OF_MONTH
    campaign = desk.released(4, credentials=1)
    limit(desk, 2)
    desk.tick()
    first, second = desk.claim()
    desk.send(first, state=S.DEFERRED)
    desk.send(second)
    desk.now = NEXT_MONTH
    assert desk.tick().planned == 1
    assert waiting(desk, campaign) == {"back_off": 1, "in_flight": 1, "monthly_limit": 1}
    assert reservation(desk).reserved == 2


def test_a_clock_that_steps_back_brings_no_month_back(desk: Desk) -> None:
    desk.released(3)
    desk.now = NEXT_MONTH
    limit(desk, 2)
    desk.send_due()
    desk.now = END_OF_MONTH
    assert desk.tick().planned == 0
    assert reservation(desk).month == NEXT_MONTH.date()


# -- Setting it


def test_a_lower_limit_takes_the_latest_slots_back(desk: Desk) -> None:
    campaign = desk.released(4, min_wait_seconds=60, max_wait_seconds=60)
    desk.tick()
    slots = sorted(Message.everywhere.values_list("due_at", flat=True))
    limit(desk, 3)
    limit(desk, 1)
    assert list(Message.everywhere.filter(due_at__isnull=False).values_list("due_at", flat=True)) == slots[:1]
    assert desk.tick().planned == 0
    assert waiting(desk, campaign) == {"in_flight": 1, "monthly_limit": 3}
    assert desk.violations() == []
    limit(desk, 4)
    assert desk.tick().planned == 3
    assert desk.violations() == []


def test_what_is_in_hand_when_a_limit_is_set_still_goes(desk: Desk) -> None:
    desk.released(2)
    desk.tick()
    claims = desk.claim()
    limit(desk, 1)
    desk.send(*claims)
    assert (sent(desk), desk.tick().planned) == (2, 0)


@pytest.mark.django_db(transaction=True)
def test_a_limit_that_is_set_waits_for_the_tick_and_counts_what_it_planned() -> None:
    desk = Desk()
    desk.released(3)
    lanes.add_missing_lanes()
    with Held(lambda: plan._plan_due(desk.now)) as tick:
        setting = Waiting(lambda: set_monthly_limit(desk.account.pk, 5, now=desk.now)).until_it_waits()
        assert tick.commit().planned == 3
        setting.result()
    assert reservation(desk).reserved == 3


# -- Dispatch


def test_a_dispatch_at_the_limit_is_refused_with_the_figures_and_releases_nothing(desk: Desk) -> None:
    campaign = desk.campaign()
    desk.enroll(campaign, 1)
    left(desk.account, desk.now, times=4)
    limit(desk, 4)
    with pytest.raises(PlanLimitReached) as refused:
        lifecycle.release(desk.account, campaign.pk, now=desk.now)
    assert refused.value.details == {"current_period_sends": 4, "monthly_limit": 4}
    assert "2026-04-01" in refused.value.message
    campaign.refresh_from_db()
    assert (campaign.status, campaign.batches.get().released_at) == ("pending", None)


@pytest.mark.parametrize(("sends", "warned"), [(0, False), (1, False), (2, True), (3, True)])
def test_a_dispatch_of_more_than_is_left_is_told_so(desk: Desk, sends: int, warned: bool) -> None:
    campaign = desk.campaign()
    desk.enroll(campaign, 3)
    left(desk.account, desk.now, times=sends)
    limit(desk, 4)
    warnings = lifecycle.release(desk.account, campaign.pk, now=desk.now).warnings
    found = [warning["message"] for warning in warnings if warning["code"] == "monthly_limit_exceeded"]
    assert len(found) == warned
    if warned:
        assert f"{4 - sends} of this month's 4 sends are left" in found[0]


def test_last_months_sends_refuse_nothing(desk: Desk) -> None:
    left(desk.account, datetime(2026, 2, 28, 23, 59, 59, tzinfo=UTC), times=4)
    limit(desk, 4)
    assert desk.released(1).batches.get().released_at == desk.now


def test_a_resume_at_the_limit_goes_through_and_what_it_lets_go_waits(desk: Desk) -> None:
    campaign = desk.released(2)
    lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
    limit(desk, 0)
    assert lifecycle.resume_campaign(desk.account, campaign.pk, now=desk.now).status == "active"
    assert (desk.tick().planned, waiting(desk, campaign)) == (0, {"monthly_limit": 2})


@pytest.mark.django_db(transaction=True)
def test_releases_at_the_same_moment_send_no_more_than_the_limit() -> None:
    desk = Desk()
    limit(desk, 3)
    campaigns = [desk.campaign() for _ in range(3)]
    for campaign in campaigns:
        desk.enroll(campaign, 3)
    releases = [Waiting(lambda campaign=campaign: desk.release(campaign)) for campaign in campaigns]  # type: ignore[misc]
    assert [one.result() for one in releases] == [3, 3, 3]
    for _ in range(3):
        desk.wait(minutes=2)
        desk.send_due()
    assert sent(desk) == 3
    assert sum(waiting(desk, campaign).get("monthly_limit", 0) for campaign in campaigns) == 6
    assert desk.violations() == []


# -- Test sends


def test_a_test_at_the_limit_is_refused_and_queues_nothing(desk: Desk) -> None:
    campaign = desk.campaign(steps=2)
    left(desk.account, desk.now, times=9)
    limit(desk, 10)
    with pytest.raises(PlanLimitReached) as refused:
        test_send.send_test(desk.account, campaign.pk, [TESTER], now=desk.now)
    assert refused.value.details == {"current_period_sends": 9, "monthly_limit": 10}
    assert not Message.everywhere.filter(state="planned").exists()


def test_a_test_goes_to_as_many_addresses_as_fit(desk: Desk) -> None:
    campaign = desk.campaign(steps=2)
    limit(desk, 5)
    result = test_send.send_test(desk.account, campaign.pk, [f"t{n}@own.example" for n in range(4)], now=desk.now)
    assert result.sent == ["t0@own.example", "t1@own.example"]
    assert {refused["reason"] for refused in result.refused} == {"monthly_limit_reached"}
    assert reservation(desk).reserved == 4
    assert desk.violations() == []


def test_a_test_takes_room_from_the_campaigns(desk: Desk) -> None:
    campaign = desk.released(3)
    limit(desk, 2)
    test_send.send_test(desk.account, campaign.pk, [TESTER], now=desk.now)
    assert desk.tick().planned == 1
    desk.send(*desk.claim())
    assert sent(desk) == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first_is_test", [True, False])
def test_a_test_and_a_tick_at_the_same_moment_share_what_is_left(first_is_test: bool) -> None:
    desk = Desk()
    campaign = desk.released(2)
    lanes.add_missing_lanes()
    limit(desk, 1)

    def test() -> int:
        try:
            return len(test_send.send_test(desk.account, campaign.pk, [TESTER], now=desk.now).sent)
        except PlanLimitReached:
            return 0

    def tick() -> int:
        return plan._plan_due(desk.now).planned

    calls: list[Callable[[], int]] = [test, tick] if first_is_test else [tick, test]
    with Held(calls[0]) as first:
        second = Waiting(calls[1]).until_it_waits()
        assert first.commit() == 1
        assert second.result() == 0
    assert desk.violations() == []


# -- The reservation itself


def test_more_than_there_is_room_for_is_never_reserved(desk: Desk) -> None:
    limit(desk, 2)
    monthly_limit.reserve({desk.account.pk: 2})
    with pytest.raises(MonthOverrun):
        monthly_limit.reserve({desk.account.pk: 1})


def test_what_breaks_the_reservation_is_found_by_the_audit(desk: Desk) -> None:
    desk.released(1)
    limit(desk, 5)
    desk.send_due()
    MonthlyReservation.everywhere.update(reserved=0)
    [violation] = desk.violations()
    assert "month's reservation" in violation
    assert str(desk.account.pk) in violation


def test_an_engine_at_its_limit_is_lawful_at_every_moment(desk: Desk) -> None:
    campaigns = [desk.released(8, steps=2, credentials=2) for _ in range(2)]
    limit(desk, 7)
    ends = itertools.cycle([S.ACCEPTED, S.UNKNOWN, S.REFUSED, S.DEFERRED, S.GAVE_UP, S.ACCEPTED, S.ACCEPTED])
    most: dict[int, int] = {}
    for _ in range(40):
        desk.tick()
        for claimed in desk.claim():
            desk.send(claimed, state=next(ends))
            assert desk.violations() == []
        most[desk.now.month] = max(most.get(desk.now.month, 0), sent(desk))
        desk.wait(hours=20, minutes=1)
    assert max(most.values()) == 7
    assert len(most) > 1
    # A second step waits for the first one, which waits for the month.
    reasons = set().union(*(waiting(desk, campaign) for campaign in campaigns))
    assert reasons <= {"back_off", "earlier_step", "monthly_limit", "unknown_grace"}


def test_the_message_that_the_limit_held_is_the_one_that_goes(desk: Desk) -> None:
    desk.released(2, min_wait_seconds=60, max_wait_seconds=60)
    desk.tick()
    held = Message.everywhere.order_by("-due_at").first()
    assert held is not None
    limit(desk, 1)
    desk.send_due()
    limit(desk, 2)
    desk.wait(minutes=5)
    [claimed] = desk.send_due()
    assert (claimed.message_id, message_of(claimed).message_id) == (held.pk, held.message_id)
