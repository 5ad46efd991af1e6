"""The pretend internet's DNS: who takes mail for the sandbox's domains, and domains that take none.

It answers for the names under ``.test`` (kept free by RFC 6761) and refuses every other question, so that a resolver
with more servers in its list asks those instead, and real domains keep their real answers.
"""

import asyncio
from dataclasses import dataclass, field
from ipaddress import ip_address

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

TTL_SECONDS = 60
MAIL_EXCHANGE = "mx.sandbox.test."
TCP_SECONDS = 10.0
"""How long a TCP client may take for its next question (RFC 7766, section 6.2.3)."""

PRESENT = {"MX": f"10 {MAIL_EXCHANGE}", "A": "127.0.0.1"}

ZONES: dict[str, dict[str, str]] = {
    "sandbox.test.": PRESENT,
    "sandbox-b.test.": PRESENT,
    "sandbox-c.test.": PRESENT,
    MAIL_EXCHANGE: {"A": "127.0.0.1"},
    "nomx.test.": {"A": "127.0.0.1"},
    "nullmx.test.": {"MX": "0 ."},
}
"""Every name that exists, with its records; all others under ``.test`` are NXDOMAIN."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """The answer to one question."""

    rcode: dns.rcode.Rcode
    records: dict[str, str] = field(default_factory=dict)
    """Record type → record, in presentation form; at most one, for the name that was asked."""


def look_up(name: str, record_type: str) -> Lookup:
    """What the pretend internet says about ``name`` (absolute, any case) and ``record_type`` (``MX``, ``A`` …)."""
    lowered = name.lower()
    if not (lowered == "test." or lowered.endswith(".test.")):
        return Lookup(dns.rcode.REFUSED)
    if lowered not in ZONES:
        return Lookup(dns.rcode.NXDOMAIN)
    records = ZONES[lowered]
    return Lookup(dns.rcode.NOERROR, {record_type: records[record_type]} if record_type in records else {})


def answer_query(wire: bytes) -> bytes | None:
    """The reply to a query as it came over the network; None where there is nothing to reply to (RFC 1035, 7.3)."""
    try:
        query = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError):
        return None
    if query.flags & dns.flags.QR or query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
        return None
    question = query.question[0]
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.AA
    found = look_up(question.name.to_text(), dns.rdatatype.to_text(question.rdtype))
    reply.set_rcode(found.rcode)
    for record_type, record in found.records.items():
        reply.answer.append(dns.rrset.from_text(question.name, TTL_SECONDS, dns.rdataclass.IN, record_type, record))
    return reply.to_wire()


class DnsOverUdp(asyncio.DatagramProtocol):
    """One datagram, one answer."""

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """Keep the socket to answer through."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a query."""
        reply = answer_query(data)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


async def answer_over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Queries behind their length in two bytes, answered likewise, until the client leaves (RFC 1035, 4.2.2)."""
    try:
        while True:
            async with asyncio.timeout(TCP_SECONDS):
                length = int.from_bytes(await reader.readexactly(2))
                reply = answer_query(await reader.readexactly(length))
                if reply is None:
                    return
                writer.write(len(reply).to_bytes(2) + reply)
                await writer.drain()
    except (asyncio.IncompleteReadError, OSError, TimeoutError):
        return
    finally:
        writer.close()


@dataclass(frozen=True, slots=True)
class DnsServer:
    """The two listening sockets, on one port number."""

    udp: asyncio.DatagramTransport
    tcp: asyncio.Server

    @property
    def port(self) -> int:
        """The port both listen on."""
        return int(self.udp.get_extra_info("sockname")[1])

    def close(self) -> None:
        """Stop listening."""
        self.udp.close()
        self.tcp.close()


async def start_dns_server(*, host: str, port: int) -> DnsServer:
    """Listen on ``host`` (an IP address) and ``port`` (0: any free one), by UDP and TCP; raises OSError."""
    loop = asyncio.get_running_loop()
    ip_address(host)
    tcp = await asyncio.start_server(answer_over_tcp, host, port)
    bound_port = tcp.sockets[0].getsockname()[1]
    try:
        udp, _ = await loop.create_datagram_endpoint(DnsOverUdp, local_addr=(host, bound_port))
    except OSError:
        tcp.close()
        raise
    return DnsServer(udp, tcp)
