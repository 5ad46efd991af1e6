"""Where a mail provider reports what became of a credential's messages, and how its calls are known to be its own."""

import uuid

from django.db import models

from ampout.accounts.scoping import AccountOwned
from ampout.lib import clock
from ampout.lib.fields import EncryptedTextField
from credentials.models.credential import SmtpCredential


class ProviderHook(AccountOwned):
    """One provider's calls about one credential, taken at `/hooks/in/<provider>/<credential>`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    credential = models.ForeignKey(SmtpCredential, on_delete=models.CASCADE, related_name="provider_hooks")
    provider = models.CharField(max_length=16)
    secret = EncryptedTextField(help_text="Ours; the provider sends it with every call.")
    signing_key = EncryptedTextField(blank=True, help_text="The provider's own key, where it signs its calls.")
    topic_arn = models.CharField(max_length=300, blank=True, help_text="The only topic that is taken from Amazon SNS.")
    confirmed_at = models.DateTimeField(null=True, blank=True, help_text="When Amazon's subscription was confirmed.")
    last_call_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.utc_now, editable=False)
    updated_at = models.DateTimeField(default=clock.utc_now, editable=False)

    class Meta(AccountOwned.Meta):
        ordering = ("-created_at", "id")
        constraints = (models.UniqueConstraint(fields=["credential", "provider"], name="one_hook_per_provider"),)

    def __str__(self) -> str:
        return f"{self.provider} for {self.credential_id}"
