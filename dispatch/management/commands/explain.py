"""`manage.py explain`: why the next step of an enrollment has not gone, gate by gate."""

import uuid
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ampout.lib.errors import NotFound
from campaigns.models import Enrollment
from dispatch.rules.gates import Gate
from dispatch.services.explain import EnrollmentExplanation, explain_enrollment


class Command(BaseCommand):
    """Print each gate with its verdict, and when the step leaves."""

    help = "Say why the next step of an enrollment has not gone, and when it will."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which enrollment."""
        parser.add_argument("enrollment", type=uuid.UUID, help="The id of the enrollment.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Explain it, whoever it belongs to."""
        try:
            explained = _explain(options["enrollment"])
        except NotFound as error:
            raise CommandError(error.message) from None
        for gate in explained.explanation.gates:
            self.stdout.write(_line(gate))
        self.stdout.write(f"\nStep {explained.enrollment.next_position}: {explained.explanation.sentence}")
        self.stdout.write(f"Earliest: {_told(explained.explanation.earliest_at)}")
        self.stdout.write(f"Expected: {_expected(explained)}")


def _explain(enrollment_id: uuid.UUID) -> EnrollmentExplanation:
    enrollment = Enrollment.everywhere.filter(pk=enrollment_id).select_related("account").first()
    if enrollment is None:
        raise NotFound("enrollment_not_found")
    return explain_enrollment(enrollment.account, enrollment_id)


def _line(gate: Gate) -> str:
    return f"{gate.verdict:5} {gate.name:15} {gate.sentence}"


def _expected(explained: EnrollmentExplanation) -> str:
    told = _told(explained.expected_at)
    return f"{told} ({explained.expected_reason})" if explained.expected_reason else told


def _told(moment: datetime | None) -> str:
    return "not by time alone" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
