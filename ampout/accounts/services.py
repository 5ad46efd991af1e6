"""Transactions on accounts and keys."""

import secrets
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from ampout.accounts.models import Account, ApiKey
from ampout.accounts.rules import keys
from ampout.accounts.rules.keys import ALL_SCOPES, ClientKind, Scope
from ampout.lib import clock
from ampout.lib.errors import AmpoutError, NotFound

LAST_USED_PRECISION = timedelta(minutes=1)


class CannotRevokeLastKey(AmpoutError):
    """An account's last key with the scope admin cannot be revoked: nobody could make another one."""

    code = "cannot_revoke_last_key"


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key. `plaintext` is shown once and kept nowhere."""

    key: ApiKey
    plaintext: str

    def __repr__(self) -> str:
        return f"IssuedKey({self.key.prefix}…)"


def create_account(email: str, name: str, *, now: datetime | None = None) -> Account:
    """A new account, without a key."""
    return Account.objects.create(email=email, name=name, created_at=now or clock.utc_now())


def update_account(account: Account, **values: str) -> Account:
    """Set the account's own texts: `name`, `sender_name`, `postal_address`."""
    for name, value in values.items():
        setattr(account, name, value)
    account.save(update_fields=list(values))
    return account


def issue_key(
    account: Account,
    *,
    label: str = "",
    client_kind: ClientKind = ClientKind.DIRECT,
    scopes: Collection[str] = ALL_SCOPES,
    now: datetime | None = None,
) -> IssuedKey:
    """A new bearer key of this account."""
    plaintext = keys.format_key(secrets.token_bytes(keys.RANDOM_BYTES))
    key = ApiKey.objects.create(
        account=account,
        label=label,
        client_kind=client_kind.value,
        scopes=[scope for scope in ALL_SCOPES if scope in scopes],
        prefix=keys.visible_prefix(plaintext),
        digest=keys.key_digest(plaintext),
        created_at=now or clock.utc_now(),
    )
    return IssuedKey(key, plaintext)


@transaction.atomic
def sign_up(email: str, name: str) -> tuple[Account, IssuedKey]:
    """A new account and its first key."""
    account = create_account(email, name)
    return account, issue_key(account, label="first key")


@transaction.atomic
def revoke_key(account: Account, key_id: uuid.UUID, *, now: datetime | None = None) -> None:
    """End a key at once. Raises NotFound and CannotRevokeLastKey."""
    # The account's row serialises two revocations of the last two keys.
    Account.objects.select_for_update().get(pk=account.pk)
    live = ApiKey.objects.of(account).filter(revoked_at__isnull=True)
    key = live.filter(pk=key_id).first()
    if key is None:
        raise NotFound("api_key_not_found")
    if not live.exclude(pk=key_id).filter(scopes__contains=[Scope.ADMIN.value]).exists():
        raise CannotRevokeLastKey(
            "This is the account's last key that can make others. Create another one before you revoke it."
        )
    key.revoked_at = now or clock.utc_now()
    key.save(update_fields=["revoked_at"])


def limit_key(key_id: uuid.UUID, *, is_limited: bool) -> bool:
    """Hold a key to the rate limit, or let it go without one. False when nothing changed."""
    return bool(ApiKey.everywhere.filter(pk=key_id, is_rate_limited=not is_limited).update(is_rate_limited=is_limited))


def find_key(plaintext: str, *, now: datetime | None = None) -> ApiKey | None:
    """The live key with this text, with its account; notes its use at most once a minute."""
    key: ApiKey | None = (
        ApiKey.everywhere.select_related("account")
        .filter(digest=keys.key_digest(plaintext), revoked_at__isnull=True)
        .first()
    )
    if key is not None:
        _note_use(key, now or clock.utc_now())
    return key


def _note_use(key: ApiKey, now: datetime) -> None:
    if key.last_used_at is not None and now - key.last_used_at < LAST_USED_PRECISION:
        return
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - LAST_USED_PRECISION)
    ApiKey.everywhere.filter(stale, pk=key.pk).update(last_used_at=now)


def suspend_account(account_id: uuid.UUID, reason: str, *, now: datetime | None = None) -> bool:
    """Stop every key and every `wire` of an account, until it is lifted. False when it was suspended already."""
    return bool(
        Account.objects.filter(pk=account_id, suspended_at__isnull=True).update(
            suspended_at=now or clock.utc_now(), suspension_reason=reason
        )
    )


def lift_suspension(account_id: uuid.UUID) -> bool:
    """Let an account work again. False when it was not suspended."""
    return bool(
        Account.objects.filter(pk=account_id, suspended_at__isnull=False).update(
            suspended_at=None, suspension_reason=""
        )
    )
