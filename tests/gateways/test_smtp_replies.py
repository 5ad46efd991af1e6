"""Promise A10 from the server's bytes to the verdict: a scripted peer, every stage, every kind of answer."""

from dataclasses import dataclass

import pytest

from dispatch.gateways.smtp_session import Deadlines, SmtpFailure, SmtpSession
from dispatch.knowledge import load_bounces
from dispatch.rules.message_state import MessageState
from dispatch.rules.smtp_reply import Blame, Stage, judge
from tests.gateways.smtp_cast import BODY, LARGE_BODY, PATIENT, QUICK, Gate, eventually, login_to, run, target_of, to
from tests.peers.certificates import Certificates
from tests.peers.chaos_behaviours import Action, Kind
from tests.peers.chaos_smtp import ChaosSmtp

ACCEPTED, REFUSED, DEFERRED, UNKNOWN = (
    MessageState.ACCEPTED,
    MessageState.REFUSED,
    MessageState.DEFERRED,
    MessageState.UNKNOWN,
)
NOBODY, ADDRESS, CONTENT, CREDENTIAL, SERVER = Blame


@dataclass(frozen=True, slots=True)
class End:
    """What is known at the end of a conversation."""

    stage: Stage
    state: MessageState
    reason: str
    blame: Blame
    usable: bool


async def converse(peer: ChaosSmtp, recipient: str, body: bytes, deadlines: Deadlines = PATIENT) -> End:
    login = login_to(peer)
    try:
        session = await SmtpSession.open(login, target_of(login), deadlines)
    except SmtpFailure as failure:
        verdict = judge(failure.stage, failure.reply, failure.failure, load_bounces())
        return End(failure.stage, verdict.state, verdict.reason, verdict.blame, usable=False)
    result = await session.send(to(recipient), body, gate=Gate())
    session.abort()
    verdict = judge(result.stage, result.reply, result.failure, load_bounces())
    assert result.connection_usable == verdict.keep_connection
    assert result.dot_written == (result.stage is Stage.DOT)
    return End(result.stage, verdict.state, verdict.reason, verdict.blame, result.connection_usable)


def answer(raw: str) -> Action:
    return Action(Kind.ANSWER, raw.encode() + b"\r\n")


DROP, RESET, HANG = Action(Kind.DROP), Action(Kind.RESET), Action(Kind.HANG)

