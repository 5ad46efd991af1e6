"""The rows of mailboxes: which there are, who reads which, how far, and what went wrong.

A mailbox is leased for a poll, and stays with its reader while that keeps the connection open. Each lease has a higher
fence; whoever holds an older one moves nothing. What a poll found and the cursor past it are one transaction, so a
crash in between reads again, and reading again stores nothing twice (promises C1, C2).

A mailbox whose readers die is read in smaller steps, and from the second death on mail by mail; the one that the next
reader dies of is left out from then on. One that kills them otherwise is put off, each time longer.
"""

import logging
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from ampout.accounts import installation
from ampout.lib import clock, database_clock, dice, sql
from credentials.models import SmtpCredential
from dispatch.models import Mailbox, MailboxFolder, Message
from dispatch.rules.folders import Folder, Role
from dispatch.rules.mail.reader import Mail
from dispatch.rules.mailbox_cursor import Cursor
from dispatch.rules.message_state import MessageState
from dispatch.rules.poll_choice import DueMailbox, UnderWay, choose_mailboxes
from dispatch.rules.poll_timing import DEATHS_TO_TRIAL, next_poll
from dispatch.services import notices
from dispatch.services.evidence import resolve_by_evidence
from dispatch.services.failpoints import crash
from dispatch.services.matching import find_interest

logger = logging.getLogger(__name__)

LOOKED_AT = 4
"""Candidates looked at for each mailbox there is room for: some of them have to wait for their host or login."""
UNKNOWN_AT_ONCE = 20
"""Unknown messages searched for in a poll, the newest; each costs a question to the server."""
EVIDENCE = "sent_folder"
DEATHS_TO_PUT_OFF = 4
"""Of readers, which no single mail explains."""
DIED = "A process died while it read this mailbox. It is read again, in smaller steps."
LEFT_OUT = "A mail of this mailbox killed those who read it, and is left out."
USUAL_PAUSE = timedelta(minutes=3)
"""Between two looks into a mailbox, where the operator says nothing else."""

LONGEST_COUNT = 1_000
_DEATH_FIELDS = ("deaths", "problem", "problem_at", "next_poll_at", "is_reading", "worker_id", "lease_until")

# One transaction at a time chooses, so that no two take the same login.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('mailboxes', 0))"

_USED = """
credential.retired_at IS NULL AND credential.imap_host <> '' AND credential.imap_port IS NOT NULL
AND credential.imap_username <> '' AND credential.imap_password <> ''
"""

_ADD_NEW = f"""
INSERT INTO dispatch_mailbox (credential_id, login, next_poll_at, fence, failures, problem)
SELECT credential.id, '', %(now)s, 0, 0, '' FROM credentials_smtpcredential credential
WHERE {_USED} AND NOT EXISTS (SELECT 1 FROM dispatch_mailbox mailbox WHERE mailbox.credential_id = credential.id)
  AND {database_clock.AGREES}
ON CONFLICT DO NOTHING
"""  # noqa: S608  # constants only

# Whoever changes a credential has mended it, and wants to see it work.
_RETRY_MENDED = f"""
UPDATE dispatch_mailbox mailbox SET next_poll_at = %(now)s, failures = 0
FROM credentials_smtpcredential credential
WHERE credential.id = mailbox.credential_id AND mailbox.failures > 0 AND mailbox.next_poll_at > %(now)s
  AND credential.updated_at > mailbox.problem_at AND {database_clock.AGREES}
"""  # noqa: S608  # constants only

_FORGET_UNUSED = f"""
DELETE FROM dispatch_mailboxfolder WHERE mailbox_id IN (
    SELECT mailbox.credential_id FROM dispatch_mailbox mailbox
    JOIN credentials_smtpcredential credential ON credential.id = mailbox.credential_id
    WHERE NOT ({_USED}) AND (mailbox.lease_until IS NULL OR mailbox.lease_until < now())
)
"""  # noqa: S608  # constants only

