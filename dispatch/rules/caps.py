"""Daily limits (design: Daily limit). Reserving is one conditional UPDATE (law 4); this is the arithmetic around it."""


def remaining(limit: int, used: int) -> int:
    """How many step-1 messages still fit today; never negative, also when the limit was lowered below `used`."""
    return max(0, limit - used)


def release_count(new_limit: int, used: int) -> int:
    """How many reservations exceed a limit that was lowered to `new_limit`.

    That many of the latest unstarted ones are released; what has started stays, even where that leaves the day above
    the new limit.
    """
    return max(0, used - new_limit)