# stage of the script, action -> stage, state, reason, blame, connection usable
SCRIPTED = [
    ("banner", answer("421 4.3.2 Busy"), Stage.BANNER, DEFERRED, "server_closing", SERVER, False),
    ("banner", answer("554 5.3.2 No service"), Stage.BANNER, DEFERRED, "server_refused", SERVER, False),
    ("banner", answer("SSH-2.0-OpenSSH_9.2"), Stage.BANNER, DEFERRED, "garbage", SERVER, False),
    ("banner", DROP, Stage.BANNER, DEFERRED, "disconnected", SERVER, False),
    ("ehlo", RESET, Stage.EHLO, DEFERRED, "disconnected", SERVER, False),
    ("banner", HANG, Stage.BANNER, DEFERRED, "timeout", SERVER, False),
    ("ehlo", answer("421 4.3.2 Busy"), Stage.EHLO, DEFERRED, "server_closing", SERVER, False),
    ("ehlo", answer("500 What?"), Stage.EHLO, DEFERRED, "server_refused", SERVER, False),
    ("ehlo", answer("250-one\r\n550 two"), Stage.EHLO, DEFERRED, "garbage", SERVER, False),
    ("starttls", answer("454 4.7.0 Not now"), Stage.STARTTLS, DEFERRED, "temporary", SERVER, False),
    ("starttls", answer("554 5.7.3 Never"), Stage.STARTTLS, DEFERRED, "server_refused", SERVER, False),
    ("auth", answer("535 5.7.8 Bad password"), Stage.AUTH, DEFERRED, "login_refused", CREDENTIAL, False),
    ("auth", answer("454 4.7.0 Later"), Stage.AUTH, DEFERRED, "temporary", SERVER, False),
    ("auth", answer("421 4.7.0 Too many logins"), Stage.AUTH, DEFERRED, "server_closing", SERVER, False),
    ("auth", DROP, Stage.AUTH, DEFERRED, "disconnected", SERVER, False),
    ("mail", answer("421 4.7.0 Too many messages"), Stage.MAIL, DEFERRED, "server_closing", SERVER, False),
    ("mail", answer("451 4.3.0 Later"), Stage.MAIL, DEFERRED, "temporary", SERVER, True),
    ("mail", answer("550 5.1.1 User unknown"), Stage.MAIL, DEFERRED, "sender_refused", CREDENTIAL, True),
    ("mail", answer("553 5.7.1 Not yours"), Stage.MAIL, DEFERRED, "sender_refused", CREDENTIAL, True),
    ("mail", answer("334 VXNlcm5hbWU6"), Stage.MAIL, DEFERRED, "wrong_reply", SERVER, False),
    ("mail", DROP, Stage.MAIL, DEFERRED, "disconnected", SERVER, False),
    ("mail", HANG, Stage.MAIL, DEFERRED, "timeout", SERVER, False),
    ("rcpt", answer("421 4.7.28 Slow down"), Stage.RCPT, DEFERRED, "server_closing", SERVER, False),
    ("rcpt", answer("450 4.2.0 Greylisted"), Stage.RCPT, DEFERRED, "temporary", SERVER, True),
    ("rcpt", answer("452 4.2.2 Mailbox full"), Stage.RCPT, DEFERRED, "temporary", SERVER, True),
    ("rcpt", answer("552 5.2.2 Mailbox full"), Stage.RCPT, DEFERRED, "temporary", SERVER, True),
    ("rcpt", answer("550 5.1.1 No such user"), Stage.RCPT, REFUSED, "address_refused", ADDRESS, True),
    (
        "rcpt",
        answer("550-5.1.1 No\r\n550-5.1.1 such\r\n550 5.1.1 user"),
        Stage.RCPT,
        REFUSED,
        "address_refused",
        ADDRESS,
        True,
    ),
    ("rcpt", answer("550"), Stage.RCPT, REFUSED, "address_refused", ADDRESS, True),
    ("rcpt", answer("554 5.7.1 Blocked by policy"), Stage.RCPT, REFUSED, "content_refused", CONTENT, True),
    (
        "rcpt",
        answer("553 5.7.1 <a@b>: Sender address rejected: not owned"),
        Stage.RCPT,
        DEFERRED,
        "sender_refused",
        CREDENTIAL,
        True,
    ),
    ("rcpt", answer("530 5.7.0 Authentication required"), Stage.RCPT, DEFERRED, "login_refused", CREDENTIAL, True),
    ("rcpt", answer("503 5.5.1 MAIL first"), Stage.RCPT, DEFERRED, "wrong_reply", SERVER, False),
    ("rcpt", answer("x" * 3_000), Stage.RCPT, DEFERRED, "garbage", SERVER, False),
    ("data", answer("421 4.3.2 Closing"), Stage.DATA, DEFERRED, "server_closing", SERVER, False),
    ("data", answer("451 4.3.0 Later"), Stage.DATA, DEFERRED, "temporary", SERVER, True),
    ("data", answer("554 5.7.1 Refused"), Stage.DATA, REFUSED, "content_refused", CONTENT, True),
    ("data", answer("550 5.1.1 No such user"), Stage.DATA, REFUSED, "address_refused", ADDRESS, True),
    ("data", answer("250 2.0.0 Ok"), Stage.DATA, DEFERRED, "wrong_reply", SERVER, False),
    ("data", DROP, Stage.DATA, DEFERRED, "disconnected", SERVER, False),
    ("data", HANG, Stage.DATA, DEFERRED, "timeout", SERVER, False),
    ("dot", answer("250-2.0.0 Queued\r\n250 2.0.0 as 17"), Stage.DOT, ACCEPTED, "accepted", NOBODY, True),
    ("dot", answer("421 4.3.2 Closing"), Stage.DOT, DEFERRED, "server_closing", SERVER, False),
    ("dot", answer("451 4.7.1 Greylisted"), Stage.DOT, DEFERRED, "temporary", SERVER, True),
    ("dot", answer("554 5.7.1 Spam"), Stage.DOT, REFUSED, "content_refused", CONTENT, True),
    ("dot", answer("550 5.1.1 No such user"), Stage.DOT, REFUSED, "address_refused", ADDRESS, True),
    ("dot", answer("552 5.3.4 Too big"), Stage.DOT, REFUSED, "too_large", CONTENT, True),
    ("dot", answer("250-yes\r\n550 no"), Stage.DOT, UNKNOWN, "no_final_reply", NOBODY, False),
    ("dot", answer("354 Go ahead"), Stage.DOT, UNKNOWN, "no_final_reply", NOBODY, False),
    ("dot", answer("Thanks!"), Stage.DOT, UNKNOWN, "no_final_reply", NOBODY, False),
    ("dot", DROP, Stage.DOT, UNKNOWN, "no_final_reply", NOBODY, False),
    ("dot", RESET, Stage.DOT, UNKNOWN, "no_final_reply", NOBODY, False),
    ("dot", HANG, Stage.DOT, UNKNOWN, "no_final_reply", NOBODY, False),
]


