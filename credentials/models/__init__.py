"""The models of this app."""

from credentials.models.credential import SmtpCredential

__all__ = ["SmtpCredential"]
