#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys

from django.core.management import execute_from_command_line

from ampout.supervisor.kept_environment import adopt_environment, fill_placeholders

NEED_NOTHING = ("classify",)
"""Commands that use no key and connect to nothing, so they run without any setting."""


def main() -> None:
    """Run the named management command."""
    adopt_environment()
    if sys.argv[1:2] and sys.argv[1] in NEED_NOTHING:
        fill_placeholders()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ampout.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
