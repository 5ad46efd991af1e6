"""What a wrong clock keeps from happening, and what is left of a clock that was set back (promise B4).

A process whose clock is not the database's does nothing that depends on it: `/readyz` and `/metrics` tell, and the log
says which process, by how much, and what to do. Where the clocks of all were wrong together nobody can tell, until they
are set right: then what lies further ahead than it ever may is brought back.
"""

from datetime import timedelta

from django.conf import settings
from django.db import transaction

from ampout.lib import database_clock, sql
from ampout.lib.database_clock import TOLERANCE_SECONDS
from dispatch.models import Message
from dispatch.rules.poll_timing import LONGEST_BACK_OFF
from dispatch.services import lifecycle, ticks

REASON_SET_BACK = "clock_set_back"

# A live holder renews its lease as ever, a dead one's runs out one lease later.
_CAP_LOOPS = """
UPDATE dispatch_deliveryworker SET lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
WHERE ended_at IS NULL AND lease_until > statement_timestamp() + make_interval(secs => %(lease)s)
"""
_CAP_MAILBOXES = """
UPDATE dispatch_mailbox
SET next_poll_at = now(), lease_until = LEAST(lease_until, now() + make_interval(secs => %(lease)s))
WHERE next_poll_at > now() + %(longest_pause)s
"""
# Nothing ended in the future: the gap, and the back-off, run from now.
_CAP_LANES = """
UPDATE dispatch_lane SET last_finished_at = now(), back_off_until = NULL
WHERE last_finished_at > now() + make_interval(secs => %(tolerance)s)
"""


def may_go_by(clock_ahead: float) -> bool:
    """Whether a process so many seconds ahead of the database may do its work; where not, operators are told."""
    if database_clock.judge(clock_ahead):
        return True
    ticks.record_tick(ticks.CLOCK)
    return False


def is_right() -> bool:
    """The same of this process now, by a statement of its own: for what is done seldom."""
    return may_go_by(database_clock.ahead())


def is_set_back(unplanned: float | None) -> bool:
    """Whether the planner last ended in the future."""
    return unplanned is not None and unplanned < -TOLERANCE_SECONDS


@transaction.atomic
def take_slots_back() -> int:
    """Slots that were given out by a clock that was set back since: all are planned afresh, with their gaps."""
    return lifecycle.take_slots_back(Message.everywhere.filter(stream="campaign"), REASON_SET_BACK)


def cap_what_lies_ahead() -> None:
    """Bring back leases, polls and ends of transactions that lie further ahead than they may."""
    longest = max(LONGEST_BACK_OFF, timedelta(seconds=settings.POLL_EVERY_SECONDS)) * 2
    facts = {"lease": settings.LEASE_SECONDS, "longest_pause": longest, "tolerance": TOLERANCE_SECONDS}
    for statement in (_CAP_LOOPS, _CAP_MAILBOXES, _CAP_LANES):
        sql.execute(statement, facts)
