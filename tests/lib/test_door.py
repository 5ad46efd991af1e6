"""The outbound door: nothing inside can be reached through a host that a user names (promises 3.4)."""

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from ampout.lib import door
from ampout.lib.door import (
    CheckedTarget,
    RefusalReason,
    TargetRefused,
    TargetUnresolved,
    check_target,
    check_target_async,
)
from tests.peers.dns_server import Behaviour, DnsServer

PUBLIC = "1.1.1.1"
PUBLIC_6 = "2606:4700:4700::1111"

PRIVATE_ADDRESSES = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254"),
    *("168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1"),
    *("192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255"),
    *("240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:8.8.8.8", "64:ff9b::7f00:1"),
    *("64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1"),
    *("fc00::1", "fd00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1"),
]
ODD_SPELLINGS = [
    *("", " ", ".", "127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.0.0.01", "0x7f.0.0.0x1"),
    *("1.2.3.4.", "1.2.3.4.5", "256.1.1.1", "localhost.", "mail.example.com.", "[::1]", "[127.0.0.1]", "::1%lo"),
    *("fe80::1%eth0", "127.0.0.1:25", "[example.com]", "user@127.0.0.1", "user@example.com", "example.com#@evil.test"),
    *("example.com/", "http://example.com", "ftp://example.com", "gopher://127.0.0.1:6379/_", "file:///etc/passwd"),
    *("example.com\t", "exa\tmple.com", "exa\nmple.com", "example.com\r\n", "exa mple.com", "exa\\mple.com"),
    *("example.com\x00", "１２７.0.0.1", "127。0。0。1", "127．0．0．1", "①②⑦.⓪.⓪.①", "exämple.com", "example。com"),
    *("-a.example.com", "a-.example.com", "a..example.com", ".example.com", "a_b.example.com", "x" * 64 + ".com"),
    *(".".join(["x" * 60] * 5), "example.com?x", "example.com,evil.test", "*.example.com", "%31.1.1.1"),
]


@pytest.fixture(autouse=True)
def closed(settings: Settings) -> None:
    """Nothing private is allowed, and names are the system's matter, whatever the test run itself sets."""
    settings.ALLOW_PRIVATE_NETWORKS = []
    settings.DNS_SERVERS = []


def refusal(host: str, port: int = 587, **options: object) -> TargetRefused:
    with pytest.raises(TargetRefused) as caught:
        check_target(host, port, **options)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize("address", PRIVATE_ADDRESSES)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert refusal(address).reason is RefusalReason.PRIVATE_ADDRESS


@pytest.mark.parametrize("host", ODD_SPELLINGS)
def test_an_odd_spelling_is_refused(host: str) -> None:
    assert refusal(host).reason is RefusalReason.BAD_HOST


@pytest.mark.parametrize("host", ODD_SPELLINGS)
def test_an_odd_spelling_is_refused_even_where_everything_is_allowed(host: str) -> None:
    assert refusal(host, allow=["0.0.0.0/0", "::/0"]).reason is RefusalReason.BAD_HOST


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "mail.localhost", "a.b.localhost"])
def test_localhost_is_loopback_without_asking(dns_server: DnsServer, host: str) -> None:
    dns_server.addresses(host.lower(), PUBLIC)
    assert refusal(host).reason is RefusalReason.PRIVATE_ADDRESS
    assert dns_server.asked(host.lower(), "A") == 0


@pytest.mark.parametrize("address", [PUBLIC, PUBLIC_6, "9.255.255.255", "11.0.0.0", "172.32.0.1", "192.0.1.1"])
def test_a_public_address_is_taken_as_it_is(address: str) -> None:
    assert check_target(address, 25) == CheckedTarget(host=address, port=25, addresses=(address,))


@pytest.mark.parametrize("port", [-1, 0, 65_536])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    assert refusal(PUBLIC, port).reason is RefusalReason.BAD_PORT


