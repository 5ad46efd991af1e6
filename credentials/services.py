"""Transactions on credentials: one mailbox is one credential, whichever campaign names it."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from django.db import connection, transaction

from ampout.accounts.models import Account
from ampout.lib import clock
from ampout.lib.errors import ValidationFailed
from credentials.models import SmtpCredential
from credentials.selectors import find_credential, find_mailbox

REQUIRED = ("smtp_host", "smtp_port", "smtp_username", "smtp_password", "from_email", "daily_limit")
"""What a new credential cannot do without; a known mailbox has them already."""

_MAILBOX = ("smtp_host", "smtp_port", "smtp_username", "from_email")
_TAKEN = "Another credential of this account is this mailbox (same server, login and address) already."


class CredentialValues(TypedDict, total=False):
    """The fields of a credential that a caller gave, checked one by one. Passwords are plain here and nowhere else."""

    label: str
    smtp_host: str
    smtp_port: int
    smtp_username: str
    smtp_password: str
    from_name: str
    from_email: str
    daily_limit: int
    imap_host: str
    imap_port: int | None
    imap_username: str
    imap_password: str


@dataclass(frozen=True, slots=True)
class Admission:
    """A credential after its values were taken in.

    `new_limit` is the daily limit asked of a credential that was there before: lowering it releases reservations, so
    dispatch sets it. It is None when nothing was asked, and for a new credential, which has it already.
    """

    credential: SmtpCredential
    created: bool = False
    new_limit: int | None = None


@transaction.atomic
def admit_credential(account: Account, values: CredentialValues, *, now: datetime | None = None) -> Admission:
    """The account's credential for this mailbox: the one in use, with the fields given, or a new one.

    Raises ValidationFailed when a new one lacks a required field.
    """
    if all(field in values for field in _MAILBOX):
        _one_at_a_time(account)
        known = find_mailbox(
            account, values["smtp_host"], values["smtp_port"], values["smtp_username"], values["from_email"]
        )
        if known is not None:
            return _take_in(known, values, now or clock.utc_now())
    missing = {field: ["This field is required."] for field in REQUIRED if field not in values}
    if missing:
        raise ValidationFailed(missing)
    now = now or clock.utc_now()
    created = SmtpCredential.objects.create(
        account=account, created_at=now, updated_at=now, enabled_since=now, **values
    )
    return Admission(created, created=True)


@transaction.atomic
def update_credential(
    account: Account, credential_id: uuid.UUID, values: CredentialValues, *, now: datetime | None = None
) -> Admission:
    """Change fields of a credential. Raises NotFound, and ValidationFailed where it would become another's mailbox."""
    _one_at_a_time(account)
    credential = find_credential(account, credential_id)
    known = find_mailbox(
        account,
        values.get("smtp_host", credential.smtp_host),
        values.get("smtp_port", credential.smtp_port),
        values.get("smtp_username", credential.smtp_username),
        values.get("from_email", credential.from_email),
    )
    if known is not None and known.pk != credential.pk:
        raise ValidationFailed({"from_email": [_TAKEN]})
    return _take_in(credential, values, now or clock.utc_now())


def _take_in(credential: SmtpCredential, values: CredentialValues, now: datetime) -> Admission:
    changed = {field: value for field, value in values.items() if field != "daily_limit"}
    for field, value in changed.items():
        setattr(credential, field, value)
    if changed:
        credential.updated_at = now
        credential.save(update_fields=[*changed, "updated_at"])
    limit = values.get("daily_limit")
    return Admission(credential, new_limit=None if limit == credential.daily_limit else limit)


def _one_at_a_time(account: Account) -> None:
    """Until the transaction ends, nobody else admits a credential to this account.

    The unique constraint compares spellings; two of one address must not become two credentials.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"credentials:{account.pk}"])
