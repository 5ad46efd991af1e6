"""Names of mail servers: one spelling each, and nothing that could mean something else."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.rules.hosts import LONGEST_HOST, InvalidHost, normalise_host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("smtp.example.com", "smtp.example.com"),
        (" SMTP.Example.COM.\t", "smtp.example.com"),
        ("localhost", "localhost"),
        ("mail-1.eu.example", "mail-1.eu.example"),
        ("1and1.example", "1and1.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:0DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_a_host_has_one_spelling(text: str, host: str) -> None:
    assert normalise_host(text) == host


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("  ", "empty"),
        (".", "empty"),
        ("a" * 64 + ".example", "Enter a host name"),
        ("a." * 127 + "example", f"more than {LONGEST_HOST}"),
        ("bücher.example", "ASCII form"),
        ("sender。example", "ASCII form"),
        ("ｌocalhost", "ASCII form"),
        ("127.1", "complete IP address"),
        ("2130706433", "complete IP address"),
        ("0x7f.1", "complete IP address"),
        ("a.0x7f", "complete IP address"),
        ("1.2.3.4.5", "complete IP address"),
        ("1.2.3.256", "complete IP address"),
        ("fe80::1%eth0", "Enter a host name"),
        ("[localhost]", "Enter a host name"),
        ("user@host.example", "Enter a host name"),
        ("host.example:587", "Enter a host name"),
        ("https://host.example", "Enter a host name"),
        ("-host.example", "Enter a host name"),
        ("host-.example", "Enter a host name"),
        ("a..example", "Enter a host name"),
        ("a_b.example", "Enter a host name"),
        ("a b.example", "Enter a host name"),
        ("a\x00.example", "Enter a host name"),
        ("a.example\n", "Enter a host name"),
    ],
)
def test_what_is_no_host_is_refused_with_a_sentence(text: str, said: str) -> None:
    with pytest.raises(InvalidHost, match=said) as caught:
        normalise_host(text)
    assert str(caught.value).endswith(".")


@given(st.text(max_size=40))
def test_whatever_comes_out_goes_in_again_unchanged(text: str) -> None:
    try:
        host = normalise_host(text)
    except InvalidHost:
        return
    assert normalise_host(host) == host
    assert set(host) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-:")


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_every_address_is_a_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert normalise_host(str(address)) == str(ipaddress.ip_address(str(address)))
