"""Reads: counts made of the ledger, for people who look at a campaign or a credential (contract: rule 6)."""

import uuid
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, Q, Sum

from ampout.lib import sql
from campaigns.rules.enrollment_state import bounce_rate
from credentials.models import SmtpCredential
from dispatch.models import DailyUsage, Message, MessageTally
from dispatch.rules.message_state import MessageState
from dispatch.rules.smtp_reply import VerdictReason

_S = MessageState
ANSWERED = (_S.ACCEPTED, _S.UNKNOWN, _S.REFUSED)
"""What a bounce rate is a share of: messages that a server answered, or may have taken."""

_BOUNCED = Q(state=_S.REFUSED.value, reason=VerdictReason.ADDRESS_REFUSED.value) | Q(
    bounce_kind="hard", state__in=[state.value for state in ANSWERED]
)


@dataclass(frozen=True, slots=True)
class Sends:
    """Messages that a server answered or may have taken, each once and every step, and those of them that bounced."""

    accepted: int = 0
    unknown: int = 0
    refused: int = 0
    bounced: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.accepted + self.unknown + self.refused

    @property
    def bounce_rate(self) -> float:
        """In percent, to two places."""
        return bounce_rate(accepted=self.accepted, unknown=self.unknown, refused=self.refused, bounced=self.bounced)


@dataclass(frozen=True, slots=True)
class CredentialFigures:
    """A credential's sends over its lifetime and since it was last enabled, and today's share of its daily limit.

    `first_steps_today` were sent on this UTC day; `reserved_today` are the units of the limit that are taken, also by
    what is still to leave today.
    """

    lifetime: Sends = Sends()
    since_enabled: Sends = Sends()
    first_steps_today: int = 0
    reserved_today: int = 0


def campaign_sends(campaign_id: uuid.UUID, *, since: datetime | None = None) -> Sends:
    """The sends of one campaign, from its tallies, or those that left from a moment on, counted. One query."""
    if since is None:
        rows = MessageTally.objects.filter(campaign=campaign_id).order_by().values_list("state", "is_bounced")
        return _added_up(rows.annotate(number=Sum("count")))
    sent = Message.everywhere.filter(_from(since), campaign=campaign_id, stream="campaign")
    return Sends(**sent.aggregate(**_counts()))


def sends_since_enabled(credential: SmtpCredential) -> Sends:
    """What health judges a credential by: `since_enabled` of its figures, without reading what it sent before."""
    sent = Message.everywhere.filter(_from(credential.enabled_since), credential=credential, stream="campaign")
    return Sends(**sent.aggregate(**_counts()))


def _from(moment: datetime) -> Q:
    """Sent from that moment on; a refusal before the body has no `wire`. Both halves are served by one index."""
    return Q(wire_at__gte=moment) | Q(wire_at__isnull=True, settled_at__gte=moment)


# One snapshot of both tables. What is counted row by row left before the credential was last enabled: of most, nothing.
_BY_CREDENTIAL = """
SELECT credential_id, true AS is_all, state, is_bounced, sum(count) FROM dispatch_messagetally
WHERE credential_id = ANY(%(ids)s) GROUP BY credential_id, state, is_bounced
UNION ALL
SELECT wanted.id, false, before.state, before.is_bounced, before.number
FROM unnest(%(ids)s::uuid[], %(since)s::timestamptz[]) AS wanted(id, since)
CROSS JOIN LATERAL (
    SELECT state, state = 'refused' AND reason = 'address_refused' OR bounce_kind = 'hard' AS is_bounced,
           count(*) AS number
    FROM dispatch_message
    WHERE credential_id = wanted.id AND CASE WHEN wire_at IS NULL THEN settled_at ELSE wire_at END < wanted.since
      AND stream = 'campaign'
      AND state IN ('accepted', 'unknown', 'refused')
    GROUP BY 1, 2
) AS before
"""


def credential_figures(credentials: Collection[SmtpCredential], *, today: date) -> dict[uuid.UUID, CredentialFigures]:
    """The figures of each of these credentials, over all campaigns that share it. Three queries."""
    ids = [credential.pk for credential in credentials]
    reserved = dict(DailyUsage.objects.filter(credential__in=ids, day=today).values_list("credential_id", "used"))
    first = _first_steps_on(today, ids)
    since = [credential.enabled_since for credential in credentials]
    rows: dict[uuid.UUID, list[sql.Row]] = {pk: [] for pk in ids}
    for row in sql.fetch(_BY_CREDENTIAL, {"ids": ids, "since": since}):
        rows[row[0]].append(row[1:])
    return {
        pk: CredentialFigures(
            lifetime=_added_up((state, bounced, number) for is_all, state, bounced, number in rows[pk] if is_all),
            # What there is in all, less what was before: a bounce belongs to the period its message was sent in.
            since_enabled=_added_up(
                (state, bounced, number if is_all else -number) for is_all, state, bounced, number in rows[pk]
            ),
            first_steps_today=first.get(pk, 0),
            reserved_today=reserved.get(pk, 0),
        )
        for pk in ids
    }


def _first_steps_on(day: date, credential_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    answered = [state.value for state in (*ANSWERED, _S.WIRE)]
    sent = Message.everywhere.filter(
        credential__in=credential_ids, stream="campaign", usage_day=day, step_position=1, state__in=answered
    )
    return dict(sent.order_by().values_list("credential_id").annotate(number=Count("pk")))


def _counts() -> dict[str, Count]:
    wanted = {state.value: Q(state=state.value) for state in ANSWERED} | {"bounced": _BOUNCED}
    return {name: Count("pk", filter=which) for name, which in wanted.items()}


def _added_up(rows: Iterable[tuple[str, bool, int]]) -> Sends:
    """Of (state, bounced, number)."""
    numbers: Counter[str] = Counter()
    for state, is_bounced, number in rows:
        numbers[state] += number
        numbers["bounced"] += number if is_bounced else 0
    return Sends(**{name: numbers[name] for name in ("accepted", "unknown", "refused", "bounced")})