_REMOVE_UNUSED = f"""
DELETE FROM dispatch_mailbox mailbox USING credentials_smtpcredential credential
WHERE credential.id = mailbox.credential_id AND NOT ({_USED})
  AND (mailbox.lease_until IS NULL OR mailbox.lease_until < now())
  AND NOT EXISTS (SELECT 1 FROM dispatch_mailboxfolder folder WHERE folder.mailbox_id = mailbox.credential_id)
"""  # noqa: S608  # constants only

_DUE = f"""
SELECT mailbox.credential_id, credential.imap_host || ':' || credential.imap_port || ' ' || credential.imap_username,
       credential.imap_host, mailbox.failures > 0
FROM dispatch_mailbox mailbox JOIN credentials_smtpcredential credential ON credential.id = mailbox.credential_id
WHERE mailbox.next_poll_at <= %(now)s AND {_USED}
  AND (mailbox.worker_id IS NULL OR mailbox.worker_id = %(worker)s OR mailbox.lease_until < now())
  AND NOT (mailbox.credential_id = ANY(%(busy)s)) AND {installation.IS_OWN} AND {database_clock.AGREES}
ORDER BY mailbox.next_poll_at
LIMIT %(limit)s
FOR UPDATE OF mailbox SKIP LOCKED
"""  # noqa: S608  # constants only

# A login is taken by whoever holds a connection to it, reading or resting; by us only while we read.
_TAKEN = """
SELECT mailbox.login, credential.imap_host, mailbox.next_poll_at <= %(now)s
FROM dispatch_mailbox mailbox JOIN credentials_smtpcredential credential ON credential.id = mailbox.credential_id
WHERE mailbox.lease_until >= now() AND mailbox.worker_id IS NOT NULL
  AND (mailbox.worker_id <> %(worker)s OR mailbox.credential_id = ANY(%(busy)s))
  AND (mailbox.login = ANY(%(logins)s) OR mailbox.next_poll_at <= %(now)s)
"""

_LEASE = """
UPDATE dispatch_mailbox mailbox
SET worker_id = %(worker)s, fence = mailbox.fence + 1, lease_until = now() + %(lease)s, login = chosen.login,
    is_reading = TRUE
FROM unnest(%(ids)s::uuid[], %(logins)s::text[]) AS chosen (credential_id, login)
WHERE mailbox.credential_id = chosen.credential_id
RETURNING mailbox.credential_id, mailbox.fence, mailbox.login, mailbox.failures, mailbox.deaths
"""


_MOVE_CURSOR = """
INSERT INTO dispatch_mailboxfolder (mailbox_id, name, role, uid_validity, last_uid, recent_uids)
SELECT held.credential_id, %(name)s, %(role)s, %(uid_validity)s, %(last_uid)s, %(recent)s::bigint[]
FROM (SELECT credential_id FROM dispatch_mailbox
      WHERE credential_id = %(mailbox)s AND worker_id = %(worker)s AND fence = %(fence)s FOR UPDATE) held
ON CONFLICT (mailbox_id, name) DO UPDATE
SET role = EXCLUDED.role, uid_validity = EXCLUDED.uid_validity, last_uid = EXCLUDED.last_uid,
    recent_uids = EXCLUDED.recent_uids, trial_uid = NULL,
    left_out_uids = CASE WHEN dispatch_mailboxfolder.uid_validity = EXCLUDED.uid_validity
                         THEN dispatch_mailboxfolder.left_out_uids ELSE '{}' END
"""

_LEAVE_OUT = """
UPDATE dispatch_mailboxfolder SET left_out_uids = left_out_uids || trial_uid, trial_uid = NULL
WHERE mailbox_id = ANY(%(ids)s) AND trial_uid IS NOT NULL
RETURNING mailbox_id, name, left_out_uids
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """A mailbox in a loop's hands, until the lease ends or a higher fence is given out."""

    worker_id: uuid.UUID
    credential_id: uuid.UUID
    fence: int
    login: str
    failures: int
    deaths: int = 0
    """How many readers died in a poll of it since one came to its end."""


