"""DNS questions, answered honestly: a certain "no" is never mixed up with silence.

The servers asked are those of the setting DNS_SERVERS, or the system's where it is empty. They must be resolvers that
follow aliases (recursive ones). Nothing is cached here: who asks decides how long an answer is good for.
"""

import ipaddress
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from ampout.lib.mx import MxAnswer, MxReason, MxStatus

__all__ = [
    "MxAnswer",
    "MxReason",
    "MxStatus",
    "NameNotFound",
    "NoCertainAnswer",
    "look_up_addresses",
    "look_up_many",
    "look_up_mx",
    "make_resolver",
]

LIFETIME_SECONDS = 3.0
"""For one question, over all servers and tries."""
TRY_SECONDS = 1.0
"""For one try at one server; a lost datagram leaves time for two more."""

_FAILED_RCODES = {"SERVFAIL": MxReason.SERVFAIL, "REFUSED": MxReason.REFUSED}


class NameNotFound(LookupError):
    """The DNS said for certain that the name has no address."""


class NoCertainAnswer(LookupError):
    """The DNS did not say whether the name has an address; asking again later may help."""


def make_resolver() -> dns.resolver.Resolver:
    """A resolver by the settings, safe to share between threads.

    Raises dns.resolver.NoResolverConfiguration when neither the settings nor the system name a server, and
    ImproperlyConfigured when DNS_SERVERS holds something else than addresses.
    """
    if settings.DNS_SERVERS:
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = [_server(text) for text in settings.DNS_SERVERS]
    else:
        resolver = dns.resolver.Resolver()
    resolver.lifetime = LIFETIME_SECONDS
    resolver.timeout = TRY_SECONDS
    return resolver


def _server(text: str) -> dns.nameserver.Nameserver:
    """The server that "192.0.2.1", "192.0.2.1:53", "2001:db8::1" or "[2001:db8::1]:53" names."""
    address, port = text, "53"
    if text.startswith("[") or text.count(":") == 1:
        address, _, port = text.rpartition(":")
    try:
        address = str(ipaddress.ip_address(address.removeprefix("[").removesuffix("]")))
        return dns.nameserver.Do53Nameserver(address, int(port))
    except ValueError:
        raise ImproperlyConfigured(f"DNS_SERVERS holds {text!r}. Use addresses such as 192.0.2.1:53.") from None


def look_up_mx(domain: str, *, resolver: dns.resolver.Resolver | None = None) -> MxAnswer:
    """What the DNS says about mail to `domain` (in A-labels). Never raises for what the network does.

    Absent are a missing domain, a null MX (RFC 7505), and a domain without MX, even with an address: RFC 5321's
    fall-back to the address (5.1) is not taken, as the contract's rule 3 says.
    """
    try:
        response = _ask(domain, "MX", resolver)
    except dns.resolver.NXDOMAIN:
        return MxAnswer(MxStatus.ABSENT, MxReason.NXDOMAIN)
    except (dns.exception.DNSException, OSError) as error:
        return MxAnswer(MxStatus.SILENT, _reason_of_silence(error))
    return _read_mx(response)


def look_up_many(
    domains: Iterable[str],
    *,
    resolver: dns.resolver.Resolver | None = None,
    workers: int = 16,
) -> dict[str, MxAnswer]:
    """One answer for each different domain, asked side by side in `workers` threads."""
    wanted = list(dict.fromkeys(domains))
    if not wanted:
        return {}
    with ThreadPoolExecutor(max_workers=min(workers, len(wanted)), thread_name_prefix="mx") as pool:
        answers = pool.map(lambda domain: look_up_mx(domain, resolver=resolver), wanted)
        return dict(zip(wanted, answers, strict=True))


def look_up_addresses(host: str, *, resolver: dns.resolver.Resolver | None = None) -> tuple[str, ...]:
    """All IPv4 and IPv6 addresses of `host`, IPv4 first.

    One family that answers is enough. Raises NameNotFound when both are certain to have none, else NoCertainAnswer.
    """
    found: list[str] = []
    certain = True
    for kind in ("A", "AAAA"):
        try:
            answer = _ask(host, kind, resolver)
        except dns.resolver.NXDOMAIN:
            break
        except (dns.exception.DNSException, OSError):
            certain = False
        else:
            found += [record.to_text() for record in answer.rrset or ()]
            certain = certain and not _is_unfinished(answer)
    if found:
        return tuple(found)
    if certain:
        raise NameNotFound(host)
    raise NoCertainAnswer(host)


def _ask(name: str, kind: str, resolver: dns.resolver.Resolver | None) -> dns.resolver.Answer:
    """One question; an answer without records is returned, not raised."""
    # Made absolute, so that the system's search list never turns one domain into another.
    absolute = dns.name.from_text(name)
    resolver = resolver or make_resolver()
    return resolver.resolve(absolute, kind, search=False, raise_on_no_answer=False)


def _read_mx(answer: dns.resolver.Answer) -> MxAnswer:
    """The meaning of an answer that came without an error code."""
    if answer.rrset is None:
        if _is_unfinished(answer):
            return MxAnswer(MxStatus.SILENT, MxReason.LAME)
        return MxAnswer(MxStatus.ABSENT, MxReason.NO_MX)
    records = sorted(answer.rrset, key=lambda record: (record.preference, record.exchange))
    # A null MX beside real ones breaks RFC 7505 (section 3); the hosts that are named get the benefit of the doubt.
    hosts = [record.exchange for record in records if record.exchange != dns.name.root]
    if not hosts:
        return MxAnswer(MxStatus.ABSENT, MxReason.NULL_MX)
    return MxAnswer(MxStatus.PRESENT, MxReason.FOUND, tuple(_host_text(host) for host in hosts))


def _host_text(host: dns.name.Name) -> str:
    return host.to_text(omit_final_dot=True).lower()


def _is_unfinished(answer: dns.resolver.Answer) -> bool:
    """Whether an empty answer leaves the question open, as only a server that does not follow up does.

    Either it says "ask those servers" (a referral: RFC 2308, 2.1 and 2.2), or it names an alias and stops there.
    """
    flags, kinds = answer.response.flags, {rrset.rdtype for rrset in answer.response.authority}
    if dns.rdatatype.SOA in kinds:
        return False
    is_referral = dns.rdatatype.NS in kinds and not flags & dns.flags.AA
    stops_at_alias = answer.canonical_name != answer.qname and not flags & dns.flags.RA
    return is_referral or stops_at_alias


def _reason_of_silence(error: Exception) -> MxReason:
    """What the last server did instead of answering."""
    if isinstance(error, dns.resolver.NoResolverConfiguration | OSError):
        return MxReason.UNREACHABLE
    if isinstance(error, dns.resolver.LifetimeTimeout):
        return MxReason.TIMEOUT
    if not isinstance(error, dns.resolver.NoNameservers):
        return MxReason.GARBLED
    problems = error.kwargs.get("errors") or []
    last = problems[-1][3] if problems else None
    if isinstance(last, str):
        return _FAILED_RCODES.get(last, MxReason.GARBLED)
    return MxReason.UNREACHABLE if isinstance(last, OSError | None) else MxReason.GARBLED
