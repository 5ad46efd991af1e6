"""Enrollments: contacts in a campaign."""

from ampout.api import enrollments
from ampout.api.fields import Integer
from ampout.api.openapi.operations import Chapter, Example, Operation
from ampout.api.openapi.shapes import COUNT, ID, TEXT, TIME, Shape, list_of, object_of, one_of, or_null
from campaigns.rules.enrollment_state import EnrollmentStatus, StopReason
from campaigns.rules.skips import SkipReason

ENROLLMENT = Shape(
    "Enrollment",
    object_of(
        {
            "id": ID,
            "contact_id": or_null(ID),
            "smtp_credential_id": or_null(ID),
            "status": one_of(EnrollmentStatus),
            "batch_number": COUNT,
            "sent_at": or_null(TIME),
            "opened_at": or_null(TIME),
            "replied_at": or_null(TIME),
            "bounce_reason": or_null(TEXT),
            "campaign_id": ID,
            "priority": COUNT,
            "enrolled_at": TIME,
            "bounced_at": or_null(TIME),
            "unsubscribed_at": or_null(TIME),
            "next_position": COUNT,
            "next_due_at": or_null(TIME),
            "stopped_at": or_null(TIME),
            "stop_reason": or_null(one_of(StopReason)),
            "finished_at": or_null(TIME),
        }
    ),
)
SKIP = Shape("SkippedContact", object_of({"contact_id": ID, "email": TEXT, "reason": one_of(SkipReason)}))
ENROLLED = Shape(
    "Enrolled",
    object_of(
        {
            "enrolled": COUNT,
            "batches": COUNT,
            "batch_numbers": list_of(COUNT),
            "batch_size": or_null(COUNT),
            "skipped": list_of(SKIP.ref),
        }
    ),
)
ENROLLED_CONTACTS = Shape(
    "EnrolledContacts",
    object_of({"enrolled": COUNT, "enrollments": list_of(ENROLLMENT.ref), "skipped": list_of(SKIP.ref)}),
)
SHAPES = (ENROLLMENT, SKIP, ENROLLED, ENROLLED_CONTACTS)

_SHOWN = {
    "smtp_credential_id": None,
    "status": "pending",
    "batch_number": 1,
    "sent_at": None,
    "opened_at": None,
    "replied_at": None,
    "bounce_reason": None,
    "campaign_id": "{campaign}",
    "bounced_at": None,
    "unsubscribed_at": None,
    "next_position": 1,
    "next_due_at": None,
    "stopped_at": None,
    "stop_reason": None,
    "finished_at": None,
}

CHAPTER = Chapter(
    "Enrollments",
    "Contacts in a campaign. Nothing is sent to them before their batch is dispatched.",
    (
        Operation(
            method="GET",
            path="/campaigns/{campaign_id}/enrollments",
            summary="List the enrollments of a campaign",
            answer=list_of(ENROLLMENT.ref),
            query={
                "status": one_of(EnrollmentStatus) | {"description": "Only those in this state."},
                "batch_number": Integer().describe() | {"description": "Only those of this batch."},
            },
            paged=True,
            codes=("campaign_not_found",),
            example=Example(query={"status": "pending"}, answer=[_SHOWN]),
        ),
        Operation(
            method="POST",
            path="/campaigns/{campaign_id}/enroll",
            summary="Enroll the contacts of an import",
            text="In new batches. `skipped` says who was left out and why; role addresses such as `abuse@` are, unless "
            "forced.",
            status=201,
            answer=ENROLLED.ref,
            body=enrollments.ENROLL,
            wrapper="enroll",
            meanings={
                "contact_import_id": "whose contacts",
                "batch_size": "contacts in a batch; null for one batch",
                "force": "enroll role addresses too",
            },
            defaults={"batch_size": None, "force": False},
            codes=("campaign_not_found", "contact_import_not_found"),
            example=Example(
                body={"contact_import_id": "{fresh_import}", "batch_size": 50},
                answer={
                    "enrolled": 1,
                    "batches": 1,
                    "batch_numbers": [2],
                    "batch_size": 50,
                    "skipped": [{"email": "abuse@example.com", "reason": "role_address"}],
                },
            ),
        ),
        Operation(
            method="POST",
            path="/campaigns/{campaign_id}/enroll_contact",
            summary="Enroll one contact",
            text="Refused with `contact_already_enrolled`, and with `unprocessable` and a `details.reason` for who may "
            "not be written to.",
            status=201,
            answer=ENROLLMENT.ref,
            body=enrollments.ENROLL_CONTACT,
            wrapper="enroll_contact",
            meanings={
                "contact_id": "who",
                "batch_number": "its batch; where that is released already, it goes at once",
                "priority": "the higher goes first within its batch; true for 100",
                "force": "enroll a role address",
            },
            defaults={"batch_number": 0, "priority": 0, "force": False},
            codes=("campaign_not_found", "contact_not_found", "contact_already_enrolled"),
            example=Example(
                body={"contact_id": "{fresh_contact}", "priority": True},
                answer=_SHOWN | {"contact_id": "{fresh_contact}", "batch_number": 0, "priority": 100},
            ),
        ),
        Operation(
            method="POST",
            path="/campaigns/{campaign_id}/enroll_contacts",
            summary="Enroll many contacts",
            text="In the order given, each once, in one batch. `skipped` says who was left out and why. When one of them "
            "does not exist, `details` tells its place (`contact_ids.2`), and nobody is enrolled.",
            status=201,
            answer=ENROLLED_CONTACTS.ref,
            body=enrollments.ENROLL_CONTACTS,
            wrapper="enroll_contacts",
            meanings={
                "contact_ids": "who",
                "batch_number": "their batch; where that is released already, they go at once",
                "priority": "the higher goes first within its batch; true for 100",
                "force": "enroll role addresses too",
            },
            defaults={"batch_number": 0, "priority": 0, "force": False},
            codes=("campaign_not_found", "contact_not_found"),
            example=Example(
                body={"contact_ids": ["{fresh_contact}", "{contact}"]},
                answer={
                    "enrolled": 1,
                    "enrollments": [_SHOWN | {"contact_id": "{fresh_contact}", "batch_number": 0, "priority": 0}],
                    "skipped": [{"contact_id": "{contact}", "email": "max@example.com", "reason": "already_enrolled"}],
                },
            ),
        ),
    ),
)
