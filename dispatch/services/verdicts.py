"""From the end of a conversation to the outcome that is settled: the verdict, and the retry where there is one."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from django.conf import settings

from dispatch.gateways.smtp_session import SmtpFailure, TransactionResult
from dispatch.knowledge import load_bounces
from dispatch.rules.message_state import MessageState
from dispatch.rules.retry import RetryPolicy, decide_retry
from dispatch.rules.smtp_reply import Blame, Reply, Stage, Verdict, judge
from dispatch.services.claim import Claim
from dispatch.services.outbox import Outgoing
from dispatch.services.settle import Outcome


def retry_policy(host: str) -> RetryPolicy:
    """The operator's retry times for a server; the usual ones where they are meant for other hosts alone."""
    if settings.RETRY_ONLY_FOR_HOSTS and host not in settings.RETRY_ONLY_FOR_HOSTS:
        return RetryPolicy()
    return RetryPolicy(
        first=timedelta(seconds=settings.RETRY_FIRST_SECONDS),
        ceiling=timedelta(seconds=max(settings.RETRY_CEILING_SECONDS, settings.RETRY_FIRST_SECONDS)),
        give_up_after=timedelta(seconds=settings.RETRY_GIVE_UP_SECONDS),
    )


def outcome_of_result(
    claimed: Claim,
    prepared: Outgoing,
    result: TransactionResult,
    started_at: datetime,
    ended_at: datetime,
    rng: Random,
) -> Outcome:
    """What a transaction that ended came to."""
    verdict = judge(result.stage, result.reply, result.failure, load_bounces())
    outcome = _outcome(claimed, verdict, result.stage, result.reply, result.detail, started_at, ended_at)
    if verdict.state is MessageState.DEFERRED:
        return _with_retry(outcome, claimed, rng)
    delivered = prepared.delivered_message_id(result.reply.text) if result.reply is not None else ""
    return replace(outcome, subject=prepared.subject, delivered_message_id=delivered)


def outcome_of_failure(
    claimed: Claim, failure: SmtpFailure, started_at: datetime, ended_at: datetime, rng: Random
) -> Outcome:
    """What a connection or login that failed means for the message that wanted it."""
    verdict = judge(failure.stage, failure.reply, failure.failure, load_bounces())
    outcome = _outcome(claimed, verdict, failure.stage, failure.reply, failure.sentence, started_at, ended_at)
    return _with_retry(outcome, claimed, rng)


def quarantine(claimed: Claim, why: str, now: datetime, *, reason: str = "composition_refused") -> Outcome:
    """A message that cannot be composed, or whose bytes would not be what was meant: set aside, nothing was sent."""
    return Outcome(
        message_id=claimed.message_id,
        fence=claimed.fence,
        credential_id=claimed.credential_id,
        state=MessageState.QUARANTINED,
        reason=reason,
        ended_at=now,
        reply_text=why,
    )


def _outcome(
    claimed: Claim,
    verdict: Verdict,
    stage: Stage,
    reply: Reply | None,
    detail: str,
    started_at: datetime,
    ended_at: datetime,
) -> Outcome:
    return Outcome(
        message_id=claimed.message_id,
        fence=claimed.fence,
        credential_id=claimed.credential_id,
        state=verdict.state,
        reason=verdict.reason.value,
        started_at=started_at,
        ended_at=ended_at,
        stage=stage.value,
        reply_code=None if reply is None else reply.code,
        reply_text=detail if reply is None else str(reply),
        blame=verdict.blame,
        hard_bounce=verdict.hard_bounce,
        suppress=verdict.suppress,
    )


def _with_retry(outcome: Outcome, claimed: Claim, rng: Random) -> Outcome:
    """Deferred until its retry, or given up. The credential's own problem never uses up a contact's time."""
    attempts, first_attempt_at = claimed.attempts + 1, claimed.first_attempt_at or outcome.ended_at
    # Attempts that the credential's own problem ended are not counted: without others, time begins now.
    if outcome.blame is Blame.CREDENTIAL or not claimed.attempts:
        attempts, first_attempt_at = 1, outcome.ended_at
    retry = decide_retry(attempts, first_attempt_at, outcome.ended_at, retry_policy(claimed.smtp_host), rng)
    if retry.due_at is None:
        return replace(outcome, state=MessageState.GAVE_UP, reason=retry.reason.value)
    return replace(outcome, due_at=retry.due_at)


def outcome_of_late_reply(unknown: Outcome, prepared: Outgoing, reply: Reply, now: datetime) -> Outcome:
    """What the final reply says that came after its deadline; 4yz leaves the message unknown."""
    verdict = judge(Stage.DOT, reply, None, load_bounces())
    return replace(
        unknown,
        state=verdict.state,
        reason=verdict.reason.value,
        ended_at=now,
        reply_code=reply.code,
        reply_text=str(reply),
        hard_bounce=verdict.hard_bounce,
        suppress=verdict.suppress,
        delivered_message_id=prepared.delivered_message_id(reply.text),
    )


def outcome_of_our_error(claimed: Claim, now: datetime, rng: Random, *, wired: bool) -> Outcome:
    """An error in our own code: unknown once `wire` may have been committed, otherwise tried again later."""
    outcome = Outcome(
        message_id=claimed.message_id,
        fence=claimed.fence,
        credential_id=claimed.credential_id,
        state=MessageState.UNKNOWN if wired else MessageState.DEFERRED,
        reason="internal_error",
        started_at=now,
        ended_at=now,
    )
    return outcome if wired else _with_retry(outcome, claimed, rng)
