"""The heartbeat of a long-lived loop: its lease is renewed for as long as it lives."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


async def renew_until_lost(renew: Callable[[], Awaitable[bool]], lease_seconds: float) -> None:
    """Renew three times a lease; returns once `renew` says that it is lost.

    A renewal that fails is tried again: two are left before the lease runs out, and then the next one finds it lost. A
    heartbeat that died of it would leave a loop that goes on without a lease.
    """
    while True:
        await asyncio.sleep(lease_seconds / 3)
        try:
            if not await renew():
                return
        except Exception:
            logger.exception("A lease could not be renewed; it is tried again.")
