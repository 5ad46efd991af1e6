"""Addresses are found wherever they stand in a text, in bounded time (GDPR, article 17)."""

import base64
import json
import time
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.named_addresses import ERASED, MOST_ADDRESSES, find_addresses_anywhere, without_addresses

ANNA = "anna.k@recipient.example"

TEXTS = {
    "alone": ANNA,
    "a header": f"To: Anna K <{ANNA}>\r\nSubject: x",
    "quoted": f'"{ANNA}" is gone',
    "in apostrophes": f"550 '{ANNA}' unknown",
    "at the end of a sentence": f"Nobody is called {ANNA}.",
    "upper case": ANNA.upper(),
    "a form": urlencode({"event": "failed", "recipient": ANNA, "x": "y"}),
    "a link": f"https://x.example/u?e={quote(ANNA)}&f=1",
    "a path": f"/lists/{ANNA}/gone",
    "JSON": json.dumps({"recipient": ANNA}),
    "JSON in JSON": json.dumps(json.dumps({"recipient": ANNA})),
    "escaped JSON": json.dumps({"recipient": ANNA}).replace("@", "\\u0040"),
    "HTML": f"<a href='mailto:{ANNA}'>x</a>",
    "HTML with a reference": ANNA.replace("@", "&#64;"),
    "quoted-printable": ANNA.replace("@", "=40"),
    "a source route": f"RCPT TO:<{ANNA}>",
    "a type and address": f"Final-Recipient: rfc822;{ANNA}",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_an_address_is_found(text: str) -> None:
    assert ANNA in find_addresses_anywhere(text)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_an_address_is_taken_out(text: str) -> None:
    left = without_addresses(text, lambda found: found == ANNA)
    assert ANNA not in find_addresses_anywhere(left)
    assert "recipient.example" not in left.lower()
    assert ERASED in left


@pytest.mark.parametrize("local", ["o'brien", "max+news", "a=b", "x/y", "{z}", "größe"])
def test_signs_that_a_local_part_may_hold_are_kept(local: str) -> None:
    assert f"{local}@recipient.example" in find_addresses_anywhere(f"to <{local}@recipient.example>;")


def test_a_domain_of_other_letters_is_found() -> None:
    assert "anna@bücher.example" in find_addresses_anywhere("von Anna <anna@Bücher.example>")


def test_other_addresses_stay() -> None:
    text = f"{ANNA}, max@recipient.example"
    assert without_addresses(text, lambda found: found == ANNA) == f"{ERASED}, max@recipient.example"


@given(st.text(alphabet="a@.<> =%40\\&'", max_size=200))
def test_nothing_else_changes_and_nothing_raises(text: str) -> None:
    assert without_addresses(text, lambda _: False) == text
    find_addresses_anywhere(text)


@given(st.text(max_size=60), st.text(max_size=60))
def test_an_address_in_brackets_is_found_in_any_surroundings(before: str, behind: str) -> None:
    assert ANNA in find_addresses_anywhere(f"{before}<{ANNA}>{behind}")


@pytest.mark.parametrize("text", ["@" * 1_000_000, "a@" * 500_000, "=40" * 400_000, "a" * 1_000_000, "%" * 1_000_000])
def test_hostile_text_takes_no_time(text: str) -> None:
    began = time.perf_counter()
    find_addresses_anywhere(text)
    without_addresses(text, lambda _: False)
    assert time.perf_counter() - began < 2


def test_a_list_of_addresses_is_cut() -> None:
    text = " ".join(f"p{number}@recipient.example" for number in range(6_000))
    assert len(find_addresses_anywhere(text)) == MOST_ADDRESSES


def test_what_is_encoded_otherwise_is_for_the_reader_of_mail() -> None:
    assert find_addresses_anywhere(base64.b64encode(ANNA.encode()).decode()) == ()
