"""What the delivery session puts on the wire, keeps, and reports."""

import asyncio
import socket

import pytest

from dispatch.gateways.smtp_session import Deadlines, Envelope, SmtpSession
from dispatch.rules.smtp_reply import Failure, Reply, Stage
from dispatch.rules.wire_hygiene import HygieneFailed
from tests.gateways.smtp_cast import (
    ALICE,
    BODY,
    LARGE_BODY,
    PATIENT,
    Gate,
    eventually,
    login_to,
    opened,
    run,
    send_once,
    target_of,
    to,
)
from tests.peers.certificates import Certificates
from tests.peers.chaos_behaviours import Action, Kind
from tests.peers.chaos_smtp import ChaosSmtp


def test_a_message_is_delivered_once_and_said_so(certificates: Certificates) -> None:
    with ChaosSmtp(certificates) as peer:
        result = run(send_once(peer, to("bob")))
        assert (result.stage, result.reply) == (Stage.DOT, Reply(250, "2.0.0", "Ok: queued"))
        assert result.body_started
        assert result.dot_written
        assert result.connection_usable
        assert result.detail == f"localhost:{peer.port} answered the end of the message: 250 2.0.0 Ok: queued"
    [entry] = peer.log
    assert entry["message_id"] == "<1@sender.example>"
    assert (entry["sender"], entry["recipient"], entry["login"]) == (ALICE, "bob@recipient.example", "alice")
    assert entry["violations"] == []


def test_the_connection_is_encrypted_before_login_and_envelope(certificates: Certificates) -> None:
    with ChaosSmtp(certificates) as peer:
        run(send_once(peer, to("bob")))
        assert [(event["event"], event["encrypted"]) for event in peer.events] == [
            ("connect", False),
            ("ehlo", False),
            ("starttls", False),
            ("tls", True),
            ("ehlo", True),
            ("auth", True),
            ("mail", True),
            ("rcpt", True),
            ("data", True),
            ("quit", True),
        ]


def test_one_connection_carries_many_messages(certificates: Certificates) -> None:
    async def scenario(peer: ChaosSmtp) -> list[bool]:
        session = await opened(peer)
        results = [await session.send(to(f"ok+{number}"), BODY, gate=Gate()) for number in range(5)]
        await session.quit()
        return [result.connection_usable for result in results]

    with ChaosSmtp(certificates) as peer:
        assert run(scenario(peer)) == [True] * 5
        assert peer.count("connect") == 1
        assert [entry["recipient"] for entry in peer.log] == [f"ok+{number}@recipient.example" for number in range(5)]


def test_a_refused_recipient_does_not_cost_the_connection(certificates: Certificates) -> None:
    async def scenario(peer: ChaosSmtp) -> list[int]:
        session = await opened(peer)
        codes = []
        for name in ("5xx-rcpt", "ok+1", "ok+0", "552-rcpt", "5xx-after-dot", "550-data", "ok+2"):
            result = await session.send(to(name), BODY, gate=Gate())
            assert result.connection_usable
            assert result.reply is not None
            codes.append(result.reply.code)
        await session.quit()
        return codes

    with ChaosSmtp(certificates) as peer:
        assert run(scenario(peer)) == [550, 250, 250, 552, 554, 550, 250]
        assert peer.count("connect") == 1
        assert peer.count("rset") == 3


def test_a_closed_gate_leaves_nothing_behind(certificates: Certificates) -> None:
    async def scenario(peer: ChaosSmtp) -> None:
        session = await opened(peer)
        refused = await session.send(to("bob"), BODY, gate=Gate(answer=False))
        assert refused.rejected_by_gate
        assert not refused.body_started
        assert refused.connection_usable
        assert (await session.send(to("carol"), BODY, gate=Gate())).dot_written
        await session.quit()

    with ChaosSmtp(certificates) as peer:
        run(scenario(peer))
        assert [entry["recipient"] for entry in peer.log] == ["carol@recipient.example"]
        assert (peer.count("rset"), peer.count("data")) == (1, 1)


