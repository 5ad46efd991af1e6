"""Message-IDs: unguessable, recognisable, and short enough for every header and column."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.message_id import LONGEST_DOMAIN, is_ours, make_message_id

KEY = b"a key of the installation"
RANDOM = bytes(range(16))
OURS = make_message_id("example.com", RANDOM, KEY)

random_bytes = st.binary(min_size=16, max_size=16)
keys = st.binary(min_size=1, max_size=64)
domains = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,10}){1,3}", fullmatch=True)


def test_the_form_is_random_bits_a_tag_and_the_domain() -> None:
    assert re.fullmatch(r"<000102030405060708090a0b0c0d0e0f\.[0-9a-f]{24}@example\.com>", OURS)


def test_the_same_facts_give_the_same_identifier() -> None:
    assert make_message_id("example.com", RANDOM, KEY) == OURS


def test_the_tag_is_fixed_for_ever() -> None:
    assert OURS == "<000102030405060708090a0b0c0d0e0f.e2373668ec1b84b242a10a58@example.com>"


def test_the_domain_is_put_in_lower_case() -> None:
    assert make_message_id("EXAMPLE.com", RANDOM, KEY) == OURS


def test_our_own_is_recognised() -> None:
    assert is_ours(OURS, KEY)


@pytest.mark.parametrize("seen", [OURS[1:-1], OURS.upper(), f" {OURS}\r\n", OURS.removesuffix(">")])
def test_what_mail_software_does_to_it_does_not_matter(seen: str) -> None:
    assert is_ours(seen, KEY)


def test_another_key_s_is_not_ours() -> None:
    assert not is_ours(OURS, b"another key")


def test_another_domain_s_is_not_ours() -> None:
    assert not is_ours(OURS.replace("example.com", "example.org"), KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<>",
        "<@example.com>",
        "x@example.com",
        "<000102030405060708090a0b0c0d0e0f@example.com>",
        "<000102030405060708090a0b0c0d0e0f.@example.com>",
        f"<{'0' * 32}.{'0' * 24}@example.com>",
        OURS + OURS,
        OURS.replace(".", "..", 1),
        OURS.replace("<", "<0"),
        OURS.replace("@", "\n@"),
        OURS.replace("@", "\x00@"),
        OURS.replace("0", "\u0660"),
        "<" * 100_000,
        OURS + " " * 100_000,
    ],
)
def test_what_was_made_up_is_not_ours(text: str) -> None:
    assert not is_ours(text, KEY)


@pytest.mark.parametrize("position", range(1, len(OURS) - 1))
def test_no_digit_can_be_changed(position: int) -> None:
    changed = "1" if OURS[position] != "1" else "2"
    assert not is_ours(OURS[:position] + changed + OURS[position + 1 :], KEY)


@pytest.mark.parametrize("size", [0, 12, 15, 17])
def test_another_number_of_random_bytes_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="takes 16 random bytes"):
        make_message_id("example.com", bytes(size), KEY)


@pytest.mark.parametrize(
    "domain", ["", ".", "-x", "x-", "a b", "a\r\nBcc: x", "a>b", "a@b", "bücher.example", "x." * 100 + "de", "a\n"]
)
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(ValueError, match="needs a domain"):
        make_message_id(domain, RANDOM, KEY)


def test_the_longest_fits_the_ledger() -> None:
    assert len(make_message_id("x" * LONGEST_DOMAIN, RANDOM, KEY)) <= 255


@given(domains, random_bytes, keys)
def test_each_one_made_is_recognised_and_fit_for_a_header(domain: str, chance: bytes, key: bytes) -> None:
    made = make_message_id(domain, chance, key)
    assert is_ours(made, key)
    assert re.fullmatch(r"<[!-;=?-~]+@[!-;=?-~]+>", made)


@given(domains, random_bytes, keys, keys)
def test_only_its_own_key_recognises_it(domain: str, chance: bytes, key: bytes, other: bytes) -> None:
    # HMAC fills short keys with zeros, so keys that differ by zeros at the end are one key.
    assert is_ours(make_message_id(domain, chance, key), other) == (key.rstrip(b"\0") == other.rstrip(b"\0"))


@given(random_bytes, random_bytes)
def test_two_are_equal_only_when_their_random_bits_are(first: bytes, second: bytes) -> None:
    same = make_message_id("example.com", first, KEY) == make_message_id("example.com", second, KEY)
    assert same == (first == second)


@given(st.text())
def test_any_text_can_be_asked_about(text: str) -> None:
    assert not is_ours(text, KEY)


@given(st.from_regex(r"<[0-9a-f]{32}\.[0-9a-f]{24}@[a-z]{1,10}\.com>", fullmatch=True))
def test_the_right_form_alone_proves_nothing(text: str) -> None:
    assert not is_ours(text, KEY)
