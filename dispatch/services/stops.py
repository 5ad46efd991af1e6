"""Stop facts: they update the enrollments' rows, so that no `wire` commits after them (design, law 5).

Locks are taken in the order suppression rows by digest, contacts by id, enrollments by id, messages.
"""

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from ampout.accounts.models import Account
from ampout.events.kinds import EventKind
from ampout.events.services import Fact, record_events
from ampout.lib import clock
from ampout.lib.addresses import Address
from ampout.lib.errors import NotFound
from campaigns.models import Contact, Enrollment, Suppression
from campaigns.rules.enrollment_state import STATUS_OF_STOP, EnrollmentStatus, StopReason, stopped
from campaigns.rules.suppression import SCOPE_OF, SuppressionReason, SuppressionScope, stronger
from campaigns.services.digests import address_digest, domain_digest
from dispatch.models import Message
from dispatch.rules.message_state import UNSTARTED, MessageState
from dispatch.services.enrollment_events import enrollment_data

STOP_OF_SUPPRESSION: dict[SuppressionReason, StopReason] = {
    SuppressionReason.UNSUBSCRIBED: StopReason.UNSUBSCRIBED,
    SuppressionReason.HARD_BOUNCE: StopReason.BOUNCED,
    SuppressionReason.COMPLAINT: StopReason.COMPLAINED,
    SuppressionReason.MANUAL: StopReason.SUPPRESSED,
}

_EVENT_OF_STATUS: dict[EnrollmentStatus, EventKind] = {
    EnrollmentStatus.REPLIED: EventKind.ENROLLMENT_REPLIED,
    EnrollmentStatus.BOUNCED: EventKind.ENROLLMENT_BOUNCED,
    EnrollmentStatus.UNSUBSCRIBED: EventKind.ENROLLMENT_UNSUBSCRIBED,
}


_STOPPED_FIELDS = [
    "status",
    "stopped_at",
    "stop_reason",
    "next_due_at",
    "wait_reason",
    "replied_at",
    "bounced_at",
    "bounce_reason",
    "unsubscribed_at",
]


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """Whom a suppression is about: the digest of an address, or with `kind` "domain" that of a domain."""

    digest: bytes
    kind: str = "address"


def address_target(address: Address) -> Target:
    """An address."""
    return Target(address_digest(address.identity))


def domain_target(domain: str) -> Target:
    """A domain, in A-labels and lower case."""
    return Target(domain_digest(domain), "domain")


def contact_target(contact: Contact) -> Target:
    """The address of a contact."""
    return Target(bytes(contact.address_digest))


def unsubscribe_contact(contact: Contact, *, now: datetime | None = None) -> None:
    """Stop campaign messages and test sends to this contact's address, in the whole account."""
    suppress_all(contact.account_id, [contact_target(contact)], SuppressionReason.UNSUBSCRIBED, now=now)


def unsubscribe_all(account: Account, targets: Iterable[Target], *, now: datetime | None = None) -> int:
    """Stop campaign messages and test sends to all of these at once; how many they are."""
    return len(suppress_all(account.pk, targets, SuppressionReason.UNSUBSCRIBED, now=now))


def lift_suppression(account: Account, suppression_id: uuid.UUID) -> None:
    """Take an entry off the list; what it stopped stays stopped. Raises NotFound."""
    # The row stays, without a scope: it is what single messages to the address lock.
    found = Suppression.objects.of(account).filter(pk=suppression_id).exclude(scope="")
    if not found.update(scope="", reason="", suppressed_at=None):
        raise NotFound("not_found")


@transaction.atomic
def suppress_all(
    account_id: uuid.UUID, targets: Iterable[Target], reason: SuppressionReason, *, now: datetime | None = None
) -> dict[Target, Suppression]:
    """Suppress whoever has these digests, and stop their enrollments; a stronger suppression is never weakened."""
    now = now or clock.utc_now()
    wanted = sorted(set(targets))
    suppressions = _mark(account_id, wanted, reason, now)
    contacts = Contact.objects.of(account_id).filter(_concerned(wanted))
    enrollments = Enrollment.objects.of(account_id).filter(contact__in=contacts)
    stop_enrollments(enrollments.values_list("pk", flat=True), STOP_OF_SUPPRESSION[reason], now=now)
    return suppressions


def mark_address(
    account_id: uuid.UUID, digest: bytes, reason: SuppressionReason, *, now: datetime, kind: str = "address"
) -> Suppression:
    """What comes before any lock on enrollments: the suppression's row, and the mark on the contacts at the address."""
    target = Target(digest, kind)
    return _mark(account_id, [target], reason, now)[target]