@dataclass(frozen=True, slots=True)
class UnknownMessage:
    """A message that nobody knows the fate of, and the Message-IDs that a copy of it may carry."""

    pk: uuid.UUID
    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """What a poll has to know: how to log in, since when mail matters, how far each folder was read."""

    credential: SmtpCredential
    since: datetime
    cursors: dict[str, Cursor]
    unknown: tuple[UnknownMessage, ...]
    left_out: dict[str, frozenset[int]]
    """Of each folder the mails that killed those who read them."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A mail that is worth keeping, raw, and when the server took it in."""

    raw: bytes
    at: datetime


class Fenced(Exception):
    """The lease was lost: somebody else reads this mailbox, or nobody should."""


def login_of(credential: SmtpCredential) -> str:
    """Server and user, as Mailbox.login spells them."""
    return f"{credential.imap_host}:{credential.imap_port} {credential.imap_username}"


def sync_mailboxes(*, now: datetime) -> None:
    """A row for each credential with an IMAP login, none for others; what was mended is due now."""
    facts = {"now": now} | database_clock.facts()
    with transaction.atomic():
        sql.execute(_ADD_NEW, facts)
        sql.execute(_RETRY_MENDED, facts)
        sql.execute(_FORGET_UNUSED)
        sql.execute(_REMOVE_UNUSED)


def lease_due(
    worker_id: uuid.UUID, *, now: datetime, room: int, busy: Collection[uuid.UUID] = (), failing: int = 0
) -> list[Lease]:
    """Up to `room` mailboxes that are due; none in a restored copy, nor by a wrong clock.

    `busy` are those in this loop's hands, `failing` of which had failed.
    """
    facts = {"worker": worker_id, "now": now, "busy": list(busy), "limit": room * LOOKED_AT}
    with transaction.atomic():
        sql.execute(_ONE_AT_A_TIME)
        due = [DueMailbox(*row) for row in sql.fetch(_DUE, facts | installation.facts() | database_clock.facts())]
        if not due:
            return []
        taken = sql.fetch(_TAKEN, facts | {"logins": [mailbox.login for mailbox in due]})
        under_way = UnderWay(
            logins=frozenset(login for login, _, _ in taken),
            hosts=Counter(host for _, host, is_reading in taken if is_reading),
            failing=failing,
        )
        chosen = choose_mailboxes(due, under_way, room=room, conversations=settings.POLL_CONVERSATIONS)
        return _lease(worker_id, chosen)


def _lease(worker_id: uuid.UUID, chosen: Sequence[DueMailbox]) -> list[Lease]:
    ids = [mailbox.credential_id for mailbox in chosen]
    logins = {mailbox.credential_id: mailbox.login for mailbox in chosen}
    before = list(Mailbox.objects.filter(pk__in=ids))
    changed = [mailbox.pk for mailbox in before if mailbox.login != logins[mailbox.pk]]
    MailboxFolder.objects.filter(mailbox_id__in=changed).delete()
    # Whoever ends a poll says so; and what is due is held by a loop other than us only where its lease ran out.
    died = [mailbox for mailbox in before if mailbox.is_reading and mailbox.worker_id not in {None, worker_id}]
    put_off = _note_deaths(died, logins) if died else set()
    ids = [pk for pk in ids if pk not in put_off]
    facts = {"worker": worker_id, "ids": ids, "logins": [logins[pk] for pk in ids], "lease": _lease_time()}
    return [Lease(worker_id, *row) for row in sql.fetch(_LEASE, facts)]


