"""E6: no webhook URL reaches anything inside, neither when it is given nor when it is called (promises 3.4)."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from ampout.events.services.endpoints import create_endpoint, update_endpoint
from ampout.lib.errors import ValidationFailed
from tests import factories
from tests.conftest import ApiClient
from tests.events.conftest import Town, deliveries, tell
from tests.peers.dns_server import Behaviour, DnsServer
from tests.peers.webhook_sink import Reply

INSIDE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "localhost", "a.localhost", "[::1]", "[::]", "10.0.0.1", "10.1.2.3"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "172.16.0.1"),
    *("169.254.169.254", "[fd00::1]", "[fd00:ec2::254]", "[fe80::1]", "100.64.0.1", "198.18.0.1", "192.168.1.1"),
    *("224.0.0.1", "255.255.255.255", "[ff02::1]", "168.63.129.16", "192.0.0.8", "[2001::1]", "[::127.0.0.1]"),
]
"""Hosts inside, as a URL spells them; {port} is that of a sinkhole."""
ODD = [
    *("https://127.1:{port}/", "https://2130706433:{port}/", "https://0x7f.1:{port}/", "https://0177.0.0.1:{port}/"),
    *("https://0x7f000001:{port}/", "https://localhost.:{port}/", "https://127.0.0.1.:{port}/"),
    *("https://１２７.0.0.1:{port}/", "https://127。0。0。1:{port}/", "https://①②⑦.0.0.1:{port}/"),
    *("https://[fe80::1%25lo]:{port}/", "https://[::1%lo]:{port}/", "https://[127.0.0.1]:{port}/"),
    *("https://[example.com]:{port}/", "https://user@127.0.0.1:{port}/", "https://1.1.1.1@127.0.0.1:{port}/"),
    *("https://1.1.1.1:443@127.0.0.1:{port}/", "https://1.1.1.1#@127.0.0.1:{port}/", "https:127.0.0.1:{port}/"),
    *("https://1.1.1.1\\@127.0.0.1:{port}/", "https:\\\\127.0.0.1:{port}\\", "https:///127.0.0.1:{port}/"),
    *("https://127.0.0.1:{port}\t/", "https://127.0.0.1\n:{port}/", " https://127.0.0.1:{port}/"),
    *("gopher://127.0.0.1:{port}/_QUIT", "file:///etc/passwd", "ftp://127.0.0.1:{port}/", "dict://127.0.0.1:{port}/x"),
    *(
        "http://127.0.0.1:{port}/",
        "http://1.1.1.1/",
        "HTTP://1.1.1.1:80/",
        "https://1.1.1.1:22/",
        "https://1.1.1.1:25/",
    ),
    *("https://1.1.1.1:5432/", "https://1.1.1.1:6379/", "https://1.1.1.1:80/", "https://1.1.1.1:0/", "//127.0.0.1/"),
]


@dataclass
class Sinkhole:
    """Listens on IPv4 and IPv6 loopback at one port, and counts who comes."""

    port: int
    sockets: list[socket.socket]
    visits: list[str] = field(default_factory=list)

    def serve(self, listening: socket.socket) -> None:
        while True:
            try:
                visitor, _ = listening.accept()
            except OSError:
                return
            self.visits.append(str(listening.getsockname()))
            visitor.close()


@pytest.fixture
def sinkhole() -> Iterator[Sinkhole]:
    """Takes connections to 127.0.0.1, and to ::1 where there is IPv6."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = first.getsockname()[1]
        hole = Sinkhole(port, [first])
        with contextlib.suppress(OSError):
            hole.sockets.append(stack.enter_context(socket.create_server(("::1", port), family=socket.AF_INET6)))
        for listening in hole.sockets:
            threading.Thread(target=hole.serve, args=(listening,), daemon=True).start()
        yield hole
        for listening in hole.sockets:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def closed(settings: Settings) -> None:
    """Nothing private is allowed, and names are the system's matter."""
    settings.ALLOW_PRIVATE_NETWORKS = []
    settings.DNS_SERVERS = []


def all_urls(port: int) -> list[str]:
    return [f"https://{host}:{port}/" for host in INSIDE] + [url.format(port=port) for url in ODD]


def refusal(account: Account, url: str) -> str:
    with pytest.raises(ValidationFailed) as caught:
        create_endpoint(account, url)
    (sentence,) = caught.value.details["url"]
    return str(sentence)


def test_there_are_more_than_sixty_forms() -> None:
    assert len(set(all_urls(1))) > 60


