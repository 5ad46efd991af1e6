"""The tokens of unsubscribe links: opaque, unforgeable, valid for ever (RFC 8058; promise G10)."""

import base64
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from ampout.events.models import Event
from campaigns.models import Suppression
from dispatch.models import Message
from dispatch.services import tokens
from dispatch.services.unsubscribe import PURPOSE, find_subscription, make_token, unsubscribe_by_token
from tests import factories
from tests.services.desk import Desk, fresh, message_of

SOMEBODY = uuid.UUID(int=1)


def sent_to_one(desk: Desk) -> Message:
    desk.released(1)
    [claimed] = desk.send_due()
    return message_of(claimed)


# -- Tokens


@given(st.uuids())
def test_a_token_reads_as_the_message_it_was_made_for(message_id: uuid.UUID) -> None:
    token = make_token(message_id)
    assert tokens.read_token(PURPOSE, token) == message_id
    assert len(token) == 43
    assert token.isascii()
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_whatever_else_comes_is_no_token(text: str) -> None:
    assert tokens.read_token(PURPOSE, text) is None


@given(st.integers(0, 42), st.sampled_from("ABab01-_+/=\x00é"))
def test_one_other_character_makes_it_invalid(place: int, character: str) -> None:
    token = make_token(SOMEBODY)
    changed = token[:place] + character + token[place + 1 :]
    assert tokens.read_token(PURPOSE, changed) == (SOMEBODY if changed == token else None)


def test_every_bit_of_the_signature_counts() -> None:
    raw = base64.urlsafe_b64decode(make_token(SOMEBODY) + "=")
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        assert tokens.read_token(PURPOSE, base64.urlsafe_b64encode(bytes(flipped)).decode().rstrip("=")) is None


def test_a_token_of_another_installation_is_not_ours(settings: Settings) -> None:
    token = make_token(SOMEBODY)
    settings.DIGEST_KEY = "another key"
    assert tokens.read_token(PURPOSE, token) is None


@pytest.mark.parametrize("spelling", ["{}=", "{}\n", " {}", "{}A", "{}%3D"])
def test_there_is_one_spelling_of_a_token(spelling: str) -> None:
    assert tokens.read_token(PURPOSE, spelling.format(make_token(SOMEBODY))) is None


def test_the_signature_has_128_bits() -> None:
    assert tokens.SIGNATURE_BYTES * 8 == 128


# -- What it does


def test_a_token_tells_whom_it_unsubscribes_from_whom(desk: Desk) -> None:
    message = sent_to_one(desk)
    found = find_subscription(make_token(message.pk))
    assert found is not None
    assert (found.account_id, found.recipient_digest) == (desk.account.pk, bytes(message.recipient_digest))
    assert found.sender_name == desk.account.sender_name


def test_it_unsubscribes_account_wide_and_once(desk: Desk) -> None:
    message = sent_to_one(desk)
    enrollment, _ = message.place
    token = make_token(message.pk)
    assert [unsubscribe_by_token(token, now=desk.now) for _ in range(3)] == [True] * 3
    assert (fresh(enrollment).status, fresh(enrollment).stop_reason) == ("unsubscribed", "unsubscribed")
    assert Suppression.objects.of(desk.account).get().scope == "marketing"
    assert Event.everywhere.filter(type="enrollment.unsubscribed").count() == 1


def test_a_well_signed_token_of_a_message_that_never_was_does_nothing(desk: Desk) -> None:
    assert find_subscription(make_token(SOMEBODY)) is None
    assert not unsubscribe_by_token(make_token(SOMEBODY), now=desk.now)
    assert not Suppression.everywhere.exists()


def test_nobody_of_another_account_is_unsubscribed(desk: Desk) -> None:
    other = Desk()
    message = sent_to_one(desk)
    same = factories.enroll(other.campaign(), factories.make_contact(other.account, message.recipient))
    unsubscribe_by_token(make_token(message.pk), now=desk.now)
    assert not Suppression.objects.of(other.account).exists()
    assert fresh(same).stopped_at is None