def _note_deaths(died: Sequence[Mailbox], logins: Mapping[uuid.UUID, str]) -> set[uuid.UUID]:
    """Count the deaths of these mailboxes' readers; returns those that nobody shall read for a while."""
    now = clock.utc_now()
    explained = set()
    for mailbox_id, folder, uids in sql.fetch(_LEAVE_OUT, {"ids": [mailbox.pk for mailbox in died]}):
        explained.add(mailbox_id)
        logger.error("Mailbox %s: mail %d of %s killed its readers and is left out.", mailbox_id, uids[-1], folder)
    put_off = set()
    for mailbox in died:
        mailbox.problem, mailbox.problem_at = (LEFT_OUT if mailbox.pk in explained else DIED), now
        # The mail is gone; those behind it are read one by one for now.
        mailbox.deaths = DEATHS_TO_TRIAL if mailbox.pk in explained else min(mailbox.deaths + 1, LONGEST_COUNT)
        logger.warning("Mailbox %s: %s", mailbox.pk, mailbox.problem)
        if mailbox.deaths >= DEATHS_TO_PUT_OFF:
            put_off.add(mailbox.pk)
            wait = next_poll(_every(logins[mailbox.pk]), mailbox.deaths - DEATHS_TO_PUT_OFF + 1, dice.new_rng())
            mailbox.next_poll_at, mailbox.is_reading = now + wait, False
            mailbox.worker_id = mailbox.lease_until = None
        mailbox.save(update_fields=_DEATH_FIELDS)
    return put_off


def _lease_time() -> timedelta:
    return timedelta(seconds=settings.LEASE_SECONDS)


def renew_leases(worker_id: uuid.UUID, credential_ids: Collection[uuid.UUID]) -> None:
    """Extend the leases of what is being read."""
    Mailbox.objects.filter(pk__in=credential_ids, worker_id=worker_id).update(lease_until=Now() + _lease_time())


def release_all(worker_id: uuid.UUID) -> None:
    """A loop that stops gives back whatever it held."""
    Mailbox.objects.filter(worker_id=worker_id).update(worker_id=None, lease_until=None, is_reading=False)


def release_login(worker_id: uuid.UUID, login: str) -> None:
    """The connection to a login was closed; any loop may have its mailboxes."""
    Mailbox.objects.filter(worker_id=worker_id, login=login).update(worker_id=None, lease_until=None)


# -- One poll


def load_work(lease: Lease) -> Work:
    """What the poll has to know. Raises Fenced, and DecryptionFailed for a password that no key fits."""
    credential = SmtpCredential.everywhere.filter(pk=lease.credential_id, retired_at__isnull=True).first()
    if credential is None or not _reads(credential, lease):
        raise Fenced
    folders = MailboxFolder.objects.filter(mailbox_id=lease.credential_id)
    return Work(
        credential=credential,
        since=credential.created_at - timedelta(days=2),
        cursors={folder.name: _cursor_of(folder) for folder in folders},
        unknown=_unknown_messages(credential),
        left_out={folder.name: frozenset(folder.left_out_uids) for folder in folders},
    )


def _reads(credential: SmtpCredential, lease: Lease) -> bool:
    return bool(credential.imap_password) and login_of(credential) == lease.login


def _cursor_of(folder: MailboxFolder) -> Cursor:
    return Cursor(folder.uid_validity, folder.last_uid, frozenset(folder.recent_uids))


def _unknown_messages(credential: SmtpCredential) -> tuple[UnknownMessage, ...]:
    unknown = Message.objects.of(credential.account_id).filter(credential=credential, state=MessageState.UNKNOWN.value)
    newest = unknown.order_by("-wire_at").values_list("pk", "message_id", "delivered_message_id")[:UNKNOWN_AT_ONCE]
    return tuple(UnknownMessage(pk, tuple(text for text in ids if text)) for pk, *ids in newest)


def put_on_trial(lease: Lease, folder: Folder, uid: int | None) -> None:
    """Write down the one mail that is read alone now, or that none is. Raises Fenced."""
    with transaction.atomic():
        _hold(lease)
        MailboxFolder.objects.filter(mailbox_id=lease.credential_id, name=folder.name).update(trial_uid=uid)


def choose_mails(credential: SmtpCredential, mails: Sequence[Mail]) -> list[bool]:
    """Which of these mails, read from their headers, are fetched whole."""
    return find_interest(credential, mails) if mails else []


