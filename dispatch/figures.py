"""Reads: counts made of the ledger, for people who look at a campaign or a credential (contract: rule 6)."""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Count, F, Q
from django.db.models.functions import Coalesce

from campaigns.rules.enrollment_state import bounce_rate
from credentials.models import SmtpCredential
from dispatch.models import DailyUsage, Message
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
    """The sends of one campaign, or those of them that left from a moment on. One query."""
    sent = Message.everywhere.filter(campaign=campaign_id, stream="campaign")
    return Sends(**(sent if since is None else sent.filter(_from(since))).aggregate(**_counts("", Q())))


def sends_since_enabled(credential: SmtpCredential) -> Sends:
    """What health judges a credential by: `since_enabled` of its figures, without reading what it sent before."""
    sent = Message.everywhere.filter(_from(credential.enabled_since), credential=credential, stream="campaign")
    return Sends(**sent.aggregate(**_counts("", Q())))


def _from(moment: datetime) -> Q:
    """Sent from that moment on; a refusal before the body has no `wire`. Both halves are served by one index."""
    return Q(wire_at__gte=moment) | Q(wire_at__isnull=True, settled_at__gte=moment)


def credential_figures(credentials: Collection[SmtpCredential], *, today: date) -> dict[uuid.UUID, CredentialFigures]:
    """The figures of each of these credentials, over all campaigns that share it. Two queries."""
    ids = [credential.pk for credential in credentials]
    reserved = dict(DailyUsage.objects.filter(credential__in=ids, day=today).values_list("credential_id", "used"))
    figures = {pk: CredentialFigures(reserved_today=reserved.get(pk, 0)) for pk in ids}
    for row in _rows_by_credential(ids, today):
        pk = row.pop("credential_id")
        figures[pk] = CredentialFigures(
            lifetime=_sends(row, "all_"),
            since_enabled=_sends(row, "new_"),
            first_steps_today=row["first_today"],
            reserved_today=reserved.get(pk, 0),
        )
    return figures


def _rows_by_credential(credential_ids: Iterable[uuid.UUID], today: date) -> Iterable[dict[str, Any]]:
    answered = [state.value for state in (*ANSWERED, _S.WIRE)]
    # A bounce belongs to the period in which its message was sent; a refusal before the body has no `wire`.
    in_period = Q(moment__gte=F("credential__enabled_since"))
    rows: Iterable[dict[str, Any]] = (
        Message.everywhere.filter(credential__in=credential_ids, stream="campaign")
        .annotate(moment=Coalesce("wire_at", "settled_at"))
        .values("credential_id")
        .order_by()
        .annotate(
            **_counts("all_", Q()),
            **_counts("new_", in_period),
            first_today=Count("pk", filter=Q(usage_day=today, step_position=1, state__in=answered)),
        )
    )
    return rows


def _counts(prefix: str, condition: Q) -> dict[str, Count]:
    wanted = {state.value: Q(state=state.value) for state in ANSWERED} | {"bounced": _BOUNCED}
    return {f"{prefix}{name}": Count("pk", filter=which & condition) for name, which in wanted.items()}


def _sends(row: dict[str, Any], prefix: str) -> Sends:
    return Sends(**{name: row[f"{prefix}{name}"] for name in ("accepted", "unknown", "refused", "bounced")})