@pytest.mark.parametrize("port", [22, 5432, 6379, 11211])
def test_a_port_that_does_not_serve_the_purpose_is_refused(port: int) -> None:
    assert refusal(PUBLIC, port, ports=door.SMTP_PORTS).reason is RefusalReason.BAD_PORT
    assert refusal(PUBLIC, port, ports=door.IMAP_PORTS).reason is RefusalReason.BAD_PORT


def test_an_allowed_network_may_use_any_port() -> None:
    target = check_target("127.0.0.1", 40_001, allow=["127.0.0.0/8"], ports=door.SMTP_PORTS)
    assert target.addresses == ("127.0.0.1",)


def test_the_setting_opens_the_networks_it_names_and_no_others(settings: Settings) -> None:
    settings.ALLOW_PRIVATE_NETWORKS = ["10.1.0.0/16", "fd00::/64"]
    assert check_target("10.1.2.3", 25).addresses == ("10.1.2.3",)
    assert check_target("fd00::5", 25).addresses == ("fd00::5",)
    for address in ["10.2.0.1", "::ffff:10.1.2.3", "fd00:0:0:1::1", "127.0.0.1"]:
        assert refusal(address).reason is RefusalReason.PRIVATE_ADDRESS


def test_a_name_becomes_all_its_addresses(dns_server: DnsServer) -> None:
    dns_server.addresses("smtp.provider.test", PUBLIC, PUBLIC_6)
    target = check_target("SMTP.Provider.test", 587)
    assert target == CheckedTarget(host="smtp.provider.test", port=587, addresses=(PUBLIC, PUBLIC_6))


@pytest.mark.parametrize(
    "addresses",
    [("10.0.0.1",), (PUBLIC, "10.0.0.1"), (PUBLIC, "::1"), (PUBLIC, PUBLIC_6, "fd00::1"), ("127.0.0.1", PUBLIC_6)],
)
def test_one_private_address_refuses_the_name(dns_server: DnsServer, addresses: tuple[str, ...]) -> None:
    dns_server.addresses("mixed.test", *addresses)
    assert refusal("mixed.test").reason is RefusalReason.PRIVATE_ADDRESS


def test_an_alias_to_the_inside_is_refused(dns_server: DnsServer) -> None:
    dns_server.alias("alias.test", "inside.test")
    dns_server.addresses("inside.test", "169.254.169.254")
    assert refusal("alias.test").reason is RefusalReason.PRIVATE_ADDRESS


def test_a_name_that_is_bound_anew_keeps_the_checked_address(dns_server: DnsServer) -> None:
    dns_server.records("rebinding.test", "A", (PUBLIC,), ("127.0.0.1",))
    dns_server.records("rebinding.test", "AAAA", ())
    assert check_target("rebinding.test", 587).addresses == (PUBLIC,)
    assert dns_server.asked("rebinding.test", "A") == 1
    assert refusal("rebinding.test").reason is RefusalReason.PRIVATE_ADDRESS


def test_a_missing_name_is_unresolved_for_good(dns_server: DnsServer) -> None:
    with pytest.raises(TargetUnresolved, match=r"missing\.test has no address") as caught:
        check_target("missing.test", 25)
    assert caught.value.temporary is False


def test_a_silent_dns_is_unresolved_for_now(dns_server: DnsServer) -> None:
    dns_server.behave("broken.test", Behaviour.SERVFAIL)
    with pytest.raises(TargetUnresolved, match=r"did not answer for broken\.test") as caught:
        check_target("broken.test", 25)
    assert caught.value.temporary is True


@pytest.mark.parametrize(
    ("code", "temporary"),
    [(socket.EAI_NONAME, False), (socket.EAI_NODATA, False), (socket.EAI_AGAIN, True), (socket.EAI_FAIL, True)],
)
def test_the_systems_resolver_is_understood(monkeypatch: pytest.MonkeyPatch, code: int, temporary: bool) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(code, "no luck")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(TargetUnresolved) as caught:
        check_target("smtp.provider.test", 25)
    assert caught.value.temporary is temporary


