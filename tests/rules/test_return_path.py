"""Return paths that name their message: only ours are read, in whatever case they come back."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.return_path import LONGEST_LOCAL, TOKEN_LENGTH, make_return_path, read_return_path

KEY = b"a key of the installation"
MESSAGE = uuid.UUID("0b7a9f3e-2f5c-4a57-9d64-5d2f0e7c1b11")
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def made(address: str = "ann@sender.example", message_id: uuid.UUID = MESSAGE) -> str:
    path = make_return_path(address, message_id, KEY)
    assert path is not None
    return path


def test_it_is_the_senders_address_with_a_tag() -> None:
    local, domain = made().split("@")
    sender, token = local.split("+")
    assert (sender, domain, len(token)) == ("ann", "sender.example", TOKEN_LENGTH)
    assert set(token) <= set(ALPHABET)


@given(st.uuids(), st.sampled_from([str.lower, str.upper, str.title, str.swapcase]))
def test_it_names_its_message_in_any_case(message_id: uuid.UUID, folded: object) -> None:
    assert callable(folded)
    assert read_return_path(folded(made(message_id=message_id)), KEY) == message_id


def test_an_address_that_has_a_tag_already_keeps_it() -> None:
    path = made("ann+fair@sender.example")
    assert path.startswith("ann+fair+")
    assert read_return_path(path, KEY) == MESSAGE


@pytest.mark.parametrize(("length", "fits"), [(LONGEST_LOCAL - TOKEN_LENGTH - 1, True), (27, False), (64, False)])
def test_the_local_part_stays_within_its_64_octets(length: int, fits: bool) -> None:
    path = make_return_path("a" * length + "@sender.example", MESSAGE, KEY)
    assert (path is not None) == fits
    assert path is None or len(path.split("@")[0]) == LONGEST_LOCAL


def test_octets_count_and_not_characters() -> None:
    assert make_return_path("é" * 14 + "@sender.example", MESSAGE, KEY) is None


@pytest.mark.parametrize("address", ["", "ann", "@sender.example"])
def test_what_is_no_address_gets_none(address: str) -> None:
    assert make_return_path(address, MESSAGE, KEY) is None


@given(st.integers(0, TOKEN_LENGTH - 1), st.sampled_from(ALPHABET))
def test_no_other_token_is_taken(place: int, letter: str) -> None:
    """Also not the spellings of base32 that decode to the same bytes."""
    local, domain = made().split("@")
    token = local.split("+")[1]
    changed = token[:place] + letter + token[place + 1 :]
    found = read_return_path(f"ann+{changed}@{domain}", KEY)
    assert found == (MESSAGE if changed == token else None)


def test_another_installations_token_is_not_taken() -> None:
    assert read_return_path(made(), b"another key") is None


@given(st.text(max_size=120))
def test_nothing_that_comes_back_is_an_error(address: str) -> None:
    assert read_return_path(address, KEY) is None
