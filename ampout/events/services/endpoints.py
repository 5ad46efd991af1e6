"""What an account, or an operator, does with its webhooks."""

import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from ampout.accounts.models import Account
from ampout.events.gateways.webhook_call import PORTS
from ampout.events.models import WebhookDelivery, WebhookEndpoint
from ampout.events.rules.delivery_state import DeliveryState, DisabledReason
from ampout.events.rules.filters import ALL
from ampout.events.rules.signature import SECRET_BYTES, format_secret
from ampout.events.services.outcomes import disable_locked
from ampout.lib import clock, http
from ampout.lib.crypto import DecryptionFailed
from ampout.lib.errors import NotFound, Unprocessable, ValidationFailed
from ampout.lib.http import HttpFailure, HttpFailureReason

MOST_ENDPOINTS = 50
"""Of one account."""
_HEALTH = ("consecutive_failures", "failing_since", "last_failure_at", "disabled_at", "disabled_reason")

ROTATION_OVERLAP = timedelta(hours=24)
"""How long calls are signed by the old secret too."""


def create_endpoint(
    account: Account,
    url: str,
    event_filters: Sequence[str] = (ALL,),
    *,
    host: str | None = None,
    now: datetime | None = None,
) -> WebhookEndpoint:
    """A new endpoint with its secret, for events from now on. Within a transaction, give the `host` of `check_url`.

    Raises ValidationFailed for a URL that must not be called, Unprocessable when the account has too many.
    """
    host = host or check_url(url)
    now = now or clock.utc_now()
    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        if WebhookEndpoint.objects.of(account).filter(deleted_at__isnull=True).count() >= MOST_ENDPOINTS:
            raise Unprocessable(f"An account has at most {MOST_ENDPOINTS} webhooks. Delete one, or let one take more.")
        created: WebhookEndpoint = WebhookEndpoint.objects.create(
            account=account,
            url=url,
            host=host,
            event_filters=list(event_filters),
            secret=new_secret(),
            created_at=now,
            updated_at=now,
        )
    return created


def update_endpoint(
    account: Account,
    endpoint_id: uuid.UUID,
    *,
    url: str | None = None,
    host: str | None = None,
    event_filters: Sequence[str] | None = None,
    enable: bool = False,
    now: datetime | None = None,
) -> WebhookEndpoint:
    """Change an endpoint; `enable` puts a disabled one back to work, `host` is `check_url`'s, as at creation.

    Raises NotFound and ValidationFailed.
    """
    now = now or clock.utc_now()
    find_endpoint(account, endpoint_id)
    host = check_url(url) if url is not None and host is None else host
    with transaction.atomic():
        endpoint = _lock(account, endpoint_id)
        changed = ["updated_at", "hold_until", "event_filters", *_HEALTH]
        if url is not None and host is not None:
            endpoint.url, endpoint.host, endpoint.hold_until = url, host, None
            changed += ["url", "host"]
        if event_filters is not None:
            endpoint.event_filters = list(event_filters)
        if enable:
            _enable(endpoint)
        endpoint.updated_at = now
        # By name: an unreadable secret must not keep the rest from being mended.
        endpoint.save(update_fields=changed)
    return endpoint


def rotate_secret(account: Account, endpoint_id: uuid.UUID, *, now: datetime | None = None) -> WebhookEndpoint:
    """Give an endpoint a new secret; the one before it stays valid for a day. Raises NotFound."""
    now = now or clock.utc_now()
    with transaction.atomic():
        endpoint = _lock(account, endpoint_id)
        endpoint.previous_secret, endpoint.previous_secret_until = _old_secret(endpoint), now + ROTATION_OVERLAP
        endpoint.secret, endpoint.updated_at = new_secret(), now
        endpoint.save(update_fields=["secret", "previous_secret", "previous_secret_until", "updated_at"])
    return endpoint


def delete_endpoint(account: Account, endpoint_id: uuid.UUID, *, now: datetime | None = None) -> None:
    """Nothing more is sent to it; its secrets are gone at once, its deliveries by a later tick. Raises NotFound."""
    now = now or clock.utc_now()
    live = WebhookEndpoint.objects.of(account).filter(pk=endpoint_id, deleted_at__isnull=True)
    if not live.update(deleted_at=now, updated_at=now, url="", secret="", previous_secret=""):
        raise NotFound("webhook_not_found")