@pytest.mark.parametrize("capabilities", [("PIPELINING",), ()], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize(("script", "action", "stage", "state", "reason", "blame", "usable"), SCRIPTED)
def test_a_scripted_answer_ends_as_the_table_says(
    certificates: Certificates,
    capabilities: tuple[str, ...],
    script: str,
    action: Action,
    stage: Stage,
    state: MessageState,
    reason: str,
    blame: Blame,
    usable: bool,
) -> None:
    with ChaosSmtp(certificates, script={script: action}, capabilities=capabilities) as peer:
        deadlines = QUICK if action is HANG else PATIENT
        assert run(converse(peer, "bob", BODY, deadlines)) == End(stage, state, reason, blame, usable)
        assert {entry["answer"] for entry in peer.log} <= {"250", "none", "354", "Tha"}
        assert bool(peer.log) == (state in {ACCEPTED, UNKNOWN} and action not in UNLOGGED)


UNLOGGED = {answer("354 Go ahead"), answer("Thanks!")}
"""Answers that are neither a 250 nor silence, so the oracle does not count the message as taken."""


# recipient's behaviour -> stage, state, reason
BEHAVIOURS = [
    ("ok", Stage.DOT, ACCEPTED, "accepted"),
    ("greylist451", Stage.RCPT, DEFERRED, "temporary"),
    ("5xx-rcpt", Stage.RCPT, REFUSED, "address_refused"),
    ("full", Stage.RCPT, DEFERRED, "temporary"),
    ("4xx-after-dot", Stage.DOT, DEFERRED, "temporary"),
    ("5xx-after-dot", Stage.DOT, REFUSED, "content_refused"),
    ("drop-data", Stage.DATA, DEFERRED, "disconnected"),
    ("drop-after-dot", Stage.DOT, UNKNOWN, "no_final_reply"),
    ("reset-after-dot", Stage.DOT, UNKNOWN, "no_final_reply"),
    ("garbage-reply", Stage.RCPT, DEFERRED, "garbage"),
    ("garbage-after-dot", Stage.DOT, UNKNOWN, "no_final_reply"),
    ("multiline-1MB-reply", Stage.RCPT, DEFERRED, "garbage"),
    ("multiline", Stage.DOT, ACCEPTED, "accepted"),
    ("wrong-code-334", Stage.RCPT, DEFERRED, "wrong_reply"),
    ("wrong-code-250", Stage.DATA, DEFERRED, "wrong_reply"),
    ("wrong-code-354", Stage.DOT, UNKNOWN, "no_final_reply"),
    ("late-0.1", Stage.DOT, ACCEPTED, "accepted"),
    ("late-0.1-data", Stage.DOT, ACCEPTED, "accepted"),
    ("421-dot", Stage.DOT, DEFERRED, "server_closing"),
]


@pytest.mark.parametrize(("recipient", "stage", "state", "reason"), BEHAVIOURS)
def test_a_recipients_behaviour_ends_as_the_table_says(
    certificates: Certificates, recipient: str, stage: Stage, state: MessageState, reason: str
) -> None:
    with ChaosSmtp(certificates) as peer:
        end = run(converse(peer, recipient, BODY))
    assert (end.stage, end.state, end.reason) == (stage, state, reason)


def test_greylisting_ends_with_the_next_try(certificates: Certificates) -> None:
    with ChaosSmtp(certificates) as peer:
        states = [run(converse(peer, "greylist451-2", BODY)).state for _ in range(3)]
    assert states == [DEFERRED, DEFERRED, ACCEPTED]


# -- In the middle of the body; a large one, so that the peer acts before the final dot can have been written

MID_BODY = [
    ("drop-before-dot", Stage.BODY, DEFERRED, "disconnected"),
    ("drop-mid-body", Stage.BODY, DEFERRED, "disconnected"),
    ("hang-body", Stage.DOT, UNKNOWN, "no_final_reply"),
    ("refuse-mid-body", Stage.BODY, REFUSED, "too_large"),
    ("accept-mid-body", Stage.DOT, UNKNOWN, "no_final_reply"),
]


@pytest.mark.parametrize(("recipient", "stage", "state", "reason"), MID_BODY)
def test_what_happens_before_the_final_dot(
    certificates: Certificates, recipient: str, stage: Stage, state: MessageState, reason: str
) -> None:
    with ChaosSmtp(certificates) as peer:
        end = run(converse(peer, recipient, LARGE_BODY, QUICK if recipient == "hang-body" else PATIENT))
        assert (end.stage, end.state, end.reason) == (stage, state, reason)
        assert not end.usable
        assert peer.log == []


def test_a_reply_that_was_not_asked_for_ends_the_transaction_before_data(certificates: Certificates) -> None:
    async def scenario(peer: ChaosSmtp) -> End:
        login = login_to(peer)
        session = await SmtpSession.open(login, target_of(login), PATIENT)

        async def gate() -> bool:
            await eventually(lambda: session._protocol.speaking)
            return True

        result = await session.send(to("bob"), BODY, gate=gate)
        verdict = judge(result.stage, result.reply, result.failure, load_bounces())
        assert not result.body_started
        return End(result.stage, verdict.state, verdict.reason, verdict.blame, result.connection_usable)

    twice = answer("250 2.1.5 Ok\r\n421 4.3.2 Shutting down")
    with ChaosSmtp(certificates, script={"rcpt": twice}) as peer:
        assert run(scenario(peer)) == End(Stage.DATA, DEFERRED, "server_closing", SERVER, usable=False)
        assert peer.log == []