def store_batch(lease: Lease, account_id: uuid.UUID, folder: Folder, cursor: Cursor, mails: Iterable[Arrived]) -> int:
    """Store these mails and move the folder's cursor past them; returns how many were new. Raises Fenced."""
    crash("poll_before_store")
    facts = {
        "mailbox": lease.credential_id,
        "worker": lease.worker_id,
        "fence": lease.fence,
        "name": folder.name,
        "role": folder.role.value,
        "uid_validity": cursor.uid_validity,
        "last_uid": cursor.last_uid,
        "recent": sorted(cursor.recent),
    }
    with transaction.atomic():
        if not sql.execute(_MOVE_CURSOR, facts):
            raise Fenced
        crash("poll_mid_store")
        stored = sum(
            notices.store_mail(lease.credential_id, account_id, mail.raw, received_at=mail.at) for mail in mails
        )
    crash("poll_after_store")
    return stored


def forget_folders(lease: Lease, folders: Collection[Folder]) -> None:
    """Drop the cursors of folders that are there no more, or are called otherwise. Raises Fenced."""
    kept = [folder.name for folder in folders if folder.role is not Role.SENT]
    with transaction.atomic():
        _hold(lease)
        MailboxFolder.objects.filter(mailbox_id=lease.credential_id).exclude(name__in=kept).delete()


def settle_found(lease: Lease, message_ids: Collection[uuid.UUID]) -> int:
    """Copies of these unknown messages lie in the folder of sent mail: they left. Raises Fenced."""
    with transaction.atomic():
        _hold(lease)
        return resolve_by_evidence(message_ids, EVIDENCE, now=clock.utc_now())


def end_poll(lease: Lease, *, again: bool, keep: bool) -> datetime | None:
    """It went well: read it again at once where there is more, else in its time. None when the lease was lost.

    With `keep` the mailbox stays with this loop, which keeps the connection open; returns when it is due.
    """
    now = clock.utc_now()
    due = now if again else now + next_poll(_every(lease.login), 0, dice.new_rng())
    fields: dict[str, Any] = {"next_poll_at": due, "failures": 0, "is_reading": False}
    if not again:
        fields |= {"polled_at": now, "deaths": 0}
    if not again or not lease.deaths:
        fields |= {"problem": "", "problem_at": None}
    if keep:
        fields["lease_until"] = Now() + (due - now) + _lease_time()
    else:
        fields |= {"worker_id": None, "lease_until": None}
    return due if _mine(lease).update(**fields) else None


def fail_poll(lease: Lease, problem: str) -> None:
    """It failed: keep the server's words, and come back later, each time later."""
    now = clock.utc_now()
    _mine(lease).update(
        next_poll_at=now + next_poll(_every(lease.login), lease.failures + 1, dice.new_rng()),
        failures=lease.failures + 1,
        problem=problem,
        problem_at=now,
        worker_id=None,
        lease_until=None,
        is_reading=False,
    )
    facts = {"action": "poll", "credential_id": str(lease.credential_id)}
    logger.warning("Mailbox %s could not be read: %s", lease.credential_id, problem, extra=facts)


def _every(login: str) -> timedelta:
    """The operator's time between two looks; the usual one where that is meant for other hosts alone."""
    host = login.partition(" ")[0].rpartition(":")[0]
    if settings.RETRY_ONLY_FOR_HOSTS and host not in settings.RETRY_ONLY_FOR_HOSTS:
        return max(USUAL_PAUSE, timedelta(seconds=settings.POLL_EVERY_SECONDS))
    return timedelta(seconds=settings.POLL_EVERY_SECONDS)


def _mine(lease: Lease) -> QuerySet[Mailbox]:
    return Mailbox.objects.filter(pk=lease.credential_id, worker_id=lease.worker_id, fence=lease.fence)


def _hold(lease: Lease) -> None:
    """Lock the mailbox's row for this transaction. Raises Fenced when it is somebody else's."""
    if not _mine(lease).select_for_update().exists():
        raise Fenced
