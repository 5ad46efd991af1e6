"""``python -m ampout.sandbox``: start the pretend internet, say ``ready`` with the ports, stop on SIGTERM or SIGINT."""

import argparse
import asyncio
import logging
import resource
import signal
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from ampout.lib import clock
from ampout.sandbox.aftermath import Aftermath
from ampout.sandbox.ca import DamagedAuthorityError, make_server_context
from ampout.sandbox.dns import DnsServer, start_dns_server
from ampout.sandbox.imap import start_imap_server
from ampout.sandbox.log import JsonLinesLog, behaviours_log_path, refused_log_path
from ampout.sandbox.mailboxes import Mailboxes
from ampout.sandbox.recipients import Pace
from ampout.sandbox.server import Recipients, start_smtp_server

logger = logging.getLogger("ampout.sandbox")

DEFAULT_PASSWORD = "sandbox"  # noqa: S105 - known to all on purpose: it guards a pretend internet on loopback
OPEN_FILES = 8_192
"""How many connections the sandbox makes room for, where the system lets it."""


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop; returns the exit code: 0, or 1 with one sentence on stderr."""
    options = _make_parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    # aiosmtpd warns at every login about a deprecated attribute that it sets itself.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    _make_room_for_connections()
    try:
        asyncio.run(_run(options))
    except (OSError, DamagedAuthorityError) as error:
        sys.stderr.write(f"The sandbox cannot start: {error}\n")
        return 1
    return 0


async def _run(options: argparse.Namespace) -> None:
    """Start the servers, report the ports, wait for the signal, stop."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_report_client_failure)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    context = make_server_context(options.state_dir, options.host, clock.utc_now())
    mailboxes = Mailboxes(options.state_dir / "mail", clock.utc_now())
    accepted, refused = JsonLinesLog(options.log), JsonLinesLog(refused_log_path(options.log))
    aftermath, recipients = _make_recipients(options, mailboxes, accepted, refused)
    smtp = await start_smtp_server(recipients, host=options.host, port=options.port, context=context)
    imap = await start_imap_server(
        mailboxes, password=options.password, host=options.host, port=options.imap_port, context=context
    )
    dns = None if options.dns_port is None else await start_dns_server(host=options.host, port=options.dns_port)
    _say_ready(options.host, smtp, imap, dns)
    await stop.wait()
    smtp.close()
    imap.close()
    if dns is not None:
        dns.close()
    await aftermath.close()
    await accepted.close()
    await refused.close()


def _make_recipients(
    options: argparse.Namespace, mailboxes: Mailboxes, accepted: JsonLinesLog, refused: JsonLinesLog
) -> tuple[Aftermath, Recipients]:
    pace = Pace(options.greylist_seconds, options.full_tries, options.slow_seconds, options.answer_seconds)
    behaviours = JsonLinesLog(behaviours_log_path(options.log))
    aftermath = Aftermath(
        mailboxes=mailboxes, log=behaviours, pace=pace, web_port=options.web_port, read_clock=clock.utc_now
    )
    recipients = Recipients(
        accepted=accepted,
        refused=refused,
        aftermath=aftermath,
        password=options.password,
        pace=pace,
        read_clock=clock.utc_now,
    )
    return aftermath, recipients


def _say_ready(host: str, smtp: asyncio.Server, imap: asyncio.Server, dns: DnsServer | None) -> None:
    """One line on stdout, as soon as everything listens: ``ready smtp=127.0.0.1:2525 imap=127.0.0.1:2993``."""
    shown_host = f"[{host}]" if ":" in host else host
    ports = {"smtp": smtp.sockets[0].getsockname()[1], "imap": imap.sockets[0].getsockname()[1]}
    if dns is not None:
        ports["dns"] = dns.port
    sys.stdout.write(" ".join(["ready", *(f"{name}={shown_host}:{port}" for name, port in ports.items())]) + "\n")
    sys.stdout.flush()


def _report_client_failure(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A client that vanished or broke its TLS ends its own conversation; that is not worth a traceback."""
    logger.info("A conversation ended: %s (%r)", context.get("message"), context.get("exception"))


def _make_room_for_connections() -> None:
    """Raise the limit of open files, which on many systems is 1,024, as far as it may go."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _make_parser() -> argparse.ArgumentParser:
    pace = Pace()
    parser = argparse.ArgumentParser(prog="python -m ampout.sandbox", description=__doc__)
    add = parser.add_argument
    add("--host", type=_loopback_address, default="127.0.0.1", help="loopback IP address to listen on")
    add("--port", type=_port, default=0, help="SMTP port (STARTTLS); 0 takes a free one")
    add("--imap-port", type=_port, default=0, help="IMAP port (TLS from the first byte); 0 takes a free one")
    add("--web-port", type=_port, help="port of Ampout on loopback, the only one that recipients visit; none otherwise")
    add("--dns-port", type=_port, help="DNS port, UDP and TCP; 0 takes a free one; no DNS when left out")
    add("--log", type=Path, required=True, help="file that gets one JSON line for every accepted message")
    add("--state-dir", type=Path, required=True, help="folder for the certificate authority (ca.pem) and server keys")
    add("--password", default=DEFAULT_PASSWORD, help="of every login sender1@sandbox.test, sender2@…")
    add("--greylist-seconds", type=float, default=pace.greylist_seconds, help="until a greylisting recipient accepts")
    add("--full-tries", type=int, default=pace.full_tries, help="tries that find a full mailbox full")
    add("--slow-seconds", type=float, default=pace.slow_seconds, help="a slow recipient's wait before each answer")
    add("--answer-seconds", type=float, default=pace.answer_seconds, help="the longest a person takes to answer")
    return parser


def _loopback_address(text: str) -> str:
    """The address in ``text``; anything but a loopback IP address is an error, for the sandbox takes mail for all."""
    try:
        address = ip_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IP address; use 127.0.0.1") from error
    if not address.is_loopback:
        raise argparse.ArgumentTypeError(f"{text} is not a loopback address; the sandbox listens on loopback only")
    return str(address)


def _port(text: str) -> int:
    """The port number in ``text``, 0 to 65535."""
    if not text.isascii() or not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number (0 to 65535)")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
