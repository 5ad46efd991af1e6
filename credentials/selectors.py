"""Reads of credentials, always within one account."""

import uuid

from ampout.accounts.models import Account
from ampout.lib.addresses import InvalidAddress, parse_address
from ampout.lib.errors import NotFound
from credentials.models import SmtpCredential


def find_credential(account: Account, credential_id: uuid.UUID) -> SmtpCredential:
    """A credential that is not retired. Raises NotFound."""
    found: SmtpCredential | None = (
        SmtpCredential.objects.of(account).filter(pk=credential_id, retired_at__isnull=True).first()
    )
    if found is None:
        raise NotFound("smtp_credential_not_found")
    return found


def find_mailbox(account: Account, host: str, port: int, username: str, from_email: str) -> SmtpCredential | None:
    """The credential in use that is this mailbox: same server, same login, same address however it is spelled."""
    candidates = SmtpCredential.objects.of(account).filter(
        smtp_host=host, smtp_port=port, smtp_username=username, retired_at__isnull=True
    )
    wanted = address_identity(from_email)
    return next((one for one in candidates.order_by("pk") if address_identity(one.from_email) == wanted), None)


def address_identity(email: str) -> str:
    """By what two spellings of an address are compared; what is no address is only itself."""
    try:
        return parse_address(email).identity
    except InvalidAddress:
        return email.lower()
