"""Campaigns and the actions on them."""

from ampout.api import campaigns
from ampout.api.openapi.chapters.sequence_steps import SHOWN_STEP, STEP
from ampout.api.openapi.chapters.smtp_credentials import CREDENTIAL, SHOWN_CREDENTIAL
from ampout.api.openapi.operations import Chapter, Example, Operation
from ampout.api.openapi.shapes import (
    COUNT,
    EMAIL,
    FLAG,
    ID,
    PERCENT,
    TEXT,
    TIME,
    Shape,
    counts_by,
    list_of,
    map_of,
    object_of,
    one_of,
    or_null,
)
from campaigns.rules.campaign_state import CampaignStatus, PauseReason
from campaigns.rules.enrollment_state import EnrollmentStatus
from dispatch.rules.health import HealthVerdict

CAMPAIGN_FIELDS = {
    "id": ID,
    "outreach_id": or_null(ID),
    "name": TEXT,
    "status": one_of(CampaignStatus),
    "pause_reason": or_null(one_of(PauseReason)),
    "min_wait_seconds": COUNT,
    "max_wait_seconds": COUNT,
    "verify_email_mx": FLAG,
    "routing": one_of(["rotate"]),
    "bounce_rate_min_sends": COUNT,
    "health_rule": one_of(["fixed", "evidence"]),
    "track_opens": FLAG,
    "track_clicks": FLAG,
    "sender_may_change": FLAG,
    "bounce_rate_threshold": PERCENT,
    "created_at": TIME,
    "updated_at": TIME,
    "started_at": or_null(TIME),
    "paused_at": or_null(TIME),
    "completed_at": or_null(TIME),
}
TOTALS = counts_by(EnrollmentStatus)
CAMPAIGN = Shape("Campaign", object_of(CAMPAIGN_FIELDS))
WARNING = Shape("Warning", object_of({"code": TEXT, "message": TEXT}))
FIGURES = Shape(
    "CredentialFigures",
    object_of(
        {
            "id": ID,
            "label": TEXT,
            "from_email": EMAIL,
            "sends": COUNT,
            "bounces": COUNT,
            "bounce_rate": PERCENT,
            "bounce_rate_since_enabled": PERCENT,
            "sends_today": COUNT,
            "reserved_today": COUNT,
            "daily_limit": COUNT,
            "disabled_at": or_null(TIME),
        }
    ),
)
CONSERVATION = Shape(
    "Conservation",
    object_of(
        {
            **dict.fromkeys(("due", "accepted", "refused", "gave_up", "quarantined", "unknown"), COUNT),
            "stopped": map_of(COUNT),
            "waiting": map_of(COUNT),
            "balanced": FLAG,
        }
    ),
)
CAMPAIGN_IN_FULL = Shape(
    "CampaignInFull",
    object_of(
        CAMPAIGN_FIELDS
        | {
            "smtp_credentials": list_of(CREDENTIAL.ref),
            "sequence_steps": list_of(STEP.ref),
            "totals": TOTALS,
            "rates": object_of({"bounce_rate": PERCENT, "open_rate": PERCENT, "reply_rate": PERCENT}),
            "per_batch": list_of(
                object_of(
                    {"batch_number": COUNT, "released_at": or_null(TIME), "enrolled": COUNT} | TOTALS["properties"]
                )
            ),
            "recent_bounces": list_of(
                object_of(
                    {
                        "enrollment_id": ID,
                        "contact_id": or_null(ID),
                        "email": EMAIL,
                        "bounce_reason": or_null(TEXT),
                        "bounced_at": or_null(TIME),
                    }
                )
            ),
            "credentials": list_of(FIGURES.ref),
            "warnings": list_of(WARNING.ref),
            "skipped": map_of(COUNT),
            "funnel": counts_by(["enrolled", "sent", "opened", "replied", "bounced", "unsubscribed"]),
            "health": object_of(
                {
                    "verdict": one_of(HealthVerdict),
                    "probability_above_threshold": {"type": "number", "minimum": 0, "maximum": 1},
                    "sends": COUNT,
                    "bounces": COUNT,
                }
            ),
            "conservation": CONSERVATION.ref,
        }
    ),
)
STATUS = Shape("CampaignStatus", object_of({"id": ID, "status": one_of(CampaignStatus)}))
RELEASED = Shape(
    "Released",
    object_of({"id": ID, "status": one_of(CampaignStatus), "released": COUNT, "warnings": list_of(WARNING.ref)}),
)
TEST_SENT = Shape(
    "TestSent", object_of({"sent": list_of(EMAIL), "refused": list_of(object_of({"email": TEXT, "reason": TEXT}))})
)
PREVIEWED = Shape(
    "PreviewedStep", object_of({"position": COUNT, "subject": TEXT, "body_html": TEXT, "body_text": TEXT})
)
SHAPES = (CAMPAIGN, WARNING, FIGURES, CONSERVATION, CAMPAIGN_IN_FULL, STATUS, RELEASED, TEST_SENT, PREVIEWED)

