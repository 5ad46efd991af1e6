"""The verdict table: every stage, code and failure ends where design.md says it does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.knowledge import load_bounces
from dispatch.rules import smtp_reply
from dispatch.rules.message_state import ALLOWED_MOVES, MessageState
from dispatch.rules.smtp_reply import (
    Blame,
    Failure,
    Reply,
    Stage,
    Verdict,
    VerdictReason,
    judge_failure,
)

ACCEPTED, REFUSED, DEFERRED, UNKNOWN = (
    MessageState.ACCEPTED,
    MessageState.REFUSED,
    MessageState.DEFERRED,
    MessageState.UNKNOWN,
)
KNOWN = load_bounces()


def judge(stage: Stage, reply: Reply | None, failure: Failure | None) -> Verdict:
    return smtp_reply.judge(stage, reply, failure, KNOWN)


def judge_reply(stage: Stage, reply: Reply) -> Verdict:
    return smtp_reply.judge_reply(stage, reply, KNOWN)


# stage, code, enhanced, text -> state, reason, blame, keep the connection
TABLE = [
    # Before the transaction: nothing is said about the recipient, and the connection is of no use.
    (Stage.BANNER, 421, "4.3.2", "Try later", DEFERRED, "server_closing", Blame.SERVER, False),
    (Stage.BANNER, 450, None, "Busy", DEFERRED, "temporary", Blame.SERVER, False),
    (Stage.BANNER, 554, "5.7.1", "Your host is blocked", DEFERRED, "server_refused", Blame.SERVER, False),
    (Stage.EHLO, 421, None, "Bye", DEFERRED, "server_closing", Blame.SERVER, False),
    (Stage.EHLO, 502, None, "Not implemented", DEFERRED, "server_refused", Blame.SERVER, False),
    (Stage.STARTTLS, 454, None, "TLS not available", DEFERRED, "temporary", Blame.SERVER, False),
    (Stage.STARTTLS, 554, None, "No TLS today", DEFERRED, "server_refused", Blame.SERVER, False),
    (Stage.AUTH, 454, "4.7.0", "Temporary failure", DEFERRED, "temporary", Blame.SERVER, False),
    (Stage.AUTH, 535, "5.7.8", "Bad credentials", DEFERRED, "login_refused", Blame.CREDENTIAL, False),
    (Stage.AUTH, 534, "5.7.9", "Application password required", DEFERRED, "login_refused", Blame.CREDENTIAL, False),
    (Stage.AUTH, 550, "5.1.1", "User unknown", DEFERRED, "login_refused", Blame.CREDENTIAL, False),
    (Stage.AUTH, 421, "4.7.0", "Too many logins", DEFERRED, "server_closing", Blame.SERVER, False),
    # MAIL: the credential's problem, whatever the words.
    (Stage.MAIL, 421, None, "Closing", DEFERRED, "server_closing", Blame.SERVER, False),
    (Stage.MAIL, 451, "4.3.0", "Try again", DEFERRED, "temporary", Blame.SERVER, True),
    (Stage.MAIL, 550, "5.1.1", "User unknown", DEFERRED, "sender_refused", Blame.CREDENTIAL, True),
    (Stage.MAIL, 553, "5.7.1", "Not owned by user", DEFERRED, "sender_refused", Blame.CREDENTIAL, True),
    (Stage.MAIL, 552, "5.3.4", "Too big", DEFERRED, "sender_refused", Blame.CREDENTIAL, True),
    (Stage.MAIL, 530, "5.7.0", "Authentication required", DEFERRED, "login_refused", Blame.CREDENTIAL, True),
    (Stage.MAIL, 550, "5.4.5", "Daily sending quota exceeded", DEFERRED, "sending_limit", Blame.CREDENTIAL, True),
    (Stage.MAIL, 334, None, "VXNlcm5hbWU6", DEFERRED, "wrong_reply", Blame.SERVER, False),
    # RCPT: temporary.
    (Stage.RCPT, 421, "4.7.28", "Rate limited", DEFERRED, "server_closing", Blame.SERVER, False),
    (Stage.RCPT, 450, "4.2.0", "Greylisted", DEFERRED, "temporary", Blame.SERVER, True),
    (Stage.RCPT, 451, "5.1.1", "The code counts, not the enhanced one", DEFERRED, "temporary", Blame.SERVER, True),
    (Stage.RCPT, 452, "4.2.2", "Mailbox full", DEFERRED, "temporary", Blame.SERVER, True),
    (Stage.RCPT, 552, "5.2.2", "Mailbox full", DEFERRED, "temporary", Blame.SERVER, True),
    (Stage.RCPT, 552, None, "Too many recipients", DEFERRED, "temporary", Blame.SERVER, True),
    (Stage.RCPT, 334, None, "go on", DEFERRED, "wrong_reply", Blame.SERVER, False),
    (Stage.RCPT, 503, "5.5.1", "MAIL first", DEFERRED, "wrong_reply", Blame.SERVER, False),
    # RCPT: delayed refusals of our login, sender or limit.
    (Stage.RCPT, 530, "5.7.0", "Authentication required", DEFERRED, "login_refused", Blame.CREDENTIAL, True),
    (Stage.RCPT, 550, "5.7.1", "Relaying denied", DEFERRED, "sender_refused", Blame.CREDENTIAL, True),
    (
        Stage.RCPT,
        554,
        "5.7.1",
        "<x@y.example>: Relay access denied",
        DEFERRED,
        "sender_refused",
        Blame.CREDENTIAL,
        True,
    ),
    (
        Stage.RCPT,
        553,
        "5.7.1",
        "<a@b.example>: Sender address rejected: not owned by user c",
        DEFERRED,
        "sender_refused",
        Blame.CREDENTIAL,
        True,
    ),
    (Stage.RCPT, 550, "5.1.8", "Domain of sender not found", DEFERRED, "sender_refused", Blame.CREDENTIAL, True),
    (Stage.RCPT, 550, "5.4.5", "Daily user sending limit exceeded", DEFERRED, "sending_limit", Blame.CREDENTIAL, True),
    # RCPT: the address.
    (Stage.RCPT, 550, "5.1.1", "User unknown", REFUSED, "address_refused", Blame.ADDRESS, True),
    (Stage.RCPT, 550, None, "No such user here", REFUSED, "address_refused", Blame.ADDRESS, True),
    (Stage.RCPT, 550, None, "", REFUSED, "address_refused", Blame.ADDRESS, True),
    (Stage.RCPT, 501, "5.1.3", "Bad address syntax", REFUSED, "address_refused", Blame.ADDRESS, True),
    (Stage.RCPT, 551, "5.1.6", "User has moved", REFUSED, "address_refused", Blame.ADDRESS, True),
    (Stage.RCPT, 553, None, "Mailbox name not allowed", REFUSED, "address_refused", Blame.ADDRESS, True),
    (Stage.RCPT, 550, "5.2.1", "Mailbox disabled", REFUSED, "address_refused", Blame.ADDRESS, True),
    (
        Stage.RCPT,
        550,
        "5.4.1",
        "Recipient address rejected: Access denied",
        REFUSED,
        "address_refused",
        Blame.ADDRESS,
        True,
    ),
    (Stage.RCPT, 550, "5.1.1", "<spam@virus.example> blocked", REFUSED, "address_refused", Blame.ADDRESS, True),
    (Stage.RCPT, 550, None, "<spam@policy.example>: unknown", REFUSED, "address_refused", Blame.ADDRESS, True),
    # RCPT: policy, content, size, a full mailbox.
    (Stage.RCPT, 550, "5.7.1", "Message rejected by policy", REFUSED, "content_refused", Blame.CONTENT, True),
    (Stage.RCPT, 554, "5.7.1", "User unknown", REFUSED, "content_refused", Blame.CONTENT, True),
    (Stage.RCPT, 554, None, "Blocked using zen.spamhaus.org", REFUSED, "content_refused", Blame.CONTENT, True),
    (Stage.RCPT, 550, "5.0.0", "Your IP is listed", REFUSED, "content_refused", Blame.CONTENT, True),
    (Stage.RCPT, 550, "5.2.2", "Mailbox full", REFUSED, "mailbox_full", Blame.CONTENT, True),
    (Stage.RCPT, 550, None, "User is over quota", REFUSED, "mailbox_full", Blame.CONTENT, True),
    (Stage.RCPT, 550, "5.3.4", "Message too big", REFUSED, "too_large", Blame.CONTENT, True),
    # DATA: nothing of the message has left; a refusal is about it unless it says otherwise.
    (Stage.DATA, 421, None, "Closing", DEFERRED, "server_closing", Blame.SERVER, False),
    (Stage.DATA, 451, None, "Later", DEFERRED, "temporary", Blame.SERVER, True),
    (Stage.DATA, 250, None, "OK", DEFERRED, "wrong_reply", Blame.SERVER, False),
    (Stage.DATA, 503, "5.5.1", "No valid recipients", DEFERRED, "wrong_reply", Blame.SERVER, False),
    (Stage.DATA, 554, None, "Transaction failed", REFUSED, "content_refused", Blame.CONTENT, True),
    (Stage.DATA, 550, "5.1.1", "User unknown", REFUSED, "address_refused", Blame.ADDRESS, True),
    # In the middle of the body: the same words, but the connection cannot be used again.
    (Stage.BODY, 552, "5.3.4", "Message too big", REFUSED, "too_large", Blame.CONTENT, False),
    (Stage.BODY, 451, None, "Disk full", DEFERRED, "temporary", Blame.SERVER, False),
    # The final dot.
    (Stage.DOT, 250, "2.0.0", "queued as 1", ACCEPTED, "accepted", Blame.NOBODY, True),
    (Stage.DOT, 251, None, "ok", ACCEPTED, "accepted", Blame.NOBODY, True),
    (Stage.DOT, 354, None, "go on", UNKNOWN, "no_final_reply", Blame.NOBODY, False),
    (Stage.DOT, 421, None, "Closing", DEFERRED, "server_closing", Blame.SERVER, False),
    (Stage.DOT, 451, "4.7.1", "Greylisted", DEFERRED, "temporary", Blame.SERVER, True),
    (Stage.DOT, 452, "4.2.2", "Mailbox full", DEFERRED, "temporary", Blame.SERVER, True),
    (Stage.DOT, 550, None, "", REFUSED, "content_refused", Blame.CONTENT, True),
    (Stage.DOT, 554, "5.7.1", "Spam message rejected", REFUSED, "content_refused", Blame.CONTENT, True),
    (Stage.DOT, 552, "5.2.2", "Mailbox full", REFUSED, "mailbox_full", Blame.CONTENT, True),
    (Stage.DOT, 552, None, "Storage", REFUSED, "too_large", Blame.CONTENT, True),
    (Stage.DOT, 552, "5.3.4", "Message size exceeds fixed limit", REFUSED, "too_large", Blame.CONTENT, True),
    (Stage.DOT, 550, "5.1.1", "x", REFUSED, "address_refused", Blame.ADDRESS, True),
    (Stage.DOT, 550, "5.2.1", "x", REFUSED, "address_refused", Blame.ADDRESS, True),
    (Stage.DOT, 550, "5.4.1", "Access denied", REFUSED, "content_refused", Blame.CONTENT, True),
    (Stage.DOT, 550, None, "User unknown", REFUSED, "address_refused", Blame.ADDRESS, True),
    (
        Stage.DOT,
        554,
        None,
        "delivery error: This user doesn't have a yahoo.com account (a@yahoo.com)",
        REFUSED,
        "address_refused",
        Blame.ADDRESS,
        True,
    ),
    (Stage.DOT, 550, "5.4.5", "Daily sending quota exceeded", DEFERRED, "sending_limit", Blame.CREDENTIAL, True),
    (Stage.DOT, 503, None, "Bad sequence", REFUSED, "content_refused", Blame.CONTENT, True),
]


@pytest.mark.parametrize(("stage", "code", "enhanced", "text", "state", "reason", "blame", "keep"), TABLE)
def test_a_reply_has_the_verdict_of_the_table(
    stage: Stage,
    code: int,
    enhanced: str | None,
    text: str,
    state: MessageState,
    reason: str,
    blame: Blame,
    keep: bool,
) -> None:
    verdict = judge_reply(stage, Reply(code, enhanced, text))
    assert (verdict.state, verdict.reason, verdict.blame) == (state, reason, blame)
    assert verdict.keep_connection is keep
    assert verdict.hard_bounce is verdict.suppress is (blame is Blame.ADDRESS)


FAILURES = [
    (Failure.REFUSED, "connection_refused", Blame.SERVER),
    (Failure.TIMEOUT, "timeout", Blame.SERVER),
    (Failure.DISCONNECTED, "disconnected", Blame.SERVER),
    (Failure.TLS, "tls_failed", Blame.SERVER),
    (Failure.GARBAGE, "garbage", Blame.SERVER),
    (Failure.UNRESOLVED, "unresolved", Blame.SERVER),
    (Failure.TARGET_REFUSED, "target_refused", Blame.CREDENTIAL),
    (Failure.UNSUPPORTED, "no_login_method", Blame.CREDENTIAL),
]


def test_the_table_names_every_failure() -> None:
    assert {failure for failure, _, _ in FAILURES} == set(Failure)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.DOT])
@pytest.mark.parametrize(("failure", "reason", "blame"), FAILURES)
def test_a_failure_before_the_final_dot_defers(stage: Stage, failure: Failure, reason: str, blame: Blame) -> None:
    verdict = judge_failure(stage, failure)
    assert (verdict.state, verdict.reason, verdict.blame) == (DEFERRED, reason, blame)
    assert not verdict.keep_connection


@pytest.mark.parametrize("failure", list(Failure))
def test_silence_after_the_final_dot_is_unknown(failure: Failure) -> None:
    verdict = judge_failure(Stage.DOT, failure)
    assert (verdict.state, verdict.reason, verdict.blame) == (UNKNOWN, "no_final_reply", Blame.NOBODY)
    assert not verdict.keep_connection


replies = st.builds(
    Reply,
    st.integers(200, 599),
    st.none() | st.from_regex(r"[245]\.\d{1,3}\.\d{1,3}", fullmatch=True),
    st.text(max_size=300),
)


@given(st.sampled_from(Stage), replies)
def test_every_reply_at_every_stage_gets_a_move_the_ledger_allows(stage: Stage, reply: Reply) -> None:
    verdict = judge_reply(stage, reply)
    before = MessageState.WIRE if stage in {Stage.DATA, Stage.BODY, Stage.DOT} else MessageState.CLAIMED
    assert verdict.state in ALLOWED_MOVES[before]


@given(st.sampled_from(Stage), replies)
def test_only_a_positive_reply_after_the_final_dot_is_acceptance(stage: Stage, reply: Reply) -> None:
    accepted = judge_reply(stage, reply).state is MessageState.ACCEPTED
    assert accepted == (stage is Stage.DOT and reply.positive)


@given(st.sampled_from(Stage), replies)
def test_a_temporary_code_never_refuses_whatever_the_words_say(stage: Stage, reply: Reply) -> None:
    if reply.temporary:
        assert judge_reply(stage, reply).state is MessageState.DEFERRED


@given(st.sampled_from(Stage), replies)
def test_nobody_is_suppressed_without_a_permanent_reply_about_a_recipient(stage: Stage, reply: Reply) -> None:
    if judge_reply(stage, reply).suppress:
        assert reply.permanent
        assert stage in {Stage.RCPT, Stage.DATA, Stage.BODY, Stage.DOT}


@given(st.sampled_from(Stage), replies)
def test_421_never_keeps_the_connection(stage: Stage, reply: Reply) -> None:
    closing = Reply(421, reply.enhanced, reply.text)
    verdict = judge_reply(stage, closing)
    assert (verdict.state, verdict.reason) == (DEFERRED, VerdictReason.SERVER_CLOSING)
    assert not verdict.keep_connection


def test_a_failure_weighs_more_than_the_reply_that_came_with_it() -> None:
    assert judge(Stage.DOT, Reply(250, None, "OK"), Failure.GARBAGE).state is UNKNOWN
    assert judge(Stage.DOT, Reply(250, None, "OK"), None).state is ACCEPTED


def test_a_conversation_without_any_end_is_an_error() -> None:
    with pytest.raises(ValueError, match="neither"):
        judge(Stage.RCPT, None, None)


@pytest.mark.parametrize("text", ["a" * 64_000, "<" * 64_000, "a@" * 32_000, "(a" * 30_000, "mailbox " * 8_000])
def test_hostile_texts_are_read_in_no_time(text: str) -> None:
    verdict = judge_reply(Stage.DOT, Reply(550, None, text))
    assert verdict.state is REFUSED


def test_a_reply_reads_as_people_quote_it() -> None:
    assert str(Reply(550, "5.1.1", "No such user\nhere")) == "550 5.1.1 No such user here"
    assert str(Reply(421, None, "")) == "421"
