#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys

from django.core.management import execute_from_command_line

from ampout.supervisor.kept_environment import adopt_environment


def main() -> None:
    """Run the named management command."""
    adopt_environment()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ampout.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