SHOWN_CAMPAIGN = {
    "id": "{campaign}",
    "outreach_id": None,
    "name": "Hello",
    "status": "pending",
    "pause_reason": None,
    "min_wait_seconds": 120,
    "max_wait_seconds": 420,
    "verify_email_mx": False,
    "bounce_rate_min_sends": 20,
    "health_rule": "fixed",
    "track_opens": True,
    "track_clicks": False,
    "sender_may_change": False,
    "bounce_rate_threshold": 8.0,
    "started_at": None,
    "paused_at": None,
    "completed_at": None,
}
_ONE_PENDING = {"pending": 1, "sent": 0, "opened": 0, "replied": 0, "bounced": 0, "unsubscribed": 0}
_NO_REPLIES = {
    "code": "reply_detection_off",
    "message": "Replies to ann@example.com are not read: it has no IMAP login.",
}
_IN_FULL = SHOWN_CAMPAIGN | {
    "smtp_credentials": [SHOWN_CREDENTIAL],
    "sequence_steps": [SHOWN_STEP],
    "totals": _ONE_PENDING,
    "rates": {"bounce_rate": 0.0, "open_rate": 0.0, "reply_rate": 0.0},
    "per_batch": [{"batch_number": 1, "released_at": None, "enrolled": 1} | _ONE_PENDING],
    "recent_bounces": [],
    "credentials": [
        {
            "id": "{credential}",
            "label": "",
            "from_email": "ann@example.com",
            "bounce_rate": 0.0,
            "bounce_rate_since_enabled": 0.0,
            "daily_limit": 50,
            "disabled_at": None,
        }
    ],
    "warnings": [_NO_REPLIES],
    "skipped": {"mx_invalid": 0, "already_enrolled": 0, "unsubscribed": 0, "suppressed": 0, "role_address": 0},
    "funnel": {"enrolled": 1, "sent": 0, "opened": 0, "replied": 0, "bounced": 0, "unsubscribed": 0},
    "health": {"verdict": "healthy", "probability_above_threshold": 0.1464},
    "conservation": {"due": 1, "stopped": {}, "waiting": {"not_released": 1}, "balanced": True},
}
_SETTINGS_MEAN = {
    "name": "what it is called",
    "outreach_id": "the outreach it belongs to",
    "min_wait_seconds": "shortest gap between two messages of one credential",
    "max_wait_seconds": "longest gap; each is drawn at random between the two",
    "verify_email_mx": "ask the DNS whether the domain takes mail, before any connection",
    "bounce_rate_threshold": "percent; a credential above it is disabled ([Health](../explanation/health.md))",
    "bounce_rate_min_sends": "from how many sends on",
    "track_opens": "a pixel at the end of the HTML tells of [opens](../explanation/opens-and-clicks.md)",
    "track_clicks": "web links of the HTML lead through this server, which tells of "
    "[clicks](../explanation/opens-and-clicks.md)",
    "sender_may_change": "later steps may go through another mailbox once theirs is retired",
    "routing": "the only one on this server yet",
    "health_rule": "`evidence` pauses the campaign once it is all but certain that its true bounce rate is above the "
    "threshold, and disables no credential",
}
_DEFAULTS = {
    "min_wait_seconds": 120,
    "max_wait_seconds": 420,
    "verify_email_mx": False,
    "bounce_rate_threshold": 8.0,
    "bounce_rate_min_sends": 20,
    "track_opens": True,
    "track_clicks": False,
    "sender_may_change": False,
    "routing": "rotate",
    "health_rule": "fixed",
}
_NEW = {
    "name": "Hello",
    "min_wait_seconds": 60,
    "max_wait_seconds": 180,
    "smtp_credentials": [
        {
            "smtp_host": "smtp.example.com",
            "smtp_port": 587,
            "smtp_username": "ann@example.com",
            "smtp_password": "app password",
            "from_name": "Ann Berg",
            "from_email": "ann@example.com",
            "daily_limit": 50,
        }
    ],
    "sequence_steps": [
        {"subject": "Hello {{first_name}}", "body_html": "<p>Hello {{first_name}}</p>"},
        {"body_html": "<p>Did my note reach you?</p>", "delay_minutes": 4320},
    ],
}
_FIGURES_TEXT = """
The figures of the answer:

| field | holds |
|---|---|
| `status`, `pause_reason` | see [States](../explanation/states.md#campaign) |
| `totals` | enrollments by status; each once, so they add up |
| `funnel` | cumulative: who reached each status or one after it |
| `rates` | `bounce_rate`, `open_rate`, `reply_rate`, in percent |
| `conservation` | every step that is due, and where it is: `due` = accepted + refused + gave_up + quarantined + unknown + `stopped` (by reason) + `waiting` (by [reason](../explanation/scheduling.md#why-is-it-waiting)) |
| `health` | what the evidence says of the true bounce rate: `verdict` (`healthy`, `warning`, `unhealthy`), the probability that it is above the threshold, and the sends and bounces that it rests on |
| `per_batch` | `totals` for each batch, and when it was released |
| `credentials` | for each: `sends`, `bounces`, `bounce_rate` (lifetime), `bounce_rate_since_enabled`, today's first steps against `daily_limit` |
| `recent_bounces` | the latest, with the server's words |
| `skipped` | who was not enrolled or not written to, by reason |
"""

