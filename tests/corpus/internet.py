"""The rest of the pretend internet: its names, and servers that give the replies which providers document.

It has to run where it can listen on ports 25 and 53 of 192.0.2.1.
"""

import contextlib
import socketserver
import threading
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

ADDRESS = "192.0.2.1"
REFUSING = "192.0.2.2"
"""An address of a host that has no mail server."""


@dataclass(slots=True)
class Names:
    """What the name server knows: mail exchangers and addresses; every other name does not exist.

    An empty exchanger is a null MX (RFC 7505). A name in `bare` exists, but has no records of any kind asked for.
    """

    exchangers: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    bare: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """The answer to one question."""
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        record = self._record(name, question.rdtype)
        if record:
            kind = dns.rdatatype.to_text(question.rdtype)
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, record))
        elif name in self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif not (name in self.exchangers or name in self.addresses or name in self.bare):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response

    def _record(self, name: str, kind: int) -> str:
        if kind == dns.rdatatype.MX and name in self.exchangers:
            exchanger = self.exchangers[name]
            return f"10 {exchanger}." if exchanger else "0 ."
        if kind == dns.rdatatype.A and name in self.addresses:
            return self.addresses[name]
        if kind == dns.rdatatype.PTR and name.endswith(".in-addr.arpa"):
            number = ".".join(reversed(name.split(".")[:4]))
            hosts = [host for host, address in self.addresses.items() if address == number]
            return f"{hosts[0]}." if hosts else ""
        return ""


def serve_names(names: Names) -> None:
    """Answer questions over UDP and TCP for as long as the process lives."""

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, socket = self.request
            with contextlib.suppress(Exception):
                socket.sendto(names.answer(dns.message.from_wire(data)).to_wire(), self.client_address)

    class Stream(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(Exception):
                length = int.from_bytes(self.rfile.read(2), "big")
                wire = names.answer(dns.message.from_wire(self.rfile.read(length))).to_wire()
                self.wfile.write(len(wire).to_bytes(2, "big") + wire)

    for server in (socketserver.ThreadingUDPServer((ADDRESS, 53), Datagram), _Stream((ADDRESS, 53), Stream)):
        threading.Thread(target=server.serve_forever, daemon=True).start()


class _Stream(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@dataclass(frozen=True, slots=True)
class Reply:
    """What a provider answers, at "rcpt", "data", "mail" or "connect": its lines without the code, and the code."""

    stage: str
    code: int
    lines: tuple[str, ...]

    def wire(self, recipient: str) -> bytes:
        """The reply as sent, the recipient's address put in where the documented text has one."""
        texts = [line.replace("{recipient}", recipient) for line in self.lines]
        marks = ["-"] * (len(texts) - 1) + [" "]
        return "".join(f"{self.code}{mark}{text}\r\n" for mark, text in zip(marks, texts, strict=True)).encode()


class Providers:
    """A mail server for many domains, each of which always answers one Reply; the host name is the domain's."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.replies: dict[str, Reply] = {}

    def serve(self, address: str) -> None:
        """Serve on port 25 of an address for as long as the process lives."""
        providers = self

        class Conversation(socketserver.StreamRequestHandler):
            timeout = 60

            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    providers.converse(self)

        threading.Thread(target=_Stream((address, 25), Conversation).serve_forever, daemon=True).start()

    def converse(self, handler: socketserver.StreamRequestHandler) -> None:
        """Hold one SMTP conversation."""
        say = handler.wfile.write
        say(f"220 {self.host} ESMTP\r\n".encode())
        recipient, reply = "", None
        for line in handler.rfile:
            verb = line[:4].upper()
            if verb == b"EHLO":
                say(f"250-{self.host}\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 35882577\r\n".encode())
            elif verb == b"RCPT":
                recipient = line.decode(errors="replace").partition("<")[2].partition(">")[0]
                reply = self.replies.get(recipient.rpartition("@")[2].lower())
                say(reply.wire(recipient) if reply and reply.stage == "rcpt" else b"250 2.1.5 OK\r\n")
            elif verb == b"DATA":
                say(b"354 Go ahead\r\n")
                for part in handler.rfile:
                    if part == b".\r\n":
                        break
                say(reply.wire(recipient) if reply and reply.stage == "data" else b"250 2.0.0 OK\r\n")
            elif verb == b"QUIT":
                say(b"221 2.0.0 Bye\r\n")
                return
            else:
                say(b"250 2.0.0 OK\r\n")
