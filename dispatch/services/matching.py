"""From what a mail or a provider says to the messages of the ledger it is about; always within one account (law 9)."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet

from ampout.lib import clock
from ampout.lib.addresses import InvalidAddress, parse_address
from campaigns.services.digests import address_digest
from credentials.models import SmtpCredential
from credentials.presets import preset_for
from dispatch.models import Message
from dispatch.rules.mail.reader import Mail
from dispatch.rules.matching import Candidate, Clues, MatchedBy, bracketed, known_candidates, read_clues, senders
from dispatch.rules.message_id import is_ours
from dispatch.rules.return_path import read_return_path
from dispatch.rules.triage import looks_like_notice

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a mailbox server's clock may be behind ours."""

AMAZON = "amazonses.com"


def find_interest(credential: SmtpCredential, mails: Sequence[Mail]) -> list[bool]:
    """Which of these mails, of which the headers are enough, may concern what this mailbox sent.

    At most three queries, however many mails there are.
    """
    clues = [clues_of(mail) for mail in mails]
    known = _known_ids(credential.account_id, {one for each in clues for one in each.message_ids})
    digests = [sender_digests(mail) for mail in mails]
    written_to = _written_to(credential, {digest for each in digests for digest in each}, clock.utc_now())
    return [
        bool(each.tokens)
        or not known.isdisjoint(each.message_ids)
        or not written_to.isdisjoint(digest)
        or looks_like_notice(mail)
        for mail, each, digest in zip(mails, clues, digests, strict=True)
    ]


def clues_of(mail: Mail, more_ids: Sequence[str] = ()) -> Clues:
    """A mail's clues; tokens count only where their signature is ours."""
    key = settings.DIGEST_KEY.encode()
    return read_clues(mail, lambda address: read_return_path(address, key), more_ids)


def digest_of(address: str) -> bytes | None:
    """The keyed hash of an address as the ledger keeps it; None for what is no address that we write to."""
    try:
        return address_digest(parse_address(address).identity)
    except InvalidAddress:
        return None


def sender_digests(mail: Mail) -> set[bytes]:
    """The keyed hashes of who wrote it."""
    return {digest for digest in map(digest_of, senders(mail)) if digest is not None}


def find_known(account_id: uuid.UUID, clues: Clues) -> list[Candidate]:
    """The account's messages that the clues name by token or Message-ID, in the order of trust. Three queries."""
    tokens = _candidates(Message.objects.of(account_id).filter(pk__in=clues.tokens), MatchedBy.TOKEN)
    by_token = {candidate.message_id: candidate for _, candidate in tokens} if clues.tokens else {}
    return known_candidates(clues, by_token, find_by_ids(account_id, clues.message_ids))


def find_by_ids(account_id: uuid.UUID, message_ids: Collection[str]) -> dict[str, Candidate]:
    """The account's messages by those of these Message-IDs, in angle brackets, that are theirs. Two queries."""
    ours, others = _sorted_out(message_ids)
    found: dict[str, Candidate] = {}
    rows: QuerySet[Message] = Message.objects.of(account_id)
    if ours:
        kept = _candidates(rows.filter(message_id__in=set(ours.values())), MatchedBy.MESSAGE_ID)
        by_stored = {row.message_id: candidate for row, candidate in kept}
        found |= {asked: by_stored[stored] for asked, stored in ours.items() if stored in by_stored}
    if others:
        # Said twice, so that the partial index serves however many are asked for.
        named = rows.filter(delivered_message_id__in=others).exclude(delivered_message_id="")
        replaced = _candidates(named, MatchedBy.DELIVERED_ID)
        found |= {row.delivered_message_id: candidate for row, candidate in replaced}
    return found


def find_latest_to(
    credential_id: uuid.UUID, account_id: uuid.UUID, digests: Collection[bytes], *, at: datetime, by: MatchedBy
) -> dict[bytes, Candidate]:
    """The newest message that this mailbox sent to each of these addresses before `at`, by the address's hash."""
    if not digests:
        return {}
    rows = Message.objects.of(account_id).filter(
        _sent_within(at), credential=credential_id, recipient_digest__in=digests
    )
    if by is MatchedBy.SENDER:
        # A test message has no sequence that an answer could stop.
        rows = rows.exclude(enrollment=None)
    latest = rows.order_by("recipient_digest", "-wire_at", "-pk").distinct("recipient_digest")
    return {candidate.recipient: candidate for _, candidate in _candidates(latest, by)}


def forms_of_provider_id(found: str, smtp_host: str) -> tuple[str, ...]:
    """How an id that a provider names may stand in the ledger: in brackets, and Amazon's with the host it came from."""
    if "@" in found or not found:
        return (bracketed(found),)
    preset = preset_for(smtp_host)
    region = preset.message_id.region_names.get(preset.region, preset.region) if preset is not None else ""
    return tuple(bracketed(f"{found}@{name}.{AMAZON}") for name in dict.fromkeys((region, "email")) if name)


def _sorted_out(message_ids: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Those that are signed by us, each with its stored form (some software folds case), and the others."""
    key = settings.DIGEST_KEY.encode()
    ours: dict[str, str] = {}
    others: list[str] = []
    for message_id in message_ids:
        if is_ours(message_id, key):
            ours[message_id] = message_id.lower()
        else:
            others.append(message_id)
    return ours, others


def _candidates(rows: "QuerySet[Message]", by: MatchedBy) -> list[tuple[Message, Candidate]]:
    return [
        (row, Candidate(row.pk, by, bytes(row.recipient_digest)))
        for row in rows.only("pk", "message_id", "delivered_message_id", "recipient_digest")
    ]


def _known_ids(account_id: uuid.UUID, message_ids: set[str]) -> set[str]:
    return set(find_by_ids(account_id, message_ids)) if message_ids else set()


def _written_to(credential: SmtpCredential, digests: set[bytes], now: datetime) -> set[bytes]:
    if not digests:
        return set()
    rows = Message.objects.of(credential.account_id).filter(
        _sent_within(now), credential=credential, recipient_digest__in=digests
    )
    return {bytes(digest) for digest in rows.order_by().values_list("recipient_digest", flat=True).distinct()}


def _sent_within(at: datetime) -> Q:
    """On the wire in the days before `at`: what came in before we wrote answers nothing of ours."""
    return Q(wire_at__gt=at - timedelta(days=settings.MATCH_SENDER_DAYS), wire_at__lte=at + CLOCK_TOLERANCE)
