"""The honest resolver: every way in which a domain can answer, not answer, or answer badly (promise A17)."""

import threading
import time

import dns.resolver
import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from ampout.lib import dns as lookups
from ampout.lib.dns import MxAnswer, MxReason, MxStatus, NameNotFound, NoCertainAnswer
from tests.peers.dns_server import Behaviour, DnsServer, running_dns_server, unused_address

SILENCES = [
    (Behaviour.SERVFAIL, MxReason.SERVFAIL),
    (Behaviour.REFUSED, MxReason.REFUSED),
    (Behaviour.REFERRAL, MxReason.LAME),
    (Behaviour.TRUNCATED_ONLY, MxReason.GARBLED),
]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter deadlines, so that silence costs a test a tenth of a second."""
    monkeypatch.setattr(lookups, "LIFETIME_SECONDS", 0.1)
    monkeypatch.setattr(lookups, "TRY_SECONDS", 0.05)


def test_hosts_come_in_the_order_of_preference(dns_server: DnsServer) -> None:
    dns_server.mx("a.test", "20 Second.a.test.", "10 first.a.test.")
    assert lookups.look_up_mx("a.test") == MxAnswer(MxStatus.PRESENT, MxReason.FOUND, ("first.a.test", "second.a.test"))


def test_a_missing_domain_is_absent(dns_server: DnsServer) -> None:
    assert lookups.look_up_mx("missing.test") == MxAnswer(MxStatus.ABSENT, MxReason.NXDOMAIN)


def test_a_null_mx_is_absent(dns_server: DnsServer) -> None:
    dns_server.null_mx("null.test")
    assert lookups.look_up_mx("null.test") == MxAnswer(MxStatus.ABSENT, MxReason.NULL_MX)


def test_a_null_mx_beside_a_real_one_is_present(dns_server: DnsServer) -> None:
    dns_server.mx("mixed.test", "0 .", "10 mail.mixed.test.")
    assert lookups.look_up_mx("mixed.test") == MxAnswer(MxStatus.PRESENT, MxReason.FOUND, ("mail.mixed.test",))


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_an_address_does_not_stand_in_for_a_missing_mx(dns_server: DnsServer, address: str) -> None:
    dns_server.addresses("web.test", address)
    assert lookups.look_up_mx("web.test") == MxAnswer(MxStatus.ABSENT, MxReason.NO_MX)
    assert dns_server.asked("web.test", "A") == dns_server.asked("web.test", "AAAA") == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "10.0.0.1"])
def test_an_mx_that_points_inwards_is_present(dns_server: DnsServer, host: str) -> None:
    dns_server.mx("odd.test", f"10 {host}.")
    assert lookups.look_up_mx("odd.test") == MxAnswer(MxStatus.PRESENT, MxReason.FOUND, (host,))


def test_an_alias_is_followed(dns_server: DnsServer) -> None:
    dns_server.alias("alias.test", "real.test")
    dns_server.mx("real.test", "10 mail.real.test.")
    assert lookups.look_up_mx("alias.test").exchanges == ("mail.real.test",)


def test_an_alias_of_a_name_without_mx_is_absent(dns_server: DnsServer) -> None:
    dns_server.alias("alias.test", "real.test")
    dns_server.addresses("real.test", "192.0.2.1")
    assert lookups.look_up_mx("alias.test") == MxAnswer(MxStatus.ABSENT, MxReason.NO_MX)


def test_an_alias_of_a_missing_name_is_absent(dns_server: DnsServer) -> None:
    dns_server.alias("alias.test", "missing.test")
    assert lookups.look_up_mx("alias.test") == MxAnswer(MxStatus.ABSENT, MxReason.NXDOMAIN)


def test_aliases_in_a_circle_are_silent(dns_server: DnsServer) -> None:
    dns_server.alias("one.test", "two.test")
    dns_server.alias("two.test", "one.test")
    assert lookups.look_up_mx("one.test") == MxAnswer(MxStatus.SILENT, MxReason.GARBLED)


@pytest.mark.parametrize(("behaviour", "reason"), SILENCES)
def test_a_failing_server_is_silence(dns_server: DnsServer, behaviour: Behaviour, reason: MxReason) -> None:
    dns_server.mx("broken.test", "10 mail.broken.test.")
    dns_server.behave("broken.test", behaviour)
    assert lookups.look_up_mx("broken.test") == MxAnswer(MxStatus.SILENT, reason)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("behaviour", [Behaviour.NO_REPLY, Behaviour.GARBAGE])
def test_no_readable_reply_is_silence(dns_server: DnsServer, behaviour: Behaviour) -> None:
    dns_server.behave("slow.test", behaviour)
    assert lookups.look_up_mx("slow.test") == MxAnswer(MxStatus.SILENT, MxReason.TIMEOUT)


@pytest.mark.usefixtures("impatient")
def test_no_server_is_silence(settings: Settings) -> None:
    settings.DNS_SERVERS = [unused_address()]
    assert lookups.look_up_mx("a.test").status is MxStatus.SILENT


def test_no_configured_server_is_silence(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_nothing(*_: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    settings.DNS_SERVERS = []
    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", read_nothing)
    assert lookups.look_up_mx("a.test") == MxAnswer(MxStatus.SILENT, MxReason.UNREACHABLE)


def test_an_answer_cut_short_is_asked_again_over_tcp(dns_server: DnsServer) -> None:
    dns_server.mx("big.test", *(f"{number} mail-{number}.big.test." for number in range(100)))
    dns_server.behave("big.test", Behaviour.TRUNCATED)
    assert len(lookups.look_up_mx("big.test").exchanges) == 100
    assert dns_server.asked("big.test") == 2


def test_the_second_server_is_asked_when_the_first_fails(dns_server: DnsServer, settings: Settings) -> None:
    dns_server.mx("a.test", "10 mail.a.test.")
    with running_dns_server() as failing:
        failing.behave("a.test", Behaviour.SERVFAIL)
        settings.DNS_SERVERS = [failing.address, dns_server.address]
        assert lookups.look_up_mx("a.test").exchanges == ("mail.a.test",)
    assert failing.asked("a.test") == 1


def test_the_systems_search_list_is_not_used(dns_server: DnsServer) -> None:
    resolver = lookups.make_resolver()
    resolver.search = [dns.name.from_text("corp.test")]
    dns_server.mx("mail.corp.test", "10 mail.corp.test.")
    assert lookups.look_up_mx("mail", resolver=resolver).reason is MxReason.NXDOMAIN


@pytest.mark.parametrize("domain", ["", ".", "a..test", "x" * 64 + ".test", ".".join(["x" * 60] * 5)])
def test_a_name_that_cannot_be_asked_never_raises(dns_server: DnsServer, domain: str) -> None:
    assert lookups.look_up_mx(domain).status is not MxStatus.PRESENT


def test_many_domains_are_asked_once_each(dns_server: DnsServer) -> None:
    dns_server.mx("a.test", "10 mail.a.test.")
    dns_server.behave("b.test", Behaviour.SERVFAIL)
    answers = lookups.look_up_many(["a.test", "b.test", "c.test", "a.test"])
    assert [answer.status for answer in answers.values()] == [MxStatus.PRESENT, MxStatus.SILENT, MxStatus.ABSENT]
    assert dns_server.asked("a.test") == 1


def test_no_domains_need_no_look_up(settings: Settings) -> None:
    settings.DNS_SERVERS = ["not an address"]
    assert lookups.look_up_many([]) == {}


@pytest.mark.usefixtures("impatient")
def test_slow_domains_are_waited_for_side_by_side(dns_server: DnsServer) -> None:
    domains = [f"{number}.slow.test" for number in range(16)]
    for domain in domains:
        dns_server.behave(domain, Behaviour.NO_REPLY)
    before = time.monotonic()
    answers = lookups.look_up_many(domains, workers=16)
    assert {answer.reason for answer in answers.values()} == {MxReason.TIMEOUT}
    assert time.monotonic() - before < 16 * 0.1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mx")]


def test_both_families_of_addresses_are_found(dns_server: DnsServer) -> None:
    dns_server.addresses("a.test", "2001:db8::1", "192.0.2.1", "192.0.2.2")
    found = lookups.look_up_addresses("a.test")
    assert sorted(found[:2]) == ["192.0.2.1", "192.0.2.2"]
    assert found[2:] == ("2001:db8::1",)


def test_a_name_without_addresses_is_not_found(dns_server: DnsServer) -> None:
    dns_server.mx("a.test", "10 mail.a.test.")
    for name in ["a.test", "missing.test"]:
        with pytest.raises(NameNotFound):
            lookups.look_up_addresses(name)


@pytest.mark.parametrize("behaviour", [Behaviour.SERVFAIL, Behaviour.REFUSED, Behaviour.REFERRAL])
def test_silence_about_addresses_is_not_a_no(dns_server: DnsServer, behaviour: Behaviour) -> None:
    dns_server.behave("broken.test", behaviour)
    with pytest.raises(NoCertainAnswer):
        lookups.look_up_addresses("broken.test")


@pytest.mark.parametrize("text", ["192.0.2.1", "192.0.2.1:53", "2001:db8::1", "[2001:db8::1]:53"])
def test_servers_are_named_by_address_and_port(settings: Settings, text: str) -> None:
    settings.DNS_SERVERS = [text]
    (server,) = lookups.make_resolver().nameservers
    assert str(server) in {"Do53:192.0.2.1@53", "Do53:2001:db8::1@53"}


@pytest.mark.parametrize("text", ["dns.example.com", "192.0.2.1:dns", "192.0.2", "https://192.0.2.1/dns-query"])
def test_a_server_that_is_no_address_names_the_setting(settings: Settings, text: str) -> None:
    settings.DNS_SERVERS = [text]
    with pytest.raises(ImproperlyConfigured, match="DNS_SERVERS"):
        lookups.make_resolver()
