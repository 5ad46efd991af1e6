"""The pretend internet's DNS, asked by dnspython over loopback and by our own resolver."""

import socket

import dns.flags
import dns.message
import dns.nameserver
import dns.query
import dns.rcode
import dns.resolver
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampout.lib.dns import look_up_mx
from ampout.lib.mx import MxReason, MxStatus
from ampout.sandbox.dns import answer_query
from tests.sandbox.running import HOST, RunningSandbox

ANSWERS = [
    ("sandbox.test", "MX", dns.rcode.NOERROR, ["10 mx.sandbox.test."]),
    ("sandbox-b.test", "MX", dns.rcode.NOERROR, ["10 mx.sandbox.test."]),
    ("sandbox-c.test", "MX", dns.rcode.NOERROR, ["10 mx.sandbox.test."]),
    ("SandBox.Test", "MX", dns.rcode.NOERROR, ["10 mx.sandbox.test."]),
    ("mx.sandbox.test", "A", dns.rcode.NOERROR, ["127.0.0.1"]),
    ("mx.sandbox.test", "AAAA", dns.rcode.NOERROR, []),
    ("nomx.test", "MX", dns.rcode.NOERROR, []),
    ("nomx.test", "A", dns.rcode.NOERROR, ["127.0.0.1"]),
    ("nullmx.test", "MX", dns.rcode.NOERROR, ["0 ."]),
    ("nowhere.test", "MX", dns.rcode.NXDOMAIN, []),
    ("sub.sandbox.test", "MX", dns.rcode.NXDOMAIN, []),
    ("example.com", "MX", dns.rcode.REFUSED, []),
    ("notatest", "MX", dns.rcode.REFUSED, []),
    (".", "NS", dns.rcode.REFUSED, []),
]


@pytest.mark.parametrize("ask", [dns.query.udp, dns.query.tcp], ids=["udp", "tcp"])
@pytest.mark.parametrize(("name", "kind", "rcode", "records"), ANSWERS)
def test_each_question_has_its_answer(
    sandbox: RunningSandbox, ask: object, name: str, kind: str, rcode: dns.rcode.Rcode, records: list[str]
) -> None:
    assert callable(ask)
    reply = ask(dns.message.make_query(name, kind), HOST, port=sandbox.dns_port, timeout=5)
    assert reply.rcode() is rcode
    assert [record.to_text().lower() for rrset in reply.answer for record in rrset] == records
    assert reply.flags & dns.flags.AA


@pytest.mark.parametrize(
    ("domain", "status", "reason"),
    [
        ("sandbox.test", MxStatus.PRESENT, MxReason.FOUND),
        ("nomx.test", MxStatus.ABSENT, MxReason.NO_MX),
        ("nullmx.test", MxStatus.ABSENT, MxReason.NULL_MX),
        ("nowhere.test", MxStatus.ABSENT, MxReason.NXDOMAIN),
        ("example.com", MxStatus.SILENT, MxReason.REFUSED),
    ],
)
def test_our_own_lookup_understands_it(
    sandbox: RunningSandbox, domain: str, status: MxStatus, reason: MxReason
) -> None:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [dns.nameserver.Do53Nameserver(HOST, sandbox.dns_port)]
    answer = look_up_mx(domain, resolver=resolver)
    assert (answer.status, answer.reason) == (status, reason)


def test_two_questions_may_come_over_one_tcp_connection(sandbox: RunningSandbox) -> None:
    with socket.create_connection((HOST, sandbox.dns_port), timeout=5) as client:
        for name in ("sandbox.test", "nowhere.test"):
            query = dns.message.make_query(name, "MX")
            dns.query.send_tcp(client, query)
            reply, _ = dns.query.receive_tcp(client)
            assert query.is_response(reply)


def test_garbage_is_not_answered_and_stops_nothing(sandbox: RunningSandbox) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for garbage in (b"", b"x", b"\x00" * 12, b"\xff" * 600):
            client.sendto(garbage, (HOST, sandbox.dns_port))
    query = dns.message.make_query("sandbox.test", "MX")
    assert dns.query.udp(query, HOST, port=sandbox.dns_port, timeout=5).answer


@given(st.binary(max_size=600))
def test_any_bytes_are_answered_or_left(wire: bytes) -> None:
    reply = answer_query(wire)
    assert reply is None or reply[:2] == wire[:2]


def test_a_response_is_never_answered() -> None:
    response = dns.message.make_response(dns.message.make_query("sandbox.test", "MX"))
    assert answer_query(response.to_wire()) is None
