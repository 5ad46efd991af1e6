"""The one place that rolls dice, so that everything else can be given a seeded generator."""

import secrets
from random import Random


def new_rng() -> Random:
    """A generator seeded from the operating system."""
    return Random(secrets.randbits(128))  # noqa: S311  # jitter, no secrets
