"""The settings of the canary lab: as shipped, with places to fail at; with CANARY_VERBOSE all that can be said is."""

import os

from ampout.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.secrets.sabotage.Sabotage"]  # noqa: F405
MIDDLEWARE = ["tests.secrets.sabotage.SabotageMiddleware", *MIDDLEWARE]  # noqa: F405

if os.environ.get("CANARY_VERBOSE"):
    DEBUG = True
    LOGGING["root"]["level"] = "DEBUG"  # type: ignore[index]  # noqa: F405