def test_the_systems_addresses_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, 1, 6, "", (PUBLIC, 0)), (socket.AF_INET6, 1, 6, "", ("fe80::1%eth0", 0, 0, 2))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    assert refusal("hosts-file-name").reason is RefusalReason.PRIVATE_ADDRESS


def test_our_own_public_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "REFUSED_NETWORKS", ())
    assert refusal("127.0.0.1").reason is RefusalReason.PRIVATE_ADDRESS
    assert check_target("127.0.0.1", 25, allow=["127.0.0.1/32"]).addresses == ("127.0.0.1",)


def test_refusals_do_not_tell_open_from_closed_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        open_port = listener.getsockname()[1]
        told = {refusal("127.0.0.1", port).message for port in [open_port, 1]}
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert len(told) == 1


def test_a_refusal_does_not_tell_the_inner_address(dns_server: DnsServer) -> None:
    dns_server.addresses("inside.test", "10.9.8.7")
    assert "10.9.8.7" not in refusal("inside.test").message


def test_the_event_loop_gets_the_same_answers(dns_server: DnsServer) -> None:
    dns_server.addresses("a.test", PUBLIC)
    dns_server.addresses("b.test", "10.0.0.1")

    async def check_both() -> list[CheckedTarget | BaseException]:
        checks = [check_target_async("a.test", 587), check_target_async("b.test", 587)]
        return await asyncio.gather(*checks, return_exceptions=True)

    good, bad = asyncio.run(check_both())
    assert good == CheckedTarget(host="a.test", port=587, addresses=(PUBLIC,))
    assert isinstance(bad, TargetRefused)


@pytest.mark.parametrize(
    ("declared", "is_insecure"),
    [
        ([], False),
        (["Mail.Inside.test"], True),
        (["inside.test"], False),
        (["10.0.0.0/8"], False),
        (["10.0.0.0/8", "fd00::/8"], False),
        (["10.1.2.3"], False),
        (["other.test", "0.0.0.0/0"], False),
    ],
)
def test_a_host_is_insecure_only_by_name_or_with_all_its_addresses(
    settings: Settings, declared: list[str], is_insecure: bool
) -> None:
    settings.SMTP_INSECURE_HOSTS = declared
    target = CheckedTarget(host="mail.inside.test", port=25, addresses=("10.1.2.3", "fd00::1"))
    assert door.is_declared_insecure(target) is is_insecure


@pytest.mark.parametrize(
    ("declared", "is_insecure"), [("10.0.0.0/8", True), ("10.1.2.3", True), ("10.9.0.0/16", False)]
)
def test_a_host_in_a_declared_network_is_insecure(settings: Settings, declared: str, is_insecure: bool) -> None:
    settings.SMTP_INSECURE_HOSTS = [declared]
    target = CheckedTarget(host="mail.inside.test", port=25, addresses=("10.1.2.3",))
    assert door.is_declared_insecure(target) is is_insecure


@given(st.sampled_from(door.REFUSED_NETWORKS).flatmap(lambda network: st.ip_addresses(network=network)))
def test_every_address_of_a_listed_network_is_refused(address: door.IpAddress) -> None:
    assert refusal(str(address)).reason is RefusalReason.PRIVATE_ADDRESS


@given(st.ip_addresses())
def test_only_addresses_the_registries_call_global_pass(address: door.IpAddress) -> None:
    if not address.is_global or address.is_multicast:
        assert refusal(str(address)).reason is RefusalReason.PRIVATE_ADDRESS


@given(st.text(max_size=60))
def test_any_text_gets_a_verdict_before_any_look_up(host: str) -> None:
    if "." not in host:
        host = f"{host}!"
    if not host.isascii() or any(character in host for character in "@:/\\[]!%# \t\r\n\x00"):
        with pytest.raises(TargetRefused):
            check_target(host, 25, allow=[])
