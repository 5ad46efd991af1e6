"""`manage.py mend_tallies`: make what triggers count what the rows say, as after rows were written without triggers."""

from typing import Any

from django.core.management.base import BaseCommand

from dispatch.services.tallies import mend_tallies


class Command(BaseCommand):
    """Count everything once, and add what is missing."""

    help = "Count enrollments and messages anew, and set right what is shown of campaigns and credentials."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Mend, and say how much there was to mend."""
        self.stdout.write(f"{mend_tallies()} numbers set right.")
