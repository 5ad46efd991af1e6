"""Enrollments: contacts in a campaign."""

import uuid
from dataclasses import asdict, dataclass
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api import queries
from ampout.api.fields import MOST_ITEMS, Boolean, Field, Id, Integer, Invalid, JsonSchema, ListOf
from ampout.api.resources import Resource
from campaigns.models import Enrollment
from campaigns.rules.enrollment_state import EnrollmentStatus
from campaigns.selectors.campaigns import find_campaign
from campaigns.selectors.enrollments import enrollments_of
from campaigns.services.enrolment import HIGHEST_PRIORITY, enroll_contact, enroll_contacts, enroll_import


@dataclass(frozen=True, slots=True, kw_only=True)
class Priority(Field):
    """true or false, or a number from 0 to 100: the higher goes first within its batch."""

    def read_value(self, value: object) -> int:
        """The number; true is the highest. Raises Invalid."""
        if isinstance(value, bool):
            return HIGHEST_PRIORITY if value else 0
        if not isinstance(value, int) or not 0 <= value <= HIGHEST_PRIORITY:
            raise Invalid(f"Must be true, false, or a whole number between 0 and {HIGHEST_PRIORITY}.")
        return value

    def describe_value(self) -> JsonSchema:
        """A flag or a number."""
        return {"type": ["boolean", "integer"], "minimum": 0, "maximum": HIGHEST_PRIORITY}


ENROLL = {
    "contact_import_id": Id(required=True),
    "batch_size": Integer(minimum=1, null=True),
    "force": Boolean(),
}
ENROLL_CONTACT = {
    "contact_id": Id(required=True),
    "batch_number": Integer(),
    "priority": Priority(),
    "force": Boolean(),
}

ENROLL_CONTACTS = {
    "contact_ids": ListOf(item=Id(), fewest=1, most=MOST_ITEMS, required=True),
    "batch_number": Integer(),
    "priority": Priority(),
    "force": Boolean(),
}


def show_enrollment(enrollment: Enrollment) -> dict[str, Any]:
    """An enrollment as the contract shows it; what stands below `bounce_reason` is additive."""
    return {
        "id": enrollment.pk,
        "contact_id": enrollment.contact_id,
        "smtp_credential_id": enrollment.smtp_credential_id,
        "status": enrollment.status,
        "batch_number": enrollment.batch_number,
        "sent_at": enrollment.sent_at,
        "opened_at": enrollment.opened_at,
        "replied_at": enrollment.replied_at,
        "bounce_reason": enrollment.bounce_reason or None,
        "campaign_id": enrollment.campaign_id,
        "priority": enrollment.priority,
        "enrolled_at": enrollment.enrolled_at,
        "bounced_at": enrollment.bounced_at,
        "unsubscribed_at": enrollment.unsubscribed_at,
        "next_position": enrollment.next_position,
        "next_due_at": enrollment.next_due_at,
        "stopped_at": enrollment.stopped_at,
        "stop_reason": enrollment.stop_reason or None,
        "finished_at": enrollment.finished_at,
    }


class Enrollments(Resource):
    """`GET /campaigns/:id/enrollments?status=&batch_number=`."""

    def get(self, request: Request, campaign_id: uuid.UUID) -> Response:
        """The campaign's enrollments."""
        campaign = find_campaign(self.account, campaign_id)
        found = enrollments_of(
            campaign,
            status=queries.read_word(request.GET, "status", EnrollmentStatus),
            batch_number=queries.read_number(request.GET, "batch_number"),
        )
        return self.answer_list(found, show_enrollment, time_field="enrolled_at")


class EnrollImport(Resource):
    """`POST /campaigns/:id/enroll`."""

    def post(self, _request: Request, campaign_id: uuid.UUID) -> Response:
        """Enroll the contacts of an import, in new batches."""
        find_campaign(self.account, campaign_id)
        values = self.read("enroll", ENROLL)
        result = enroll_import(
            self.account,
            campaign_id,
            values["contact_import_id"],
            batch_size=values.get("batch_size"),
            force=values.get("force", False),
        )
        shown = {
            "enrolled": result.enrolled,
            "batches": len(result.batch_numbers),
            "batch_numbers": result.batch_numbers,
            "batch_size": result.batch_size,
            "skipped": [asdict(skip) for skip in result.skipped],
        }
        return Response(shown, status=201)


class EnrollContact(Resource):
    """`POST /campaigns/:id/enroll_contact`."""

    def post(self, _request: Request, campaign_id: uuid.UUID) -> Response:
        """Enroll one contact."""
        find_campaign(self.account, campaign_id)
        values = self.read("enroll_contact", ENROLL_CONTACT)
        contact_id = values.pop("contact_id")
        return Response(show_enrollment(enroll_contact(self.account, campaign_id, contact_id, **values)), status=201)


class EnrollContacts(Resource):
    """`POST /campaigns/:id/enroll_contacts`."""

    def post(self, _request: Request, campaign_id: uuid.UUID) -> Response:
        """Enroll many contacts; who must be left out is told, and a missing one refuses all."""
        find_campaign(self.account, campaign_id)
        values = self.read("enroll_contacts", ENROLL_CONTACTS)
        result = enroll_contacts(self.account, campaign_id, values.pop("contact_ids"), **values)
        shown = {
            "enrolled": len(result.enrollments),
            "enrollments": [show_enrollment(enrollment) for enrollment in result.enrollments],
            "skipped": [asdict(skip) for skip in result.skipped],
        }
        return Response(shown, status=201)
