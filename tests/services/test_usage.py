"""What an account sent, month by month: which messages count, when a month begins and ends, what closing it keeps."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from ampout.accounts.models import Account, MonthlyUsage
from ampout.accounts.rules.keys import ClientKind
from ampout.lib import sql
from dispatch.models import Message, UsageTally
from dispatch.rules.message_state import MessageState
from dispatch.services import close_months, deletion, lifecycle, test_send
from dispatch.services.tallies import differences, fold_tallies
from dispatch.usage import sends_in_month, usage_of
from tests import factories
from tests.services.desk import Desk, S, message_of
from tests.services.rival import Held, Waiting
from tests.services.usage_ledger import left, many_left

MICROSECOND = timedelta(microseconds=1)
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def sends(account: Account, now: datetime = NOW) -> dict[str, int]:
    """The months with sends, by their names."""
    found = usage_of(account.pk, now=now)
    return {f"{month.month:%Y-%m}": month.sends for month in [found.current, *found.history] if month.sends}


def by_kind(account: Account, now: datetime = NOW) -> dict[str, int]:
    return dict(usage_of(account.pk, now=now).current.by_client_kind)


# -- What counts


@pytest.mark.parametrize("state", MessageState)
def test_what_was_accepted_counts_and_what_is_unknown_does(account: Account, state: MessageState) -> None:
    left(account, NOW, state=state.value)
    counts = state in {MessageState.ACCEPTED, MessageState.UNKNOWN}
    assert sends(account) == ({"2026-11": 1} if counts else {})


def test_every_step_and_every_test_counts_once(desk: Desk) -> None:
    campaign = desk.released(1, steps=2)
    test_send.send_test(desk.account, campaign.pk, ["tester@own.example"], now=desk.now)
    desk.send_due()
    assert usage_of(desk.account.pk, now=desk.now).current.sends == 3
    desk.send_due()
    assert usage_of(desk.account.pk, now=desk.now).current.sends == 4


def test_what_came_back_later_was_sent_all_the_same(desk: Desk) -> None:
    desk.released(1)
    [claimed] = desk.send_due()
    Message.everywhere.filter(pk=claimed.message_id).update(bounced_at=desk.now, bounce_kind="hard")
    assert usage_of(desk.account.pk, now=desk.now).current.sends == 1


def test_another_accounts_sends_are_not_ours(account: Account, other_account: Account) -> None:
    left(other_account, NOW, times=3)
    MonthlyUsage.objects.create(account=other_account, month=date(2026, 10, 1), sends=5)
    assert sends(account) == {}
    assert sends(other_account) == {"2026-11": 3, "2026-10": 5}


# -- Months


@pytest.mark.parametrize(
    ("at", "month"),
    [
        (NOVEMBER - MICROSECOND, "2026-10"),
        (NOVEMBER, "2026-11"),
        (DECEMBER - MICROSECOND, "2026-11"),
        (datetime(2025, 11, 1, tzinfo=UTC), "2025-11"),
    ],
)
def test_a_month_begins_and_ends_at_midnight_utc(account: Account, at: datetime, month: str) -> None:
    left(account, at)
    assert sends(account) == {month: 1}


@pytest.mark.parametrize("at", [datetime(2025, 11, 1, tzinfo=UTC) - MICROSECOND, DECEMBER])
def test_what_lies_further_back_and_what_lies_ahead_is_not_shown(account: Account, at: datetime) -> None:
    left(account, at)
    assert sends(account) == {}


def test_the_history_is_the_twelve_months_before_newest_first(account: Account) -> None:
    found = usage_of(account.pk, now=datetime(2026, 3, 31, 23, 59, tzinfo=UTC))
    assert found.current.month == date(2026, 3, 1)
    months = [f"{month.month:%Y-%m}" for month in found.history]
    assert (months[0], months[1], months[2], months[-1], len(months)) == (
        "2026-02",
        "2026-01",
        "2025-12",
        "2025-03",
        12,
    )


def test_the_running_month_is_told_by_its_moments(account: Account) -> None:
    current = usage_of(account.pk, now=datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)).current
    assert (current.start, current.end) == (DECEMBER, datetime(2027, 1, 1, tzinfo=UTC))


# -- The kind of key


@pytest.mark.parametrize("kind", ClientKind)
def test_a_send_counts_under_the_key_that_released_its_batch(desk: Desk, kind: ClientKind) -> None:
    campaign = desk.campaign(steps=2)
    desk.enroll(campaign, 1)
    lifecycle.release(desk.account, campaign.pk, client_kind=kind, now=desk.now)
    desk.send_due()
    desk.send_due()
    assert by_kind(desk.account, desk.now) == {"direct": 0, "mcp": 0, "sdk": 0} | {kind.value: 2}


def test_who_releases_a_batch_again_does_not_change_that(desk: Desk) -> None:
    campaign = desk.campaign()
    desk.enroll(campaign, 1, batch_number=1)
    desk.enroll(campaign, 1, batch_number=2)
    lifecycle.release(desk.account, campaign.pk, 1, client_kind=ClientKind.SDK, now=desk.now)
    lifecycle.release(desk.account, campaign.pk, client_kind=ClientKind.MCP, now=desk.now)
    desk.send_due()
    assert by_kind(desk.account, desk.now) == {"direct": 0, "mcp": 1, "sdk": 1}


def test_what_is_added_to_a_released_batch_counts_under_its_key(desk: Desk) -> None:
    campaign = desk.campaign()
    desk.enroll(campaign, 1)
    lifecycle.release(desk.account, campaign.pk, client_kind=ClientKind.SDK, now=desk.now)
    desk.send_due()
    desk.enroll(campaign, 1, next_due_at=desk.now)
    desk.send_due()
    assert by_kind(desk.account, desk.now) == {"direct": 0, "mcp": 0, "sdk": 2}


def test_a_test_counts_under_the_key_that_sent_it(desk: Desk) -> None:
    campaign = desk.campaign()
    emails = ["tester@own.example"]
    test_send.send_test(desk.account, campaign.pk, emails, client_kind=ClientKind.MCP, now=desk.now)
    desk.send_due()
    assert by_kind(desk.account, desk.now) == {"direct": 0, "mcp": 1, "sdk": 0}


# -- Closing


def test_a_month_is_closed_a_week_after_its_end(account: Account) -> None:
    left(account, NOVEMBER - MICROSECOND, times=2)
    left(account, NOVEMBER - MICROSECOND, kind="sdk")
    left(account, NOVEMBER)
    assert close_months.close_months(now=NOVEMBER + timedelta(days=7) - MICROSECOND) == 0
    assert close_months.close_months(now=NOVEMBER + timedelta(days=7)) == 2
    closed = MonthlyUsage.objects.of(account).values_list("month", "client_kind", "sends")
    assert set(closed) == {(date(2026, 10, 1), "direct", 2), (date(2026, 10, 1), "sdk", 1)}


def test_closing_changes_no_figure_and_doing_it_again_changes_nothing(account: Account, other_account: Account) -> None:
    for number, month in enumerate([3, 7, 8, 10, 11], start=1):
        left(account, datetime(2026, month, 9, tzinfo=UTC), times=number)
    left(other_account, datetime(2026, 8, 9, tzinfo=UTC))
    before = usage_of(account.pk, now=NOW)
    assert close_months.close_months(now=NOW) == 5
    assert usage_of(account.pk, now=NOW) == before
    assert close_months.close_months(now=NOW) == 0
    assert usage_of(account.pk, now=NOW) == before


def test_what_is_closed_stays_whatever_becomes_of_its_messages(desk: Desk) -> None:
    campaign = desk.released(2)
    for claimed in desk.send_due():
        assert message_of(claimed).state == S.ACCEPTED
    month, later = f"{desk.now:%Y-%m}", desk.now + timedelta(days=40)
    close_months.close_months(now=later)
    deletion.delete_campaign(desk.account, campaign.pk, now=later)
    Message.everywhere.update(state="cancelled")
    assert sends(desk.account, later) == {month: 2}


def test_months_are_closed_from_where_closing_ended(account: Account) -> None:
    left(account, datetime(2026, 9, 9, tzinfo=UTC))
    close_months.close_months(now=datetime(2026, 10, 9, tzinfo=UTC))
    left(account, datetime(2026, 9, 10, tzinfo=UTC))
    left(account, datetime(2026, 10, 10, tzinfo=UTC))
    assert close_months.close_months(now=NOW) == 1
    assert sends(account) == {"2026-09": 1, "2026-10": 1}


def test_a_month_is_not_closed_while_a_message_of_it_is_on_the_wire(account: Account, other_account: Account) -> None:
    left(account, NOVEMBER - timedelta(hours=1))
    left(other_account, NOVEMBER - timedelta(hours=1), state="wire")
    left(account, NOVEMBER - timedelta(hours=1), state="wire")
    assert close_months.close_months(now=NOW) == 0
    Message.everywhere.filter(state="wire", account=account).update(state="unknown")
    assert close_months.close_months(now=NOW) == 1, "another account's is no reason to wait"
    assert sends(account) == {"2026-10": 2}


@pytest.mark.django_db(transaction=True)
def test_two_that_close_at_once_write_each_month_once() -> None:
    account = factories.make_account()
    left(account, datetime(2026, 9, 9, tzinfo=UTC), times=3)
    with Held(lambda: close_months.close_months(now=NOW)) as first:
        second = Waiting(lambda: close_months.close_months(now=NOW)).until_it_waits()
        assert (first.commit(), second.result()) == (1, 0)
    assert sends(account) == {"2026-09": 3}


# -- What it costs


def test_it_is_two_queries_whatever_there_is(
    account: Account, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        usage_of(account.pk, now=NOW)
    for month in range(1, 12):
        left(account, datetime(2026, month, 9, tzinfo=UTC), times=2)
    close_months.close_months(now=NOW)
    with django_assert_num_queries(2):
        usage_of(account.pk, now=NOW)


def test_no_message_is_looked_at(account: Account) -> None:
    many_left(factories.make_campaign(account), NOW - timedelta(days=300), count=2_000, apart="210 minutes")
    with CaptureQueriesContext(connection) as asked:
        before = usage_of(account.pk, now=NOW)
        assert sends_in_month(account.pk, date(2026, 11, 1)) == before.current.sends > 0
        assert close_months.close_months(now=NOW) == 10
        assert usage_of(account.pk, now=NOW) == before
    assert UsageTally.objects.of(account).count() == 11
    by_messages = [query["sql"] for query in asked if "dispatch_message" in query["sql"]]
    assert len(by_messages) == 1, "closing asks whether any is on the wire"
    assert "state = 'wire'" in by_messages[0]


# -- What moves


def test_what_is_sent_again_counts_in_the_month_in_which_it_left_last(account: Account) -> None:
    left(account, NOVEMBER - MICROSECOND, state="unknown")
    Message.everywhere.update(state="planned")
    assert sends(account) == {}
    Message.everywhere.update(state="wire", wire_at=NOVEMBER)
    assert sends(account) == {}
    Message.everywhere.update(state="accepted")
    assert sends(account) == {"2026-11": 1}


def test_an_erased_account_leaves_nothing_behind(account: Account) -> None:
    left(account, NOW, times=2)
    account.delete()
    fold_tallies()
    assert not UsageTally.everywhere.exists()


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_month_is_utcs_whatever_the_connections_zone(account: Account, zone: str) -> None:
    sql.execute(f"SET LOCAL TIME ZONE '{zone}'")
    left(account, NOVEMBER)
    left(account, DECEMBER - MICROSECOND)
    assert UsageTally.objects.of(account).filter(month=date(2026, 11, 1)).count() == 2
    assert list(differences()) == []