def test_no_form_is_taken_and_none_is_connected_to(account: Account, sinkhole: Sinkhole, closed: None) -> None:
    for url in all_urls(sinkhole.port):
        assert refusal(account, url), url
    assert sinkhole.visits == []


def test_the_api_names_the_field(api: ApiClient, closed: None) -> None:
    answer = api.post("/webhooks", {"url": "https://10.0.0.1/"})
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert answer.json()["details"].keys() == {"url"}


@pytest.mark.parametrize("url", ["https://1.1.1.1/", "https://1.1.1.1:8443/a?b=c", "https://[2606:4700::1111]/"])
def test_public_urls_are_taken(account: Account, closed: None, url: str) -> None:
    assert create_endpoint(account, url).url == url


def test_an_open_port_inside_is_refused_like_a_closed_one(account: Account, sinkhole: Sinkhole, closed: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        free_port = free.getsockname()[1]
    told = {refusal(account, f"https://127.0.0.1:{port}/") for port in (sinkhole.port, free_port, 443)}
    assert len(told) == 1
    assert sinkhole.visits == []


def test_a_name_that_is_public_and_private_is_refused(
    account: Account, dns_server: DnsServer, settings: Settings
) -> None:
    settings.ALLOW_PRIVATE_NETWORKS = []
    dns_server.addresses("both.peer.test", "1.1.1.1", "127.0.0.1")
    dns_server.addresses("mixed.peer.test", "1.1.1.1", "::1")
    for host in ("both", "mixed"):
        assert "not in the public internet" in refusal(account, f"https://{host}.peer.test/")


def test_absence_in_the_dns_refuses_and_silence_does_not(account: Account, dns_server: DnsServer) -> None:
    dns_server.behave("silent.peer.test", Behaviour.SERVFAIL)
    assert (
        refusal(account, "https://absent.peer.test/")
        == "absent.peer.test has no address in the DNS. Check its spelling."
    )
    assert create_endpoint(account, "https://silent.peer.test/").host == "silent.peer.test"


def test_http_and_any_port_are_for_networks_that_the_operator_allowed(account: Account, settings: Settings) -> None:
    settings.ALLOW_PRIVATE_NETWORKS = ["10.0.0.0/8"]
    assert create_endpoint(account, "http://10.0.0.1:9000/a").host == "10.0.0.1:9000"
    assert refusal(account, "http://192.168.0.1/")


def test_a_name_that_turns_private_later_is_refused_at_the_call(
    town: Town, sinkhole: Sinkhole, dns_server: DnsServer, settings: Settings
) -> None:
    """DNS rebinding: public when the URL is given, private when it is called."""
    settings.ALLOW_PRIVATE_NETWORKS = []
    dns_server.records("rebind.peer.test", "A", ("1.1.1.1",), ("127.0.0.1",))
    endpoint = create_endpoint(town.account, "https://rebind.peer.test:8443/")
    tell(town.account)
    town.work()
    (delivery,) = deliveries(endpoint)
    assert (delivery.state, delivery.status_code) == ("pending", None)
    assert "not in the public internet" in delivery.error
    assert sinkhole.visits == []


def test_every_form_is_refused_at_the_call_too(town: Town, sinkhole: Sinkhole, settings: Settings) -> None:
    """Even where it came into the database in another way."""
    settings.ALLOW_PRIVATE_NETWORKS, settings.DNS_SERVERS = [], []
    made = [factories.make_webhook(town.account, url, host="x") for url in all_urls(sinkhole.port)]
    tell(town.account)
    town.work()
    assert all(delivery.error and delivery.status_code is None for each in made for delivery in deliveries(each))
    assert sum(len(deliveries(each)) for each in made) == len(made)
    assert sinkhole.visits == []


def test_a_redirect_to_the_inside_is_not_followed(town: Town, sinkhole: Sinkhole) -> None:
    endpoint = town.endpoint()
    town.sink.reply("/hook", Reply(307, (("Location", f"http://127.0.0.1:{sinkhole.port}/"),)))
    tell(town.account)
    town.work()
    (delivery,) = deliveries(endpoint)
    assert delivery.error == "The receiver answered 307; redirects are not followed."
    assert sinkhole.visits == []


def test_an_update_is_checked_as_well(account: Account, closed: None) -> None:
    endpoint = create_endpoint(account, "https://1.1.1.1/")
    with pytest.raises(ValidationFailed):
        update_endpoint(account, endpoint.pk, url="https://127.0.0.1/")