def _mark(
    account_id: uuid.UUID, targets: Sequence[Target], reason: SuppressionReason, now: datetime
) -> dict[Target, Suppression]:
    suppressions = _note(account_id, targets, reason, now)
    if reason is SuppressionReason.UNSUBSCRIBED:
        contacts = Contact.objects.of(account_id).filter(_concerned(targets), unsubscribed_at__isnull=True)
        # In the order of their ids, as an enrolment and a deletion hold them.
        ids = list(contacts.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
        Contact.everywhere.filter(pk__in=ids).update(unsubscribed_at=now)
    return suppressions


def _concerned(targets: Collection[Target]) -> Q:
    """The contacts at these addresses and domains."""
    addresses = [target.digest for target in targets if target.kind != "domain"]
    domains = [target.digest for target in targets if target.kind == "domain"]
    if not domains:
        return Q(address_digest__in=addresses)
    return Q(domain_digest__in=domains) | Q(address_digest__in=addresses) if addresses else Q(domain_digest__in=domains)


def note_suppression(
    account_id: uuid.UUID, digest: bytes, reason: SuppressionReason, *, now: datetime, kind: str = "address"
) -> Suppression:
    """Write the suppression's row alone, locked until the transaction ends."""
    target = Target(digest, kind)
    return _note(account_id, [target], reason, now)[target]


def _note(
    account_id: uuid.UUID, targets: Sequence[Target], reason: SuppressionReason, now: datetime
) -> dict[Target, Suppression]:
    """The rows, written and locked in the order of their digests, in which `targets` come."""
    rows = [Suppression(account_id=account_id, digest=target.digest, kind=target.kind) for target in targets]
    Suppression.objects.bulk_create(rows, ignore_conflicts=True)
    digests = [target.digest for target in targets]
    found = Suppression.everywhere.select_for_update().filter(account_id=account_id, digest__in=digests)
    by_digest = {bytes(row.digest): row for row in found.order_by("digest")}
    scope = SCOPE_OF[reason]
    weaker = [row for row in by_digest.values() if _is_weaker(row.scope, scope)]
    for row in weaker:
        row.scope, row.reason, row.suppressed_at = scope.value, reason.value, now
    Suppression.everywhere.bulk_update(weaker, ["scope", "reason", "suppressed_at"])
    return {target: by_digest[target.digest] for target in targets}


def _is_weaker(held: str, scope: SuppressionScope) -> bool:
    return not held or stronger(SuppressionScope(held), scope) != held


def lock_enrollments(ids: Collection[uuid.UUID]) -> list[Enrollment]:
    """These enrollments, locked in the order of their ids, with their contacts.

    The contacts are read after the locks: whoever was erased while we waited for them has no address any more.
    """
    locked = Enrollment.everywhere.select_for_update(no_key=True).filter(pk__in=list(ids)).order_by("pk")
    return list(locked.prefetch_related("contact"))


def stop_enrollments(
    ids: Collection[uuid.UUID],
    reason: StopReason,
    *,
    now: datetime,
    bounce_reason: str = "",
    replied_at: datetime | None = None,
) -> None:
    """Stop these enrollments, raise their status, cancel what has not started, and tell of each change once.

    `replied_at` is when a reply came in, where that is another time than `now`.
    """
    enrollments = lock_enrollments(ids)
    before = {enrollment.pk: enrollment.status for enrollment in enrollments}
    for enrollment in enrollments:
        _stop(enrollment, reason, now, bounce_reason)
        if STATUS_OF_STOP[reason] is EnrollmentStatus.REPLIED and enrollment.replied_at is None:
            enrollment.replied_at = replied_at or now
    Enrollment.everywhere.bulk_update(enrollments, _STOPPED_FIELDS, batch_size=500)
    cancel_unstarted([enrollment.pk for enrollment in enrollments], reason.value, now=now)
    risen = [enrollment for enrollment in enrollments if enrollment.status != before[enrollment.pk]]
    record_events([_fact(enrollment) for enrollment in risen], now=now)


def _stop(enrollment: Enrollment, reason: StopReason, now: datetime, bounce_reason: str) -> None:
    """Raise the status, also of one that stopped before; the first reason to stop stays."""
    enrollment.status = stopped(EnrollmentStatus(enrollment.status), reason).value
    if enrollment.stopped_at is None:
        enrollment.stopped_at, enrollment.stop_reason = now, reason.value
    enrollment.next_due_at, enrollment.wait_reason = None, ""
    reached = STATUS_OF_STOP[reason]
    if reached is EnrollmentStatus.BOUNCED and enrollment.bounced_at is None:
        enrollment.bounced_at, enrollment.bounce_reason = now, bounce_reason[:500]
    if reached is EnrollmentStatus.UNSUBSCRIBED and enrollment.unsubscribed_at is None:
        enrollment.unsubscribed_at = now


def _fact(enrollment: Enrollment) -> Fact:
    kind = _EVENT_OF_STATUS[EnrollmentStatus(enrollment.status)]
    return Fact(enrollment.account_id, kind, f"{kind}:{enrollment.pk}", enrollment_data(enrollment))


def cancel_unstarted(enrollment_ids: Sequence[uuid.UUID], reason: str, *, now: datetime) -> int:
    """Cancel the messages of these enrollments that nobody holds; a claimed one is refused its `wire` instead."""
    unstarted = Message.everywhere.filter(
        enrollment_id__in=enrollment_ids, state__in=[state.value for state in UNSTARTED]
    )
    # In the order of their ids, as a pause or a disabling takes back slots of the same messages.
    ids = list(unstarted.select_for_update().order_by("pk").values_list("pk", flat=True))
    return Message.everywhere.filter(pk__in=ids).update(
        state=MessageState.CANCELLED.value, reason=reason, due_at=None, settled_at=now
    )
