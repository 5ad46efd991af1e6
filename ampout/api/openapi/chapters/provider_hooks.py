"""Provider hooks, and the calls that providers make to them."""

from ampout.api import provider_hooks
from ampout.api.openapi.operations import Chapter, Example, Operation
from ampout.api.openapi.shapes import FLAG, ID, OBJECT, TEXT, TIME, Shape, list_of, object_of, one_of, or_null
from credentials.rules.hook_provider import HookProvider

_HOOK = {
    "id": ID,
    "provider": one_of(HookProvider),
    "url": TEXT | {"examples": ["https://ampout.example.com/hooks/in/postmark/…"]},
    "topic_arn": or_null(TEXT),
    "has_signing_key": FLAG,
    "confirmed_at": or_null(TIME),
    "last_call_at": or_null(TIME),
    "created_at": TIME,
}
HOOK = Shape("ProviderHook", object_of(_HOOK))
HOOK_WITH_SECRET = Shape(
    "ProviderHookWithSecret", object_of(_HOOK | {"secret": or_null(TEXT), "url_with_secret": TEXT})
)
SHAPES = (HOOK, HOOK_WITH_SECRET)

_ALL = "/campaigns/{campaign_id}/smtp_credentials/{smtp_credential_id}/provider_hooks"
_ONE = f"{_ALL}/{{provider_hook_id}}"
_CODES = ("campaign_not_found", "smtp_credential_not_found")
_ALL_IDS = {"smtp_credential_id": "credential"}
_ONE_IDS = _ALL_IDS | {"provider_hook_id": "hook"}
_SHOWN = {
    "provider": "postmark",
    "topic_arn": None,
    "has_signing_key": False,
    "confirmed_at": None,
    "last_call_at": None,
}

CHAPTER = Chapter(
    "Provider hooks",
    "Where a mail provider reports what became of a credential's messages; how to set it up at each provider is told in "
    "[Provider webhooks](../howto/provider-webhooks.md).",
    (
        Operation(
            method="GET",
            path=_ALL,
            summary="List the hooks of a credential",
            text="`confirmed_at` is since when Amazon's subscription stands, `last_call_at` is kept to the minute.",
            answer=list_of(HOOK.ref),
            paged=True,
            codes=_CODES,
            example=Example(ids=_ALL_IDS, answer=[_SHOWN]),
        ),
        Operation(
            method="POST",
            path=_ALL,
            summary="Make a hook",
            text="One for each provider of a credential. `secret` and `url_with_secret`, the address to paste at the "
            "provider, are in this answer alone; both are without a secret where the provider's own signature is enough "
            "(Mailgun, SendGrid with a `signing_key`).",
            status=201,
            answer=HOOK_WITH_SECRET.ref,
            body=provider_hooks.PROVIDER_HOOK,
            wrapper="provider_hook",
            meanings={
                "provider": "who reports",
                "signing_key": "Mailgun's HTTP webhook signing key, or the verification key of SendGrid's signed event "
                "webhook; required for Mailgun, optional for SendGrid, none for others",
                "topic_arn": "the only SNS topic that is believed; required for Amazon SES, none for others",
            },
            codes=_CODES,
            example=Example(ids=_ALL_IDS, body={"provider": "postmark"}, answer=_SHOWN),
        ),
        Operation(
            method="DELETE",
            path=_ONE,
            summary="Delete a hook",
            text="The provider's calls are refused from then on; what it reported stays.",
            status=204,
            codes=(*_CODES, "provider_hook_not_found"),
            example=Example(ids=_ONE_IDS),
        ),
        Operation(
            method="POST",
            path=f"{_ONE}/rotate_secret",
            summary="Make a new secret",
            text="Shown once; the old one is refused at once, and providers call again later. `unprocessable` where "
            "there is no secret.",
            answer=HOOK_WITH_SECRET.ref,
            body={},
            wrapper="provider_hook",
            codes=(*_CODES, "provider_hook_not_found"),
            example=Example(ids=_ONE_IDS, answer=_SHOWN | {"provider": "smtp2go"}),
        ),
        Operation(
            method="POST",
            path="/hooks/in/{provider}/{credential_id}",
            summary="What providers call",
            text="Without a bearer key; the id is the credential's. 200 `{}` once the call is stored, and again if it "
            "was stored before. 403 `insufficient_scope` for everything that is not known to be the provider's, 413 above "
            "1 MiB, 415 and 400 for what the provider itself sends unreadable, 503 `unavailable` when Amazon cannot be "
            "asked for its certificate. The body is the provider's own.",
            answer=OBJECT,
            codes=("insufficient_scope", "payload_too_large", "unsupported_media_type", "unavailable"),
            public=True,
            foreign=True,
            example=Example(
                ids={"provider": "postmark", "credential_id": "credential"},
                body={"RecordType": "Bounce"},
                refused=(403, "insufficient_scope"),
            ),
        ),
    ),
)