CHAPTER = Chapter(
    "Campaigns",
    "",
    (
        Operation(
            method="GET",
            path="/campaigns",
            summary="List the campaigns",
            answer=list_of(CAMPAIGN.ref),
            paged=True,
            example=Example(answer=[SHOWN_CAMPAIGN]),
        ),
        Operation(
            method="POST",
            path="/campaigns",
            summary="Make a campaign",
            text="With its credentials and steps, or nothing at all. Their fields are those of "
            "[SMTP credentials](#smtp-credentials) and [Sequence steps](#sequence-steps).",
            status=201,
            answer=CAMPAIGN_IN_FULL.ref,
            body=campaigns.NEW_CAMPAIGN,
            wrapper="campaign",
            meanings=_SETTINGS_MEAN
            | {
                "smtp_credentials": 'the mailboxes that it sends through; `{"id": "…"}` attaches one that exists',
                "sequence_steps": "what is sent; a step without a `position` takes the place where it stands",
            },
            defaults=_DEFAULTS,
            codes=("outreach_not_found", "smtp_credential_not_found"),
            example=Example(
                body=_NEW,
                answer=_IN_FULL | {"min_wait_seconds": 60, "max_wait_seconds": 180, "per_batch": []},
            ),
        ),
        Operation(
            method="GET",
            path="/campaigns/{campaign_id}",
            summary="Show a campaign with its figures",
            text=_FIGURES_TEXT,
            answer=CAMPAIGN_IN_FULL.ref,
            codes=("campaign_not_found",),
            example=Example(answer=_IN_FULL),
        ),
        Operation(
            method="PATCH",
            path="/campaigns/{campaign_id}",
            summary="Change a campaign",
            text="Its own fields; credentials and steps have routes of their own.",
            answer=CAMPAIGN_IN_FULL.ref,
            body=campaigns.CHANGED_CAMPAIGN,
            wrapper="campaign",
            partial=True,
            meanings=_SETTINGS_MEAN
            | {
                "smtp_credentials": "refused: see [SMTP credentials](#smtp-credentials)",
                "sequence_steps": "refused: see [Sequence steps](#sequence-steps)",
            },
            codes=("campaign_not_found", "outreach_not_found"),
            example=Example(body={"name": "Hello again"}, answer=_IN_FULL | {"name": "Hello again"}),
        ),
        Operation(
            method="DELETE",
            path="/campaigns/{campaign_id}",
            summary="Delete a campaign",
            text="Cancels what has not started; the ledger stays, without personal fields.",
            status=204,
            codes=("campaign_not_found",),
        ),
        Operation(
            method="POST",
            path="/campaigns/{campaign_id}/dispatch",
            summary="Release one batch, or all",
            text="""
Releases one batch, or all when none is named. What is added to a released batch later goes too. `warnings` are things to
mend, each with a `code` and a `message`: `postal_address_missing`, `reply_detection_off` where mailboxes of the campaign
have no IMAP login, and `monthly_limit_exceeded` where this month's limit has less left than is released.

Refused with `no_pending_enrollments`; on a paused campaign with `campaign_not_active`; with `unprocessable` where the
operator requires a postal address and there is none; with `plan_limit_reached` (402) where the account's monthly limit is
reached.
""",
            answer=RELEASED.ref,
            body=campaigns.DISPATCH,
            wrapper="dispatch",
            meanings={"batch_number": "the batch to release"},
            codes=("campaign_not_found", "no_pending_enrollments", "campaign_not_active", "plan_limit_reached"),
            example=Example(answer={"status": "active", "released": 1, "warnings": [_NO_REPLIES]}),
        ),
        Operation(
            method="POST",
            path="/campaigns/{campaign_id}/pause",
            summary="Hold a campaign",
            text="Once this answers, nothing of the campaign goes on the wire. A body that was on its way before may "
            "still arrive. Refused with `campaign_not_active`.",
            answer=STATUS.ref,
            body={},
            wrapper="campaign",
            codes=("campaign_not_found", "campaign_not_active"),
            example=Example(ids={"campaign_id": "active_campaign"}, answer={"status": "paused"}),
        ),
        Operation(
            method="POST",
            path="/campaigns/{campaign_id}/resume",
            summary="Let a paused campaign go on",
            text="What was held back is planned afresh, with fresh gaps; at the account's monthly limit it goes on waiting. "
            "Refused with `campaign_not_paused`, and with `unprocessable` when an operator paused it.",
            answer=STATUS.ref,
            body={},
            wrapper="campaign",
            codes=("campaign_not_found", "campaign_not_paused"),
            example=Example(ids={"campaign_id": "paused_campaign"}, answer={"status": "active"}),
        ),
        Operation(
            method="POST",
            path="/campaigns/{campaign_id}/test_send",
            summary="Send every step to a few addresses of your own",
            text="""
At once and ahead of the campaign. They count neither as sends of the campaign nor against its daily limit, but against
the account's monthly limit. At most 5 addresses a call and 20 in 24 hours (`TEST_SEND_PER_DAY`).

Refused with `no_emails_provided`, with `unprocessable` when no credential is enabled, and with `plan_limit_reached` (402)
when the month has no room for one test.
""",
            answer=TEST_SENT.ref,
            body=campaigns.TEST_SEND,
            wrapper="test_send",
            meanings={
                "emails": "who gets the test; at least one",
                "contact_id": "whose fields fill the merge tags",
            },
            codes=("campaign_not_found", "contact_not_found", "no_emails_provided", "plan_limit_reached"),
            example=Example(
                body={"emails": ["me@example.com", "me@"], "contact_id": "{contact}"},
                answer={
                    "sent": ["me@example.com"],
                    "refused": [{"email": "me@", "reason": "There must be something after the @-sign."}],
                },
            ),
        ),
        Operation(
            method="GET",
            path="/campaigns/{campaign_id}/preview",
            summary="Each step as a contact would get it",
            text="Footer included.",
            answer=list_of(PREVIEWED.ref),
            query={"contact_id": ID | {"description": "Whom to preview for."}},
            codes=("campaign_not_found", "contact_not_found", "unprocessable"),
            example=Example(
                query={"contact_id": "{contact}"},
                answer=[
                    {
                        "position": 1,
                        "subject": "Hello Max",
                        "body_html": "<p>Hello Max</p>",
                        "body_text": "Hello Max",
                    }
                ],
            ),
        ),
    ),
)
