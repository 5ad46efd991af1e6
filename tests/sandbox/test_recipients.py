"""The table of behaviours, as pure functions."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampout.sandbox.recipients import (
    Behaviour,
    Memory,
    Pace,
    Sightings,
    Stage,
    behaviour_of,
    decide,
    provider_id,
)

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
PACE = Pace(greylist_seconds=60, full_tries=2, slow_seconds=3)
NEVER = Sightings()
sightings = st.builds(
    Sightings, count=st.integers(0, 50), first_at=st.none() | st.just(NOW) | st.just(NOW - timedelta(hours=1))
)


@pytest.mark.parametrize(
    ("address", "behaviour"),
    [
        ("anna.berg@sandbox.test", Behaviour.ACCEPTS),
        ("anna.berg+unknown@sandbox.test", Behaviour.UNKNOWN),
        ("anna.berg+content@sandbox.test", Behaviour.CONTENT),
        ("anna.berg+greylist@sandbox-b.test", Behaviour.GREYLIST),
        ("anna.berg+full@elsewhere.example", Behaviour.FULL),
        ("anna.berg+slow@sandbox.test", Behaviour.SLOW),
        ("anna.berg+rewrite@sandbox.test", Behaviour.REWRITE),
        ("ANNA.BERG+GreyList@SANDBOX.TEST", Behaviour.GREYLIST),
        ("anna+news+full@sandbox.test", Behaviour.FULL),
        ("anna+newsletter@sandbox.test", Behaviour.ACCEPTS),
        ("greylist@sandbox.test", Behaviour.ACCEPTS),
        ("anna@full+full", Behaviour.ACCEPTS),
        ("anna+full", Behaviour.ACCEPTS),
        ("", Behaviour.ACCEPTS),
    ],
)
def test_the_last_tag_of_the_local_part_names_the_behaviour(address: str, behaviour: Behaviour) -> None:
    assert behaviour_of(address) is behaviour


@given(st.text())
def test_any_text_as_an_address_has_a_behaviour(address: str) -> None:
    assert behaviour_of(address) in Behaviour


@given(sightings)
def test_a_plain_recipient_accepts_whatever_came_before(before: Sightings) -> None:
    answer = decide(Behaviour.ACCEPTS, before, NOW, PACE)
    assert (answer.reply, answer.stage, answer.delay_seconds) == ("250 2.0.0 OK: delivered", Stage.DOT, 0)


@given(sightings)
def test_an_unknown_recipient_is_refused_at_rcpt_whatever_came_before(before: Sightings) -> None:
    answer = decide(Behaviour.UNKNOWN, before, NOW, PACE)
    assert (answer.reply, answer.stage) == ("550 5.1.1 Recipient address rejected: user unknown", Stage.RCPT)


@given(sightings)
def test_a_picky_recipient_refuses_the_content_after_the_dot(before: Sightings) -> None:
    answer = decide(Behaviour.CONTENT, before, NOW, PACE)
    assert (answer.reply, answer.stage) == ("554 5.7.1 Message refused: its content looks like spam", Stage.DOT)


@pytest.mark.parametrize(
    ("seconds_since_first", "reply"),
    [
        (None, "451 4.7.1 Greylisted, please try again later"),
        (0, "451 4.7.1 Greylisted, please try again later"),
        (59.9, "451 4.7.1 Greylisted, please try again later"),
        (60, "250 2.0.0 OK: delivered"),
        (86_400, "250 2.0.0 OK: delivered"),
    ],
)
def test_a_greylisting_recipient_accepts_once_its_time_has_passed(
    seconds_since_first: float | None, reply: str
) -> None:
    tried = seconds_since_first is not None
    before = Sightings(1, NOW - timedelta(seconds=seconds_since_first or 0)) if tried else NEVER
    assert decide(Behaviour.GREYLIST, before, NOW, PACE).reply == reply


@pytest.mark.parametrize(
    ("tries_before", "reply"),
    [
        (0, "452 4.2.2 Mailbox full, please try again later"),
        (1, "452 4.2.2 Mailbox full, please try again later"),
        (2, "250 2.0.0 OK: delivered"),
        (3, "250 2.0.0 OK: delivered"),
    ],
)
def test_a_full_mailbox_has_room_after_some_tries(tries_before: int, reply: str) -> None:
    before = Sightings(tries_before, NOW if tries_before else None)
    assert decide(Behaviour.FULL, before, NOW, PACE).reply == reply


def test_a_slow_recipient_accepts_after_its_delay() -> None:
    answer = decide(Behaviour.SLOW, NEVER, NOW, PACE)
    assert (answer.accepts, answer.delay_seconds) == (True, 3)


def test_a_rewriting_recipient_accepts_and_says_so() -> None:
    answer = decide(Behaviour.REWRITE, NEVER, NOW, PACE)
    assert (answer.reply, answer.rewrites_message_id) == ("250 Ok", True)


@given(st.sampled_from(Behaviour), sightings)
def test_only_refusals_are_given_at_rcpt(behaviour: Behaviour, before: Sightings) -> None:
    answer = decide(behaviour, before, NOW, PACE)
    assert answer.stage is Stage.DOT or not answer.accepts


def test_a_provider_id_has_the_shape_of_amazons() -> None:
    assert provider_id(bytes(range(32)), NOW) == "010001a19b981dc0-00010203-0405-0607-0809-0a0b0c0d0e0f-000000"


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_different_messages_get_different_provider_ids(one: bytes, other: bytes) -> None:
    assert (provider_id(one, NOW) == provider_id(other, NOW)) == (one[:16] == other[:16])


def test_the_memory_counts_the_tries_of_each_recipient_from_the_first() -> None:
    memory = Memory()
    seen = [memory.note(f"{name}@sandbox.test", NOW + timedelta(seconds=i)) for i, name in enumerate("aBAab")]
    assert seen == [NEVER, NEVER, Sightings(1, NOW), Sightings(2, NOW), Sightings(1, NOW + timedelta(seconds=1))]


def test_the_memory_forgets_the_longest_unseen_when_it_is_full() -> None:
    memory = Memory(limit=2)
    for name in ("first", "second", "first", "third"):
        memory.note(name, NOW)
    assert memory.note("first", NOW).count == 2
    assert memory.note("second", NOW).count == 0
