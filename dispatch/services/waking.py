"""What a tick of beat sets in motion.

1. It is written down that the tick arrived.
2. A process whose clock is not the database's does nothing more.
3. Where the clock of all was set back, the slots that it had given out are taken back.
4. Where nothing was planned for too long, what is overdue is paused.
5. The planner plans, and it is written down that it came to its end.
"""

import logging

from dispatch.services import clocks, overdue, plan, ticks
from dispatch.services.plan import TickResult

logger = logging.getLogger(__name__)


def tick() -> TickResult | None:
    """Plan what is due; None where this process's clock forbids it."""
    waking = ticks.wake()
    if not clocks.may_go_by(waking.clock_ahead):
        return None
    if clocks.is_set_back(waking.unplanned):
        taken = clocks.take_slots_back()
        logger.warning("The database's clock was set back: %d messages get new slots.", taken, extra={"action": "plan"})
    if waking.unplanned is not None and overdue.is_overdue(waking.unplanned):
        overdue.pause_overdue(waking.unplanned)
    result = plan.plan()
    ticks.record_tick(ticks.PLAN)
    return result
