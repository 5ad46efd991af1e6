"""Taking in what a provider reports: the call is stored, and what it says of the hook itself is noted."""

from datetime import datetime

from django.db import transaction

from credentials.models import ProviderHook
from credentials.provider_hooks import is_confirmed, note_call, note_subscription
from dispatch.models import Notice
from dispatch.rules.sns import SnsMessage, SnsType
from dispatch.services import notices


class TokenReused(Exception):
    """A signature that does not cover the body came again with another body: a forgery."""


@transaction.atomic
def take_in(
    hook: ProviderHook,
    body: bytes,
    dedupe: bytes,
    *,
    received_at: datetime,
    once: bool = False,
    sns: SnsMessage | None = None,
) -> bool:
    """Store an authenticated call; False when it was there already. It is committed when this returns.

    Raises TokenReused where the call may come `once` with one body only, and came with another before.
    """
    is_new = notices.store_call(hook, body, dedupe, received_at=received_at)
    if not is_new and once and not _is_same(hook, body, dedupe):
        raise TokenReused
    note_call(hook, received_at)
    if is_new and sns is not None and sns.type is not SnsType.NOTIFICATION:
        # Asked for anew, or ended: either way it does not stand at this moment.
        note_subscription(hook, None)
    return is_new


def wants_confirmation(hook: ProviderHook, sns: SnsMessage | None) -> bool:
    """Whether Amazon waits for us to confirm the subscription that this call is about."""
    return sns is not None and sns.type is SnsType.SUBSCRIPTION_CONFIRMATION and not is_confirmed(hook)


def _is_same(hook: ProviderHook, body: bytes, dedupe: bytes) -> bool:
    stored = Notice.objects.of(hook.account_id).filter(credential=hook.credential_id, dedupe=dedupe)
    # One that was judged and emptied since cannot be compared; whatever comes under its token is not stored anyway.
    return any(bytes(one) in (b"", body) for one in stored.values_list("body", flat=True))
