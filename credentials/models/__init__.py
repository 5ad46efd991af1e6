"""The models of this app."""

from credentials.models.credential import SmtpCredential
from credentials.models.provider_hook import ProviderHook

__all__ = ["ProviderHook", "SmtpCredential"]
