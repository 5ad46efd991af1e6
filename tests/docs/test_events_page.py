"""What the pages about events say of kinds and numbers is what the code does."""

from datetime import timedelta

from django.conf import settings

from ampout.events.gateways import webhook_call
from ampout.events.kinds import EventKind
from ampout.events.rules import retry
from ampout.events.services import deliver_webhooks, endpoints, read_log
from tests.docs.pages import bare, read, rows, section

EVENTS = read("explanation/events.md")
TOLD = " ".join(EVENTS.split())
HOW_TO = " ".join(read("howto/receive-webhooks.md").split())


def test_every_kind_is_on_the_page() -> None:
    assert [bare(row[0]) for row in rows(section(EVENTS, "## Kinds"))] == [kind.value for kind in EventKind]


def test_the_schedule_is_the_one_of_the_code() -> None:
    assert [wait / timedelta(minutes=1) for wait in retry.SCHEDULE[2:4]] == [5, 30]
    hours = [f"{wait / timedelta(hours=1):g}" for wait in retry.SCHEDULE[4:]]
    assert retry.SCHEDULE[:2] == (timedelta(0), timedelta(seconds=5))
    assert f"5 seconds, then 5 and 30 minutes, {', '.join(hours[:-1])} and {hours[-1]} hours: ten tries in 75.6" in TOLD
    assert (retry.JITTER, len(retry.SCHEDULE)) == (0.1, 10)


def test_the_limits_are_those_of_the_code() -> None:
    assert f"A call has {webhook_call.TIMEOUT_SECONDS} seconds" in TOLD
    assert f"At most {webhook_call.READ_BYTES // 1024} KiB of an answer are read" in TOLD
    assert timedelta(days=5) == retry.DISABLED_AFTER
    assert timedelta(days=2) == retry.STREAK_LAPSES_AFTER
    assert (timedelta(days=1), timedelta(hours=1)) == (retry.LONGEST_RETRY_AFTER, retry.LONGEST_HOLD)
    assert (5, 4, timedelta(seconds=30)) == (retry.FAILURES_TO_OPEN, retry.CALLS_SIDE_BY_SIDE, retry.PROBE_PAUSE)
    assert f"A loop serves {deliver_webhooks.MOST_ENDPOINTS} webhooks side by side" in TOLD
    assert f"a lease of {settings.LEASE_SECONDS} seconds" in TOLD


def test_receivers_are_told_the_same() -> None:
    assert f"answer 2xx within {webhook_call.TIMEOUT_SECONDS} seconds" in HOW_TO
    assert sorted(webhook_call.PORTS) == [443, 8443]
    assert "on port 443 or 8443" in HOW_TO
    assert timedelta(hours=24) == endpoints.ROTATION_OVERLAP


def test_every_kind_says_why_it_is_not_told_again() -> None:
    told = [name for row in rows(section(EVENTS, "### What is deleted")) for name in bare(row[0]).split(", ")]
    assert sorted(told) == sorted(kind.value for kind in EventKind)
    assert f"The first reads of a long log place {read_log.PLACED_AT_ONCE:,} events each" in TOLD
