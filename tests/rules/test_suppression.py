"""Which fact stops which stream (design: law 5)."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.rules.suppression import (
    BLOCKED_STREAMS,
    SCOPE_OF,
    Stream,
    SuppressionKey,
    SuppressionKind,
    SuppressionReason,
    SuppressionScope,
    blocks,
    keys_of,
    stronger,
)

MARKETING, ALL = SuppressionScope.MARKETING, SuppressionScope.ALL
scopes = st.sampled_from(SuppressionScope)
streams = st.sampled_from(Stream)
words = st.text(st.characters(codec="ascii", categories=["Ll", "Nd"]), min_size=1, max_size=20)
domains = st.builds("{}.{}".format, words, words)


# Law 5's table


@pytest.mark.parametrize(
    ("reason", "stream", "stopped"),
    [
        (SuppressionReason.UNSUBSCRIBED, Stream.CAMPAIGN, True),
        (SuppressionReason.UNSUBSCRIBED, Stream.TEST, True),
        (SuppressionReason.UNSUBSCRIBED, Stream.TRANSACTIONAL, False),
        (SuppressionReason.HARD_BOUNCE, Stream.CAMPAIGN, True),
        (SuppressionReason.HARD_BOUNCE, Stream.TEST, True),
        (SuppressionReason.HARD_BOUNCE, Stream.TRANSACTIONAL, True),
        (SuppressionReason.COMPLAINT, Stream.CAMPAIGN, True),
        (SuppressionReason.COMPLAINT, Stream.TEST, True),
        (SuppressionReason.COMPLAINT, Stream.TRANSACTIONAL, True),
        (SuppressionReason.MANUAL, Stream.CAMPAIGN, True),
        (SuppressionReason.MANUAL, Stream.TEST, True),
        (SuppressionReason.MANUAL, Stream.TRANSACTIONAL, True),
    ],
)
def test_which_fact_stops_which_stream(reason: SuppressionReason, stream: Stream, stopped: bool) -> None:
    assert blocks(SCOPE_OF[reason], stream) is stopped


def test_every_reason_has_a_scope_and_every_scope_its_streams() -> None:
    assert set(SCOPE_OF) == set(SuppressionReason)
    assert set(BLOCKED_STREAMS) == set(SuppressionScope)


@pytest.mark.parametrize("stream", Stream)
def test_the_widest_scope_stops_every_stream(stream: Stream) -> None:
    assert blocks(ALL, stream)


# Two facts on one address


@pytest.mark.parametrize(("first", "second"), list(product(SuppressionScope, SuppressionScope)))
def test_the_stronger_of_two_is_all_unless_both_are_marketing(
    first: SuppressionScope,
    second: SuppressionScope,
) -> None:
    assert stronger(first, second) is (ALL if ALL in (first, second) else MARKETING)


@given(scopes, scopes, streams)
def test_the_stronger_of_two_stops_what_either_stops(
    first: SuppressionScope,
    second: SuppressionScope,
    stream: Stream,
) -> None:
    assert blocks(stronger(first, second), stream) is (blocks(first, stream) or blocks(second, stream))


@given(scopes, scopes, scopes)
def test_strength_does_not_depend_on_the_order_of_facts(
    one: SuppressionScope,
    two: SuppressionScope,
    three: SuppressionScope,
) -> None:
    assert stronger(one, two) is stronger(two, one)
    assert stronger(stronger(one, two), three) is stronger(one, stronger(two, three))


@given(scopes)
def test_a_repeated_fact_is_as_strong_as_one(scope: SuppressionScope) -> None:
    assert stronger(scope, scope) is scope


# Address and domain


def test_an_address_is_suppressed_by_itself_or_by_its_domain() -> None:
    assert keys_of("ann@example.org") == (
        SuppressionKey(SuppressionKind.ADDRESS, "ann@example.org"),
        SuppressionKey(SuppressionKind.DOMAIN, "example.org"),
    )


def test_a_subdomain_is_another_domain() -> None:
    parent = SuppressionKey(SuppressionKind.DOMAIN, "example.org")
    assert parent not in keys_of("ann@mail.example.org")


def test_a_quoted_local_part_with_an_at_sign_does_not_hide_the_domain() -> None:
    assert keys_of('"ann@work"@example.org')[1].value == "example.org"


@pytest.mark.parametrize("text", ["", "ann", "@example.org", "ann@", "@"])
def test_what_is_no_address_has_no_keys(text: str) -> None:
    with pytest.raises(ValueError, match="local@domain"):
        keys_of(text)


@given(words, words, domains)
def test_two_addresses_share_the_domain_key_and_not_the_address_key(one: str, other: str, domain: str) -> None:
    first, second = keys_of(f"{one}@{domain}"), keys_of(f"{other}@{domain}")
    assert first[1] == second[1]
    assert (first[0] == second[0]) is (one == other)


@given(words, domains)
def test_an_address_key_is_never_a_domain_key(local: str, domain: str) -> None:
    address, whole_domain = keys_of(f"{local}@{domain}")
    assert address.kind is SuppressionKind.ADDRESS
    assert whole_domain.kind is SuppressionKind.DOMAIN
    assert address != whole_domain
