"""Suppressing one address or one domain, as the API does with a list of them."""

import uuid
from datetime import datetime

from ampout.accounts.models import Account
from ampout.lib.addresses import Address
from campaigns.models import Suppression
from campaigns.rules.suppression import SuppressionReason
from dispatch.services.stops import Target, address_target, domain_target, suppress_all


def suppress_address(
    account: Account, address: Address, reason: SuppressionReason, *, now: datetime | None = None
) -> Suppression:
    """Put an address on the account's list."""
    return _suppress(account, address_target(address), reason, now)


def suppress_domain(
    account: Account, domain: str, reason: SuppressionReason, *, now: datetime | None = None
) -> Suppression:
    """Put a domain on the account's list."""
    return _suppress(account, domain_target(domain), reason, now)


def suppress_digest(account_id: uuid.UUID, digest: bytes, reason: SuppressionReason, *, now: datetime) -> object:
    """Put the address that has this digest on the list."""
    return suppress_all(account_id, [Target(digest)], reason, now=now)


def _suppress(account: Account, target: Target, reason: SuppressionReason, now: datetime | None) -> Suppression:
    return suppress_all(account.pk, [target], reason, now=now)[target]