@pytest.mark.parametrize("pipelining", [True, False])
def test_data_is_never_said_before_the_gate_has_answered(certificates: Certificates, pipelining: bool) -> None:
    seen: list[int] = []

    async def scenario(peer: ChaosSmtp) -> None:
        async def gate() -> bool:
            await asyncio.sleep(0.05)  # time for a command sent too early to arrive
            seen.append(peer.count("data"))
            return True

        await send_once(peer, to("bob"), gate=gate)

    with ChaosSmtp(certificates, capabilities=("PIPELINING",) if pipelining else ()) as peer:
        run(scenario(peer))
        assert seen == [0]
        assert len(peer.log) == 1


def test_the_gate_is_not_asked_when_the_recipient_is_refused(certificates: Certificates) -> None:
    gate = Gate()
    with ChaosSmtp(certificates) as peer:
        result = run(send_once(peer, to("5xx-rcpt"), gate=gate))
    assert (result.stage, gate.asked) == (Stage.RCPT, 0)


def test_an_error_in_the_gate_closes_the_connection_and_passes_through(certificates: Certificates) -> None:
    async def gate() -> bool:
        raise LookupError("the database is away")

    async def scenario(peer: ChaosSmtp) -> bool:
        session = await opened(peer)
        with pytest.raises(LookupError, match="away"):
            await session.send(to("bob"), BODY, gate=gate)
        return session.usable

    with ChaosSmtp(certificates) as peer:
        assert run(scenario(peer)) is False
        assert (peer.log, peer.count("data")) == ([], 0)


