"""Every code of the error envelope: its status, and what it means (contract: Errors)."""

from collections.abc import Iterable

from ampout.api.fields import JsonSchema
from ampout.api.openapi.operations import Operation
from ampout.api.openapi.shapes import OBJECT, TEXT, Shape, object_of, one_of

CODES: dict[str, tuple[int, str]] = {
    "bad_request": (400, "the request cannot be read: not JSON, a field twice, a chunked body, an unknown `Host`"),
    "unauthorized": (401, "no live key"),
    "plan_limit_reached": (
        402,
        "the account's monthly limit is reached; `details` has `current_period_sends` and `monthly_limit`",
    ),
    "insufficient_scope": (
        403,
        "the key lacks a [scope](#scopes); sign-up is off; a provider's call is not known to be the provider's",
    ),
    "account_suspended": (403, "an operator suspended the account"),
    "not_found": (404, "no such path, or no such object of a kind without a code of its own"),
    "api_key_not_found": (404, "no such key"),
    "campaign_not_found": (404, "no such campaign"),
    "enrollment_not_found": (404, "no such enrollment"),
    "contact_not_found": (404, "no such contact"),
    "contact_import_not_found": (404, "no such import"),
    "message_not_found": (404, "no such message"),
    "outreach_not_found": (404, "no such outreach"),
    "provider_hook_not_found": (404, "no such provider hook"),
    "sequence_step_not_found": (404, "no such step of this campaign"),
    "smtp_credential_not_found": (404, "no such credential of this campaign"),
    "webhook_not_found": (404, "no such webhook"),
    "method_not_allowed": (405, "the path exists, the method does not"),
    "idempotency_in_flight": (409, "a call with this `Idempotency-Key` has not ended yet"),
    "payload_too_large": (413, "more than 2 MiB, or a file of more than 50 MiB"),
    "unsupported_media_type": (415, "neither JSON nor, for imports, `multipart/form-data`"),
    "validation_failed": (422, "fields do not fit; `details` names each"),
    "unprocessable": (422, "all fields fit, and it still cannot be done; `message` says why"),
    "cannot_revoke_last_key": (422, "nobody could make another key"),
    "no_contacts_provided": (422, "an empty list of contacts"),
    "no_emails_provided": (422, "an empty list of addresses"),
    "contact_already_enrolled": (422, "a contact is in a campaign once"),
    "campaign_not_active": (422, "the campaign is not active; see [States](../explanation/states.md#campaign)"),
    "campaign_not_paused": (422, "the campaign is not paused"),
    "no_pending_enrollments": (422, "nobody waits for this batch"),
    "rate_limited": (429, "too many requests; `Retry-After` says in how many seconds it may go on"),
    "internal_error": (500, "our fault; it is in the server's log"),
    "unavailable": (
        503,
        "a provider's call cannot be checked just now and is to be sent again; or the installation is not ready",
    ),
}

ERROR = Shape(
    "Error",
    object_of({"code": one_of(CODES), "type": TEXT | {"format": "uri"}, "message": TEXT, "details": OBJECT}),
)
"""The envelope of every refusal."""

_ALWAYS = ("bad_request",)
_WITH_A_KEY = ("unauthorized", "insufficient_scope", "account_suspended", "rate_limited")
_CHANGING = (
    *("idempotency_in_flight", "payload_too_large", "unsupported_media_type"),
    *("validation_failed", "unprocessable"),
)
COMMON = (*_ALWAYS, *_WITH_A_KEY, *_CHANGING)
"""What calls with a key may be refused with, beside their own codes."""


def codes_of(operation: Operation) -> list[str]:
    """Every code that a call may be refused with, by status."""
    found = {*_ALWAYS, *operation.codes}
    if not operation.public:
        found.update(_WITH_A_KEY)
    if operation.repeatable:
        found.update(_CHANGING)
    if operation.parameters and not operation.public:
        found.add("validation_failed")
    return sorted(found, key=lambda code: (CODES[code][0], list(CODES).index(code)))


def error_with(codes: Iterable[str]) -> JsonSchema:
    """The envelope with one of these codes."""
    return {"allOf": [ERROR.ref, {"type": "object", "properties": {"code": one_of(codes)}}]}
