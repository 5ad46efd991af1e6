"""Transactions on credentials: one mailbox is one credential, whichever campaign names it."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

from django.db import connection, transaction

from ampout.accounts.models import Account
from ampout.lib import clock
from ampout.lib.errors import NotFound, ValidationFailed, problems_below
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
    plus_addressing: bool


@dataclass(frozen=True, slots=True)
class Admission:
    """A credential after its values were taken in.

    `new_limit` is the daily limit asked of a credential that was there before: lowering it releases reservations, so
    dispatch sets it. It is None when nothing was asked, and for a new credential, which has it already.
    """

    credential: SmtpCredential
    created: bool = False
    new_limit: int | None = None


@dataclass(frozen=True, slots=True)
class CredentialEntry:
    """A credential as a caller names it: by `credential_id`, or by the values of its mailbox."""

    values: CredentialValues = field(repr=False)
    credential_id: uuid.UUID | None = None


@transaction.atomic
def admit_credentials(
    account: Account, entries: Sequence[CredentialEntry], *, now: datetime | None = None
) -> list[Admission]:
    """The account's credentials that these entries name, one for each, with the fields given; new where none is known.

    They stay locked until the transaction ends, so that none is retired meanwhile. Raises NotFound for an id, and
    ValidationFailed, with paths such as `0.smtp_host`, when a new one lacks a required field.
    """
    now = now or clock.utc_now()
    _one_at_a_time(account)
    known = [_find_known(account, entry) for entry in entries]
    locked = _lock({credential.pk for credential in known if credential is not None})
    admissions = []
    for index, (entry, credential) in enumerate(zip(entries, known, strict=True)):
        with problems_below(str(index)):
            held = locked.get(credential.pk) if credential else None
            admissions.append(_admit(account, entry, held, now))
    return admissions


@transaction.atomic
def admit_credential(account: Account, entry: CredentialEntry, *, now: datetime | None = None) -> Admission:
    """As `admit_credentials`, of one entry; the fields that ValidationFailed names have no path."""
    _one_at_a_time(account)
    known = _find_known(account, entry)
    held = None if known is None else _lock({known.pk}).get(known.pk)
    return _admit(account, entry, held, now or clock.utc_now())


def _find_known(account: Account, entry: CredentialEntry) -> SmtpCredential | None:
    if entry.credential_id is not None:
        return find_credential(account, entry.credential_id)
    values = entry.values
    if not all(name in values for name in _MAILBOX):
        return None
    return find_mailbox(
        account, values["smtp_host"], values["smtp_port"], values["smtp_username"], values["from_email"]
    )


def _lock(credential_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, SmtpCredential]:
    """Those that are still in use, locked in the order of their ids, as every `wire` takes them."""
    rows = SmtpCredential.everywhere.select_for_update(no_key=True).filter(
        pk__in=credential_ids, retired_at__isnull=True
    )
    return {credential.pk: credential for credential in rows.order_by("pk")}


def _admit(account: Account, entry: CredentialEntry, held: SmtpCredential | None, now: datetime) -> Admission:
    if entry.credential_id is not None and held is None:
        raise NotFound("smtp_credential_not_found")
    # An entry before this one may have made its mailbox.
    held = held or _find_known(account, entry)
    if held is None:
        return _create(account, entry.values, now)
    _check_mailbox_is_free(account, held, entry.values)
    return _take_in(held, entry.values, now)


def _create(account: Account, values: CredentialValues, now: datetime) -> Admission:
    missing = {name: ["This field is required."] for name in REQUIRED if name not in values}
    if missing:
        raise ValidationFailed(missing)
    created = SmtpCredential.objects.create(
        account=account, created_at=now, updated_at=now, enabled_since=now, **values
    )
    return Admission(created, created=True)


@transaction.atomic
def update_credential(
    account: Account, credential_id: uuid.UUID, values: CredentialValues, *, now: datetime | None = None
) -> Admission:
    """Change fields of a credential. Raises NotFound, and ValidationFailed where it would become another's mailbox."""
    return admit_credential(account, CredentialEntry(values, credential_id), now=now)


def _check_mailbox_is_free(account: Account, credential: SmtpCredential, values: CredentialValues) -> None:
    taken = find_mailbox(
        account,
        values.get("smtp_host", credential.smtp_host),
        values.get("smtp_port", credential.smtp_port),
        values.get("smtp_username", credential.smtp_username),
        values.get("from_email", credential.from_email),
    )
    if taken is not None and taken.pk != credential.pk:
        raise ValidationFailed({"from_email": [_TAKEN]})


def _take_in(credential: SmtpCredential, values: CredentialValues, now: datetime) -> Admission:
    changed = {name: value for name, value in values.items() if name != "daily_limit"}
    for name, value in changed.items():
        setattr(credential, name, value)
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