def test_a_cancelled_send_closes_the_connection(certificates: Certificates) -> None:
    async def scenario(peer: ChaosSmtp) -> bool:
        session = await opened(peer)
        task = asyncio.create_task(session.send(to("hang-rcpt"), BODY, gate=Gate()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return session.usable

    with ChaosSmtp(certificates) as peer:
        assert run(scenario(peer)) is False


@pytest.mark.parametrize("capabilities", [(), ("PIPELINING",)])
def test_replies_to_mail_and_rcpt_are_kept_apart(certificates: Certificates, capabilities: tuple[str, ...]) -> None:
    async def scenario(peer: ChaosSmtp) -> list[tuple[Stage, int]]:
        session = await opened(peer)
        envelopes = [Envelope("553-mail@sender.example", "5xx-rcpt@r.example"), to("5xx-rcpt"), to("bob")]
        ends = []
        for envelope in envelopes:
            result = await session.send(envelope, BODY, gate=Gate())
            assert result.reply is not None
            ends.append((result.stage, result.reply.code))
        await session.quit()
        return ends

    with ChaosSmtp(certificates, capabilities=capabilities) as peer:
        assert run(scenario(peer)) == [(Stage.MAIL, 553), (Stage.RCPT, 550), (Stage.DOT, 250)]


@pytest.mark.parametrize(("capabilities", "rcpt_seen"), [(("PIPELINING",), 1), ((), 0)])
def test_rcpt_waits_for_the_answer_to_mail_unless_pipelining_is_offered(
    certificates: Certificates, capabilities: tuple[str, ...], rcpt_seen: int
) -> None:
    async def scenario(peer: ChaosSmtp) -> int:
        session = await opened(peer)
        session._connection.deadlines = Deadlines(reply=0.4, transaction=1)
        await session.send(to("bob"), BODY, gate=Gate())
        session.abort()
        return peer.count("rcpt")

    silence = {"mail": Action(Kind.ANSWER, b"")}
    with ChaosSmtp(certificates, script=silence, capabilities=capabilities) as peer:
        assert run(scenario(peer)) == rcpt_seen


# -- Parameters only where they are offered


def test_8bitmime_is_asked_for_only_where_the_message_needs_it(certificates: Certificates) -> None:
    with ChaosSmtp(certificates) as peer:
        run(send_once(peer, to("bob")))
        run(send_once(peer, to("bob"), BODY + "Grüße\r\n".encode()))
        lines = [event["line"] for event in peer.events if event["event"] == "mail"]
    assert lines == [f"MAIL FROM:<{ALICE}>", f"MAIL FROM:<{ALICE}> BODY=8BITMIME"]


def test_eight_bits_are_not_sent_to_a_server_that_offers_seven(certificates: Certificates) -> None:
    with ChaosSmtp(certificates, capabilities=("PIPELINING",)) as peer:
        result = run(send_once(peer, to("bob"), BODY + "Grüße\r\n".encode()))
        assert (result.stage, result.reply) == (
            Stage.DATA,
            Reply(554, "5.6.3", "Not tried: the server does not offer 8BITMIME."),
        )
        assert result.connection_usable
        assert peer.count("mail") == 0


def test_smtputf8_is_used_where_it_is_offered_and_needed(certificates: Certificates) -> None:
    international = Envelope(ALICE, "jürgen@xn--bcher-kva.example")
    with ChaosSmtp(certificates) as peer:
        run(send_once(peer, international))
        lines = [event["line"] for event in peer.events if event["event"] in {"mail", "rcpt"}]
    assert lines == [f"MAIL FROM:<{ALICE}> SMTPUTF8", "RCPT TO:<jürgen@xn--bcher-kva.example>"]
    with ChaosSmtp(certificates, capabilities=("8BITMIME",)) as peer:
        result = run(send_once(peer, international))
        assert result.reply is not None
        assert (result.stage, result.reply.enhanced, peer.count("mail")) == (Stage.RCPT, "5.6.7", 0)


def test_a_message_over_the_offered_size_is_not_tried(certificates: Certificates) -> None:
    with ChaosSmtp(certificates, size_limit=50) as peer:
        result = run(send_once(peer, to("bob")))
        assert (result.stage, result.reply) == (
            Stage.DATA,
            Reply(552, "5.3.4", f"Not tried: {len(BODY)} octets, and the server takes 50."),
        )
        assert peer.count("mail") == 0


# -- Bytes (promise A14)

DOTTED = b"Message-ID: <2@sender.example>\r\n\r\n.\r\n..\r\n.hidden\r\nend.\r\n.\r\n\r\n.\r\n"


@pytest.mark.parametrize("body", [BODY, DOTTED, b".\r\n", b"..\r\n", b".\r\n" * 1000, b"\r\n", LARGE_BODY])
def test_the_peer_gets_the_message_byte_for_byte(certificates: Certificates, body: bytes) -> None:
    with ChaosSmtp(certificates, keep_bodies=True) as peer:
        run(send_once(peer, to("bob"), body))
        [entry] = peer.log
    assert entry["body"] == body
    assert entry["violations"] == []


def test_each_leading_dot_is_doubled_on_the_wire(certificates: Certificates) -> None:
    with ChaosSmtp(certificates, keep_bodies=True) as peer:
        run(send_once(peer, to("bob"), b".one\r\ntwo.\r\n.\r\n"))
        assert peer.log[0]["raw"] == b"..one\r\ntwo.\r\n..\r\n"


@pytest.mark.parametrize("body", [b"a\r.\rb\r\n", b"a\n.\nb\r\n", b"a\r\n.\nb\r\n", b"a\n.\r\nb\r\n", b"no end", b""])
def test_a_lone_line_end_is_refused_before_anything_is_said(certificates: Certificates, body: bytes) -> None:
    with ChaosSmtp(certificates) as peer:
        with pytest.raises(HygieneFailed):
            run(send_once(peer, to("bob"), body))
        assert (peer.count("mail"), peer.log) == (0, [])


@pytest.mark.parametrize(
    "path",
    [
        "bob@r.example\r\nRCPT TO:<eve@r.example",
        "bob@r.example\nDATA",
        "bob@r.example> SIZE=1",
        "bob <bob@r.example",
        "bob@r.example\0",
        '"b"> X="@r.example',
        '"bob\r\n"@r.example',
        "bob",
        "",
        "b\udcffb@r.example",
        "bob@r.example\x85",
    ],
)
def test_an_address_cannot_break_out_of_its_command(path: str) -> None:
    with pytest.raises(ValueError, match=r"cannot stand|surrogates"):
        Envelope(ALICE, path)
    if path:
        with pytest.raises(ValueError, match=r"cannot stand|surrogates"):
            Envelope(path, ALICE)


def test_odd_but_lawful_addresses_pass() -> None:
    for path in ('"a b<c>"@r.example', '"a\\"b"@r.example', "o'hara+x@r.example", "bob@[192.0.2.1]"):
        assert Envelope("", path).recipient == path


# -- Kept connections that have gone stale


def test_a_server_that_counts_messages_makes_a_stale_connection_not_a_deferral(certificates: Certificates) -> None:
    async def scenario(peer: ChaosSmtp) -> None:
        session = await opened(peer)
        assert not (await session.send(to("bob"), BODY, gate=Gate())).stale_connection
        result = await session.send(to("carol"), BODY, gate=Gate())
        assert (result.stage, result.stale_connection, result.connection_usable) == (Stage.MAIL, True, False)
        await session.quit()

    with ChaosSmtp(certificates, after_messages=1) as peer:
        run(scenario(peer))
        assert len(peer.log) == 1


def test_a_connection_that_the_server_closed_is_not_usable(certificates: Certificates) -> None:
    async def scenario(peer: ChaosSmtp) -> None:
        session = await opened(peer)
        await session.send(to("bob"), BODY, gate=Gate())
        await eventually(lambda: not session.usable)
        result = await session.send(to("carol"), BODY, gate=Gate())
        assert (result.failure, result.stale_connection) == (Failure.DISCONNECTED, True)
        await session.quit()

    with ChaosSmtp(certificates, after_messages=1, close_after=True) as peer:
        run(scenario(peer))


def test_421_to_the_first_mail_of_a_connection_is_the_servers_answer(certificates: Certificates) -> None:
    with ChaosSmtp(certificates, after_messages=0) as peer:
        result = run(send_once(peer, to("bob")))
    assert result.reply is not None
    assert (result.reply.code, result.stale_connection) == (421, False)


def test_a_flood_of_replies_is_not_kept(certificates: Certificates) -> None:
    """A million unasked replies while the gate is waited for: the connection is closed, nothing is sent."""

    async def scenario(peer: ChaosSmtp) -> None:
        session = await opened(peer)

        async def gate() -> bool:
            await eventually(lambda: not session.usable and peer.connections_open == 0)
            return True

        result = await session.send(to("bob"), BODY, gate=gate)
        assert (result.stage, result.body_started, result.connection_usable) == (Stage.DATA, False, False)
        assert len(session._protocol._replies) < 20_000

    flood = Action(Kind.ANSWER, b"250 2.1.5 Ok\r\n" * 1_000_000)
    with ChaosSmtp(certificates, script={"rcpt": flood}) as peer:
        run(scenario(peer))
        assert peer.log == []


# -- Failpoints and sockets


def test_the_failpoints_are_passed_in_order(certificates: Certificates) -> None:
    passed: list[str] = []

    async def scenario(peer: ChaosSmtp) -> None:
        login = login_to(peer)
        session = await SmtpSession.open(login, target_of(login), PATIENT, passed.append)
        await session.send(to("bob"), BODY, gate=Gate())
        await session.quit()

    with ChaosSmtp(certificates) as peer:
        run(scenario(peer))
    assert passed == ["after_connect", "after_auth", "after_rcpt", "mid_body", "after_dot", "after_250"]


def test_after_250_is_not_passed_without_a_250(certificates: Certificates) -> None:
    passed: list[str] = []

    async def scenario(peer: ChaosSmtp) -> None:
        login = login_to(peer)
        session = await SmtpSession.open(login, target_of(login), PATIENT, passed.append)
        await session.send(to("5xx-after-dot"), BODY, gate=Gate())
        await session.quit()

    with ChaosSmtp(certificates) as peer:
        run(scenario(peer))
    assert passed[-1] == "after_dot"


def test_small_writes_are_not_held_back(certificates: Certificates) -> None:
    async def scenario(peer: ChaosSmtp) -> int:
        session = await opened(peer)
        transport = session._protocol._transport
        assert transport is not None
        option: int = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await session.quit()
        return option

    with ChaosSmtp(certificates) as peer:
        assert run(scenario(peer)) != 0


def test_the_next_address_is_tried_when_the_first_refuses(certificates: Certificates) -> None:
    async def scenario(peer: ChaosSmtp) -> None:
        login = login_to(peer)
        session = await SmtpSession.open(login, target_of(login, "127.0.0.2", "127.0.0.1"), PATIENT)
        await session.quit()

    with ChaosSmtp(certificates) as peer:
        run(scenario(peer))
        assert peer.count("auth") == 1
