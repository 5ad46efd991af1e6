"""Addresses: what is accepted, what is refused with which sentence, and when two spellings are one mailbox."""

import string
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampout.lib import addresses
from ampout.lib.addresses import Address, InvalidAddress, is_role_address, parse_address

ATOM = st.text(string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=20)
LOCALS = st.lists(ATOM, min_size=1, max_size=3).map(".".join)
LABELS = st.from_regex(r"[a-zA-Z]([a-zA-Z0-9]{0,10}[a-zA-Z0-9])?", fullmatch=True)
DOMAINS = st.lists(LABELS, min_size=1, max_size=3).map(lambda labels: ".".join([*labels, "example"]))
ADDRESSES = st.builds("{}@{}".format, LOCALS, DOMAINS)
WORLDLY_LOCALS = st.text(st.characters(categories=["L", "Nd", "So"]), min_size=1, max_size=12)


def refusal(text: str) -> str:
    with pytest.raises(InvalidAddress) as caught:
        parse_address(text)
    return str(caught.value)


# -- Identity and envelope


def test_an_address_keeps_its_spelling_and_knows_its_identity() -> None:
    assert parse_address("Alice.Smith+News@Example.COM") == Address(
        original="Alice.Smith+News@Example.COM",
        local="Alice.Smith+News",
        domain="example.com",
        identity="alice.smith+news@example.com",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("alice@example.com", "ALICE@EXAMPLE.COM"),
        ("alice@bücher.example", "alice@xn--bcher-kva.example"),
        ("alice@BÜCHER.example", "alice@XN--BCHER-KVA.example"),
        ("alice@example。com", "alice@example.com"),
        ("alice@ｅｘａｍｐｌｅ.com", "alice@example.com"),
        ("josé@example.com", "jose\u0301@example.com"),
        ("ÅSA@example.com", "a\u030asa@example.com"),
        (" alice@example.com\t", "alice@example.com"),
    ],
)
def test_two_spellings_are_one_mailbox(one: str, other: str) -> None:
    assert parse_address(one).identity == parse_address(other).identity


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("alice@example.com", "alice+news@example.com"),
        ("alice@example.com", "al.ice@example.com"),
        ("alice@example.com", "alice@mail.example.com"),
        ("alice@example.com", "аlice@example.com"),  # a Cyrillic а
        ("alice@paypal.example", "alice@pаypal.example"),
    ],
)
def test_different_mailboxes_stay_different(one: str, other: str) -> None:
    assert parse_address(one).identity != parse_address(other).identity


@pytest.mark.parametrize(
    ("text", "envelope", "needs_smtputf8"),
    [
        ("Alice@Bücher.example", "Alice@xn--bcher-kva.example", False),
        ("Jörg@Bücher.example", "Jörg@xn--bcher-kva.example", True),
        ("😀@example.com", "😀@example.com", True),
    ],
)
def test_the_envelope_has_the_local_part_as_spelt_and_the_domain_in_ascii(
    text: str, envelope: str, needs_smtputf8: bool
) -> None:
    address = parse_address(text)
    assert (address.envelope, address.needs_smtputf8) == (envelope, needs_smtputf8)


@given(ADDRESSES)
def test_case_never_changes_the_identity(text: str) -> None:
    identity = parse_address(text).identity
    assert identity == text.lower()
    assert parse_address(text.upper()).identity == identity


@given(ADDRESSES)
def test_an_identity_is_its_own_identity(text: str) -> None:
    identity = parse_address(text).identity
    assert parse_address(identity).identity == identity


@given(WORLDLY_LOCALS)
def test_identities_of_the_wide_world_are_stable(local: str) -> None:
    try:
        identity = parse_address(f"{local}@example.com").identity
    except InvalidAddress:
        return
    assert parse_address(identity).identity == identity


@given(st.text(max_size=100))
def test_any_text_is_an_address_or_a_sentence(text: str) -> None:
    try:
        address = parse_address(text)
    except InvalidAddress as error:
        refused = str(error)
    else:
        refused = "."
        assert (address.identity.count("@"), address.domain.isascii()) == (1, True)
        assert len(address.envelope) <= 254
    assert refused.endswith(".")


