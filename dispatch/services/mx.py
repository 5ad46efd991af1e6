"""MX verdicts: one cached look-up a domain. The planner never waits for DNS: it asks, and a task answers."""

from collections.abc import Collection
from datetime import datetime

from ampout.lib import clock, dns
from ampout.lib.mx import MxStatus
from dispatch.models import MxVerdict
from dispatch.rules.mx import MxDecision, MxKnown, MxOutcome, decide_mx, silences_after
from dispatch.rules.planning import MxState

LOOK_UPS_AT_ONCE = 200

_STATES: dict[MxOutcome, MxState] = {
    MxOutcome.SEND: MxState.PRESENT,
    MxOutcome.CANCEL: MxState.ABSENT,
    MxOutcome.POSTPONE: MxState.SILENT,
    MxOutcome.LOOK_UP: MxState.PENDING,
}


def states_of(domains: Collection[str], now: datetime) -> dict[str, MxState]:
    """What is known of these domains; those that must be looked up are asked for."""
    decisions = _decisions(domains, now)
    wanted = [domain for domain, decision in decisions.items() if decision.outcome is MxOutcome.LOOK_UP]
    MxVerdict.objects.bulk_create([MxVerdict(domain=domain) for domain in wanted], ignore_conflicts=True)
    MxVerdict.objects.filter(domain__in=wanted, wanted_at__isnull=True).update(wanted_at=now)
    return {domain: _STATES[decision.outcome] for domain, decision in decisions.items()}


def retry_times(domains: Collection[str], now: datetime) -> dict[str, datetime]:
    """When these silent domains are asked again."""
    decisions = _decisions(domains, now)
    return {domain: decision.retry_at for domain, decision in decisions.items() if decision.retry_at is not None}


def _decisions(domains: Collection[str], now: datetime) -> dict[str, MxDecision]:
    known = {
        verdict.domain: MxKnown(MxStatus(verdict.status), verdict.checked_at, verdict.silences)
        for verdict in MxVerdict.objects.filter(domain__in=domains, checked_at__isnull=False)
        if verdict.checked_at is not None
    }
    return {domain: decide_mx(known.get(domain), now) for domain in domains}


def look_up_wanted(*, now: datetime | None = None) -> int:
    """Look up the domains that were asked for, side by side; returns how many."""
    now = now or clock.utc_now()
    wanted = list(MxVerdict.objects.filter(wanted_at__isnull=False).order_by("wanted_at")[:LOOK_UPS_AT_ONCE])
    answers = dns.look_up_many([verdict.domain for verdict in wanted])
    for verdict in wanted:
        answer = answers[verdict.domain]
        verdict.status, verdict.reason = answer.status.value, answer.reason.value
        verdict.silences = silences_after(answer.status, verdict.silences)
        verdict.checked_at, verdict.wanted_at = now, None
    MxVerdict.objects.bulk_update(wanted, ["status", "reason", "silences", "checked_at", "wanted_at"])
    return len(wanted)
