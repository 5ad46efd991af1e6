"""Provider hooks: where a mail provider reports about a credential's messages. Secrets are shown once."""

import uuid
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api.fields import Choice, Secret, Text
from ampout.api.smtp_credentials import CampaignCredentialResource
from credentials.models import ProviderHook
from credentials.provider_hooks import (
    IssuedSecret,
    create_hook,
    delete_hook,
    hook_url,
    hooks_of,
    rotate_hook_secret,
    url_with_secret,
)
from credentials.rules.hook_provider import LONGEST_SIGNING_KEY, HookProvider

PROVIDER_HOOK = {
    "provider": Choice(words=tuple(HookProvider), required=True),
    "signing_key": Secret(longest=LONGEST_SIGNING_KEY, blank=True),
    "topic_arn": Text(longest=300),
}


def show_hook(hook: ProviderHook) -> dict[str, Any]:
    """A hook without its secrets."""
    return {
        "id": hook.pk,
        "provider": hook.provider,
        "url": hook_url(hook),
        "topic_arn": hook.topic_arn or None,
        "has_signing_key": bool(hook.signing_key),
        "confirmed_at": hook.confirmed_at,
        "last_call_at": hook.last_call_at,
        "created_at": hook.created_at,
    }


def show_issued_secret(issued: IssuedSecret) -> dict[str, Any]:
    """A hook with its new secret, and the URL to paste at the provider."""
    return show_hook(issued.hook) | {"secret": issued.secret or None, "url_with_secret": url_with_secret(issued)}


class ProviderHooks(CampaignCredentialResource):
    """`GET|POST /campaigns/:id/smtp_credentials/:id/provider_hooks`."""

    def get(self, _request: Request, campaign_id: uuid.UUID, smtp_credential_id: uuid.UUID) -> Response:
        """The credential's hooks."""
        return self.answer_list(hooks_of(self.find(campaign_id, smtp_credential_id)), show_hook)

    def post(self, _request: Request, campaign_id: uuid.UUID, smtp_credential_id: uuid.UUID) -> Response:
        """Make a hook for a provider."""
        credential = self.find(campaign_id, smtp_credential_id)
        values = self.read("provider_hook", PROVIDER_HOOK)
        issued = create_hook(
            credential,
            HookProvider(values["provider"]),
            signing_key=values.get("signing_key", ""),
            topic_arn=values.get("topic_arn", ""),
        )
        return Response(show_issued_secret(issued), status=201)


class ProviderHookDetail(CampaignCredentialResource):
    """`DELETE /campaigns/:id/smtp_credentials/:id/provider_hooks/:id`."""

    def delete(
        self, _request: Request, campaign_id: uuid.UUID, smtp_credential_id: uuid.UUID, provider_hook_id: uuid.UUID
    ) -> Response:
        """Refuse the provider's calls from now on."""
        delete_hook(self.find(campaign_id, smtp_credential_id), provider_hook_id)
        return Response(status=204)


class RotateProviderHookSecret(CampaignCredentialResource):
    """`POST /campaigns/:id/smtp_credentials/:id/provider_hooks/:id/rotate_secret`."""

    def post(
        self, _request: Request, campaign_id: uuid.UUID, smtp_credential_id: uuid.UUID, provider_hook_id: uuid.UUID
    ) -> Response:
        """Make a new secret; the old one is refused at once."""
        credential = self.find(campaign_id, smtp_credential_id)
        self.read("provider_hook", {})
        return Response(show_issued_secret(rotate_hook_secret(credential, provider_hook_id)))