def redeliver(
    account: Account, endpoint_id: uuid.UUID, delivery_id: uuid.UUID, *, now: datetime | None = None
) -> WebhookDelivery:
    """Try a delivery at once, and begin its schedule anew. Raises NotFound; Unprocessable for a disabled endpoint."""
    now = now or clock.utc_now()
    with transaction.atomic():
        endpoint = _lock(account, endpoint_id)
        delivery: WebhookDelivery | None = (
            WebhookDelivery.objects.of(account)
            .select_for_update(no_key=True, of=("self",))
            .select_related("event")
            .filter(pk=delivery_id, endpoint=endpoint)
            .first()
        )
        if delivery is None:
            raise NotFound("not_found")
        if endpoint.disabled_at is not None:
            raise Unprocessable("The webhook is disabled. Enable it first: PATCH it with `disabled_at: null`.")
        delivery.state, delivery.tries, delivery.due_at = DeliveryState.PENDING.value, 0, now
        delivery.finished_at = None
        delivery.save(update_fields=["state", "tries", "due_at", "finished_at"])
        WebhookEndpoint.objects.of(account).filter(pk=endpoint.pk).update(hold_until=None)
    return delivery


@transaction.atomic
def disable_endpoint(endpoint_id: uuid.UUID, *, now: datetime | None = None) -> bool:
    """An operator sets an endpoint aside; False when it was already."""
    locked = WebhookEndpoint.everywhere.select_for_update(no_key=True)
    endpoint: WebhookEndpoint = locked.get(pk=endpoint_id)
    if endpoint.disabled_at is not None or endpoint.deleted_at is not None:
        return False
    disable_locked(endpoint, DisabledReason.OPERATOR, now or clock.utc_now())
    endpoint.save(update_fields=["disabled_at", "disabled_reason"])
    return True


def find_endpoint(account: Account, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    """An endpoint of this account. Raises NotFound."""
    found: WebhookEndpoint | None = (
        WebhookEndpoint.objects.of(account).filter(pk=endpoint_id, deleted_at__isnull=True).first()
    )
    if found is None:
        raise NotFound("webhook_not_found")
    return found


def new_secret() -> str:
    """A fresh secret, `whsec_…`."""
    return format_secret(secrets.token_bytes(SECRET_BYTES))


def _lock(account: Account, endpoint_id: uuid.UUID) -> WebhookEndpoint:
    locked = WebhookEndpoint.objects.of(account).select_for_update(no_key=True, of=("self",))
    endpoint: WebhookEndpoint | None = locked.filter(pk=endpoint_id, deleted_at__isnull=True).first()
    if endpoint is None:
        raise NotFound("webhook_not_found")
    return endpoint


def _old_secret(endpoint: WebhookEndpoint) -> str:
    """Its secret, or none where it cannot be read any more: then nothing was signed by it either."""
    try:
        secret: str = endpoint.secret
    except DecryptionFailed:
        return ""
    return secret


def readable_url(endpoint: WebhookEndpoint) -> str | None:
    """Its URL; None when it was encrypted by a key that is gone, so that the endpoint can still be shown and mended."""
    try:
        url: str = endpoint.url
    except DecryptionFailed:
        return None
    return url


def _enable(endpoint: WebhookEndpoint) -> None:
    """As if it had never failed: what waits for it is tried at once."""
    endpoint.disabled_at, endpoint.disabled_reason = None, ""
    endpoint.consecutive_failures, endpoint.failing_since, endpoint.last_failure_at = 0, None, None
    endpoint.hold_until = None


def check_url(url: str) -> str:
    """Host and port of a URL that may be called, looked up. Silence of the DNS is no verdict: each call looks again.

    Raises ValidationFailed.
    """
    try:
        http.check_url(url, ports=PORTS)
    except HttpFailure as failure:
        if failure.reason is not HttpFailureReason.DNS_SILENT:
            raise ValidationFailed({"url": [failure.message]}) from None
    return http.parse_url(url).host_header
