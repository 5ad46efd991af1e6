"""A scripted DNS server on loopback, over UDP and TCP, that follows aliases and counts what it is asked.

A test says what each name answers; every other name does not exist. The fixture `dns_server` starts one and points the
setting DNS_SERVERS at it.
"""

import contextlib
import socket
import socketserver
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from pytest_django.fixtures import Settings

Records = list[tuple[str, ...]]
"""The answers to one kind of question, one after the other; the last one stays."""


class Behaviour(Enum):
    """What a name does instead of, or besides, answering."""

    ANSWER = auto()
    SERVFAIL = auto()
    REFUSED = auto()
    NO_REPLY = auto()
    GARBAGE = auto()
    REFERRAL = auto()
    """ "Ask those servers": no records, no SOA, not authoritative."""
    TRUNCATED = auto()
    """Over UDP cut short, over TCP whole."""
    TRUNCATED_ONLY = auto()
    """Cut short over UDP, and no TCP: the connection is closed at once."""


@dataclass(slots=True)
class _Name:
    behaviour: Behaviour = Behaviour.ANSWER
    alias: str | None = None
    records: dict[str, Records] = field(default_factory=dict)


class DnsServer:
    """The script, the sockets and the counts. `address` is "127.0.0.1:port"."""

    def __init__(self) -> None:
        self._names: dict[str, _Name] = {}
        self._asked: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._tcp, self._udp = _make_servers(self)
        _, port = self._tcp.socket.getsockname()
        self.address = f"127.0.0.1:{port}"

    # -- The script

    def mx(self, name: str, *exchanges: str) -> None:
        """`name` has these MX records, each as "10 mail.example.com."; none at all is a name without MX."""
        self.records(name, "MX", exchanges)

    def null_mx(self, name: str) -> None:
        """`name` takes no mail (RFC 7505)."""
        self.mx(name, "0 .")

    def records(self, name: str, kind: str, *answers: tuple[str, ...]) -> None:
        """`name` answers questions of `kind` by the first of `answers`, then by the second …; the last one stays.

        Two different answers in a row are a rebinding attack: all records live 0 seconds.
        """
        self._name(name).records[kind] = list(answers)

    def addresses(self, name: str, *addresses: str) -> None:
        """`name` has these IPv4 and IPv6 addresses."""
        self.records(name, "A", tuple(text for text in addresses if ":" not in text))
        self.records(name, "AAAA", tuple(text for text in addresses if ":" in text))

    def alias(self, name: str, target: str) -> None:
        """`name` is a CNAME of `target`."""
        self._name(name).alias = target

    def behave(self, name: str, behaviour: Behaviour) -> None:
        """`name` does this from now on; its records stay."""
        self._name(name).behaviour = behaviour

    def asked(self, name: str, kind: str = "MX") -> int:
        """How many questions of `kind` came for `name`, tries over UDP and TCP each counted."""
        with self._lock:
            return self._asked[name, kind]

    def _name(self, name: str) -> _Name:
        return self._names.setdefault(name, _Name())

    # -- The sockets

    def start(self) -> None:
        """Serve from threads until `stop`."""
        for server in (self._tcp, self._udp):
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """Close the sockets."""
        for server in (self._tcp, self._udp):
            server.shutdown()
            server.server_close()

    # -- The answers

    def reply(self, wire: bytes, *, over_tcp: bool) -> bytes | None:
        """The reply to one question; None for silence (over TCP: for a closed connection)."""
        query = dns.message.from_wire(wire)
        name, kind = _question(query)
        with self._lock:
            self._asked[name, kind] += 1
            behaviour = self._names.get(name, _Name()).behaviour
            if behaviour in {Behaviour.NO_REPLY, Behaviour.GARBAGE}:
                return wire[:2] + b"\x81\x80garbage" if behaviour is Behaviour.GARBAGE else None
            if behaviour is Behaviour.TRUNCATED_ONLY and over_tcp:
                return None
            return self._response(query, behaviour, over_tcp=over_tcp).to_wire()

    def _response(self, query: Any, behaviour: Behaviour, *, over_tcp: bool) -> dns.message.Message:
        response = dns.message.make_response(query, recursion_available=True)
        name, kind = _question(query)
        if behaviour is Behaviour.SERVFAIL:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif behaviour is Behaviour.REFUSED:
            response.set_rcode(dns.rcode.REFUSED)
        elif behaviour is Behaviour.REFERRAL:
            response.flags &= ~dns.flags.RA
            response.authority = [_record_set(name, "NS", ("ns.elsewhere.test.",))]
        elif behaviour is not Behaviour.ANSWER and not over_tcp:
            response.flags |= dns.flags.TC
        else:
            self._fill(response, name, kind)
        return response

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        """Follow the aliases from `name`, then put in its records, or the SOA where there are none."""
        seen: set[str] = set()
        while (entry := self._names.get(name)) is not None and entry.alias is not None and name not in seen:
            seen.add(name)
            response.answer.append(_record_set(name, "CNAME", (f"{entry.alias}.",)))
            name = entry.alias
        if entry is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        answers = entry.records.get(kind, []) if entry is not None else []
        texts = answers.pop(0) if len(answers) > 1 else (answers or [()])[0]
        if texts:
            response.answer.append(_record_set(name, kind, texts))
        else:
            soa = "ns.peer.test. hostmaster.peer.test. 1 3600 600 86400 60"
            response.authority.append(_record_set(name, "SOA", (soa,)))


def _question(query: dns.message.Message) -> tuple[str, str]:
    question = query.question[0]
    return question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)


def _record_set(name: str, kind: str, texts: tuple[str, ...]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(dns.name.from_text(name), 0, dns.rdataclass.IN, kind, texts)


class _UdpHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        wire, answering_socket = self.request
        assert isinstance(self.server, _UdpServer)
        reply = self.server.script.reply(wire, over_tcp=False)
        if reply is not None:
            answering_socket.sendto(reply, self.client_address)


class _TcpHandler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _TcpServer)
        (length,) = struct.unpack("!H", self.rfile.read(2))
        reply = self.server.script.reply(self.rfile.read(length), over_tcp=True)
        if reply is not None:
            self.wfile.write(struct.pack("!H", len(reply)) + reply)


class _UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    script: DnsServer


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    script: DnsServer


def _make_servers(script: DnsServer) -> tuple[_TcpServer, _UdpServer]:
    """Both servers on one port: the system picks one for TCP, and it is tried for UDP until both are free."""
    while True:
        tcp = _TcpServer(("127.0.0.1", 0), _TcpHandler)
        try:
            udp = _UdpServer(tcp.server_address, _UdpHandler)
        except OSError:
            tcp.server_close()
            continue
        tcp.script = udp.script = script
        return tcp, udp


@contextlib.contextmanager
def running_dns_server() -> Iterator[DnsServer]:
    """A server that runs inside the block."""
    server = DnsServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()


def unused_address() -> str:
    """ "127.0.0.1:port" of a UDP port where nobody listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def dns_server(settings: Settings) -> Iterator[DnsServer]:
    """A running server with an empty script, which the setting DNS_SERVERS names."""
    with running_dns_server() as server:
        settings.DNS_SERVERS = [server.address]
        yield server
