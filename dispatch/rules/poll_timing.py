"""When a mailbox is looked into next, and how much of it is asked for at once."""

from datetime import timedelta
from random import Random

LONGEST_BACK_OFF = timedelta(hours=1)
"""A mailbox that was mended is read within this time, even if nobody says so. A login that fails once an hour locks
nobody out."""

SPREAD = 0.1
"""Share of the time by which a poll may come early or late, so that mailboxes connected together drift apart."""

LARGEST_BATCH = 200
"""Mails whose headers are asked for at once: on a line of 100 ms that is 2,000 mails a second, in under a megabyte."""


DEATHS_TO_TRIAL = 2
"""Deaths of its readers in a row after which a mailbox is read mail by mail, so that the next one names the mail."""
MAILS_ON_TRIAL = LARGEST_BATCH >> 2
"""How many: the reader before died of one of the next so many."""


def next_poll(every: timedelta, failures: int, rng: Random) -> timedelta:
    """How long to wait after a poll; twice as long after each failure in a row, up to LONGEST_BACK_OFF."""
    longest = max(LONGEST_BACK_OFF, every)
    doubled = longest if failures > 40 else min(every * 2**failures, longest)
    return doubled * rng.uniform(1 - SPREAD, 1 + SPREAD)


def batch_size(failures: int) -> int:
    """How many mails to ask for at once: fewer after failures, so that a slow line or a bad mail gets through."""
    return max(1, LARGEST_BATCH >> (2 * failures))


def may_pass_by(failures: int, asked: int, *, refused: bool) -> bool:
    """Whether a new mail that could not be read may be left for later, so that those behind it are read.

    Only one that was asked for alone: after its third refusal, or once it has ended five connections in a row. It is
    asked for again at each poll, after everything else.
    """
    return asked == 1 and failures >= (2 if refused else 5)
