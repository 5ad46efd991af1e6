"""Test sends: every step at once, through the same ledger, within limits (design: Lawful by default)."""

from collections.abc import Callable

import pytest
from pytest_django.fixtures import Settings

from ampout.lib.errors import NotFound, Unprocessable, ValidationFailed
from campaigns.models import Enrollment
from campaigns.rules.suppression import SuppressionReason
from dispatch.models import Message
from dispatch.services import senders, test_send
from dispatch.services.test_send import NoEmailsProvided, TestSend
from tests import factories
from tests.services import suppressing
from tests.services.desk import Desk, S, message_of
from tests.services.rival import Held, Waiting

TESTER = "tester@own.example"


def send(desk: Desk, *emails: str, **fields: int) -> TestSend:
    campaign = desk.campaign(**fields)
    return test_send.send_test(desk.account, campaign.pk, emails, now=desk.now)


def test_each_step_goes_to_each_address_at_once(desk: Desk) -> None:
    result = send(desk, TESTER, "second@own.example", steps=3)
    assert (result.sent, result.refused) == ([TESTER, "second@own.example"], [])
    messages = Message.everywhere.all()
    assert {(message.stream, message.state, message.due_at, message.usage_day) for message in messages} == {
        ("test", S.PLANNED, desk.now, None)
    }
    assert sorted((message.recipient, message.step_position) for message in messages) == [
        (email, position) for email in ("second@own.example", TESTER) for position in (1, 2, 3)
    ]
    desk.tick()
    desk.send(*desk.claim())
    assert set(Message.everywhere.values_list("state", flat=True)) == {"accepted"}
    assert not Enrollment.everywhere.exists()
    assert desk.violations() == []


def test_it_uses_no_cap_and_no_slot(desk: Desk) -> None:
    campaign = desk.released(2, limit=2, min_wait_seconds=60, max_wait_seconds=60)
    desk.tick()
    [credential] = campaign.credentials.all()
    slot = desk.lane(credential).last_slot_at
    test_send.send_test(desk.account, campaign.pk, [TESTER], now=desk.now)
    desk.tick()
    assert (desk.used(credential), desk.lane(credential).last_slot_at) == (2, slot)
    claims = desk.claim()
    assert {(claimed.stream, claimed.gap_seconds) for claimed in claims} == {("test", 0), ("campaign", 60)}


def test_the_named_contact_fills_the_tags(desk: Desk) -> None:
    campaign, contact = desk.campaign(), factories.make_contact(desk.account)
    test_send.send_test(desk.account, campaign.pk, [TESTER], contact.pk, now=desk.now)
    message = Message.everywhere.get()
    assert (message.contact_id, message.recipient) == (contact.pk, TESTER)


def test_an_address_named_twice_gets_one(desk: Desk) -> None:
    assert send(desk, TESTER, TESTER).sent == [TESTER]
    assert Message.everywhere.count() == 1


# -- Refused addresses


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_a_suppressed_address_is_refused_and_the_others_go(desk: Desk, reason: SuppressionReason) -> None:
    factories.make_suppression(desk.account, TESTER, reason)
    result = send(desk, TESTER, "other@own.example")
    assert (result.sent, result.refused) == (["other@own.example"], [{"email": TESTER, "reason": "suppressed"}])


def test_a_suppressed_domain_is_refused(desk: Desk) -> None:
    factories.make_suppression(desk.account, "own.example")
    assert send(desk, TESTER).refused == [{"email": TESTER, "reason": "suppressed"}]


@pytest.mark.parametrize("email", ["", "nobody", "a@b@c", "a\r\nBcc: x@y.example", "x@" + "y" * 300 + ".example"])
def test_what_is_no_address_is_refused_with_a_sentence(desk: Desk, email: str) -> None:
    [refused] = send(desk, email).refused
    assert refused["email"] == email
    assert len(refused["reason"].split()) > 2
    assert not Message.everywhere.exists()


def test_an_unsubscription_after_it_was_queued_stops_it(desk: Desk) -> None:
    campaign = desk.campaign()
    test_send.send_test(desk.account, campaign.pk, [TESTER], now=desk.now)
    desk.tick()
    [claimed] = desk.claim()
    suppressing.suppress_digest(
        desk.account.pk, bytes(message_of(claimed).recipient_digest), SuppressionReason.UNSUBSCRIBED, now=desk.now
    )
    assert desk.wire(claimed) == set()
    desk.hand_back(claimed)
    assert message_of(claimed).state == S.CANCELLED


# -- Limits


def test_five_addresses_a_call(desk: Desk) -> None:
    with pytest.raises(ValidationFailed) as refused:
        send(desk, *(f"tester{number}@own.example" for number in range(6)))
    assert list(refused.value.details) == ["emails"]
    assert not Message.everywhere.exists()


def test_none_is_refused(desk: Desk) -> None:
    with pytest.raises(NoEmailsProvided):
        send(desk)


def test_twenty_addresses_a_day(desk: Desk, settings: Settings) -> None:
    settings.TEST_SEND_PER_DAY = 3
    assert len(send(desk, "a@own.example", "b@own.example", steps=2).sent) == 2
    result = send(desk, "c@own.example", "d@own.example")
    assert result.sent == ["c@own.example"]
    assert result.refused == [{"email": "d@own.example", "reason": "daily_test_limit_reached"}]
    desk.wait(days=1, seconds=1)
    assert send(desk, "e@own.example").sent == ["e@own.example"]


@pytest.mark.django_db(transaction=True)
def test_two_calls_at_once_share_the_limit(settings: Settings) -> None:
    settings.TEST_SEND_PER_DAY = 1
    desk = Desk()
    campaigns = [desk.campaign() for _ in range(2)]

    def call(number: int) -> TestSend:
        return test_send.send_test(desk.account, campaigns[number].pk, [TESTER], now=desk.now)

    with Held(lambda: call(0)) as first:
        second = Waiting(lambda: call(1)).until_it_waits()
        assert first.commit().sent == [TESTER]
        assert second.result().sent == []


def test_the_limit_of_one_account_is_not_that_of_another(desk: Desk, settings: Settings) -> None:
    settings.TEST_SEND_PER_DAY = 1
    assert send(desk, TESTER).sent == send(Desk(), TESTER).sent == [TESTER]


# -- What is missing


def test_it_needs_an_enabled_credential(desk: Desk) -> None:
    campaign = desk.campaign(credentials=2)
    for credential in campaign.credentials.all():
        senders.disable_credential(credential.pk, "operator", now=desk.now)
    with pytest.raises(Unprocessable):
        test_send.send_test(desk.account, campaign.pk, [TESTER])


Missing = Callable[[Desk, Desk], object]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda own, other: test_send.send_test(own.account, other.campaign().pk, [TESTER]), "campaign_not_found"),
        (
            lambda own, other: test_send.send_test(
                own.account, own.campaign().pk, [TESTER], factories.make_contact(other.account).pk
            ),
            "contact_not_found",
        ),
    ],
)
def test_the_things_of_another_account_are_not_found(desk: Desk, call: Missing, code: str) -> None:
    with pytest.raises(NotFound) as missing:
        call(desk, Desk())
    assert missing.value.code == code
    assert not Message.everywhere.exists()