# -- Refusals


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        ("  \t", "is empty"),
        ("alice", "must have an @-sign"),
        ("@example.com", "must be something before the @-sign"),
        ("alice@", "must be something after the @-sign"),
        ("a@b@c", "'@'"),
        ("alice@example.com@", "'@'"),
        ("alice@example.com.", "cannot end with a period"),
        ("alice.@example.com", "period immediately before the @-sign"),
        (".alice@example.com", "cannot start with a period"),
        ("al..ice@example.com", "two periods in a row"),
        ("alice@example..com", "two periods in a row"),
        ('"alice smith"@example.com', "Quoting"),
        ('"x"@[127.0.0.1]', "Quoting"),
        ("alice@[127.0.0.1]", "bracketed IP address"),
        ("alice@[IPv6:::1]", "bracketed IP address"),
        ("alice@127.0.0.1", "top-level domain"),
        ("alice@localhost", "should have a period"),
        ("alice@test", "should have a period"),
        ("alice@example.invalid", "special-use"),
        ("alice@printer.local", "special-use"),
        ("Alice <alice@example.com>", "display name"),
        ("<alice@example.com>", "angle brackets"),
        ('"a" <x@example.com>, z@example.com', "anything after"),
        ("alice@example.com, bob@example.com", "invalid characters"),
        ("mailto:alice@example.com", "':'"),
        ("alice@example.com\nBcc: bob@example.com", "invalid characters"),
        ("alice@example.com\r", "invalid characters"),
        ("ali\rce@example.com", "U+000D"),
        ("alice@example.com\x00", "U+0000"),
        ("al\u2028ice@example.com", "unsafe characters"),
        ("ali\u202ece@example.com", "RIGHT-TO-LEFT OVERRIDE"),
        ("alice@exa\u200dmple.com", "ZERO WIDTH JOINER"),
        ("alice@exam_ple.com", "'_'"),
        ("alice@-example.com", "hyphen"),
        ("alice@xn--zzzzzz.com", "not valid IDNA"),
        ("alice@😀.example", "not allowed"),
        ("=?utf-8?q?alice?=\n@example.com", "invalid characters"),
        ("a" * 65 + "@example.com", "too long before the @-sign"),
        ("a" * 300 + "@example.com", "too long"),
        ("alice@" + ".".join(["a" * 60] * 5) + ".com", "too long after the @-sign"),
        ("a" * 5_000_000, "too long"),
    ],
)
def test_an_address_is_refused_by_name(text: str, problem: str) -> None:
    assert problem in refusal(text)


def test_lone_surrogates_are_refused() -> None:
    assert refusal("al\ud800ice@example.com")


def test_a_refusal_repeats_no_control_characters() -> None:
    for character in map(chr, range(32)):
        assert refusal(f"al{character}ice@exa{character}mple.com").isprintable()


# -- Roles


@pytest.mark.parametrize(
    "text",
    ["abuse@example.com", "Postmaster@Example.com", "noc+tickets@example.com", "HOSTMASTER@bücher.example"],
)
def test_a_duty_is_a_role_address(text: str) -> None:
    assert is_role_address(parse_address(text).identity)


@pytest.mark.parametrize(
    "text", ["alice@example.com", "info@example.com", "abuse.desk@example.com", "alice@abuse.example", "a+abuse@x.test"]
)
def test_anybody_else_is_not(text: str) -> None:
    assert not is_role_address(parse_address(text).identity)


# -- Domains are checked once


def checked(check: Callable[[str], str], text: str) -> str:
    try:
        return check(text)
    except InvalidAddress as error:
        return str(error)


@given(
    local=LOCALS | WORLDLY_LOCALS | st.text(max_size=70) | st.text("a", min_size=60, max_size=70),
    domain=DOMAINS | st.text(max_size=30) | st.integers(30, 63).map(lambda size: f"{'d' * size}." * 4 + "example"),
)
def test_a_remembered_domain_changes_no_answer(local: str, domain: str) -> None:
    text = f"{local}@{domain}"
    whole = checked(addresses._validated_domain, text)
    assert [checked(addresses._checked_domain, text) for _ in range(2)] == [whole, whole]
