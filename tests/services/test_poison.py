"""A8: which messages a dead loop is counted against, and what becomes of the one that is proven to be poison."""

import uuid
from dataclasses import replace

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from dispatch.models import Attempt, DeliveryWorker
from dispatch.services import claim, hand_back, leases, outbox, poison
from dispatch.services.audit import audit
from dispatch.services.claim import Claim
from dispatch.services.conservation import conservation_of
from dispatch.services.poison import DEATHS_TO_QUARANTINE, WHY
from dispatch.services.reconcile import heal, reconcile
from tests.services.desk import Desk, message_of


def die(desk: Desk) -> None:
    """The desk's loop dies, and another one takes its place."""
    DeliveryWorker.objects.filter(pk=desk.worker_id).update(lease_until=Now())
    reconcile()
    worker_id = leases.start_worker(f"successor {uuid.uuid4()}")
    assert worker_id is not None
    desk.worker_id = worker_id


def claimed(desk: Desk, count: int = 3) -> list[Claim]:
    """So many messages in the loop's hands."""
    desk.released(count)
    desk.tick()
    claims = desk.claim()
    assert len(claims) == count
    return claims


def deaths_of(claims: list[Claim]) -> list[int]:
    return [message_of(one).deaths for one in claims]


def poisoned(desk: Desk, count: int = 3) -> tuple[list[Claim], Claim]:
    """So many claims, and the one of them that killed a loop and two children."""
    claimed(desk, count)
    die(desk)
    claims = desk.claim()
    victim = poison.blame(desk.worker_id, claims[0])
    assert victim is not None
    assert poison.blame(desk.worker_id, victim) is None
    return claims[1:], victim


def test_whatever_a_dead_loop_held_unsent_is_suspected(desk: Desk) -> None:
    claims = claimed(desk)
    die(desk)
    assert deaths_of(claims) == [1, 1, 1]
    assert [one.deaths for one in desk.claim()] == [1, 1, 1]


def test_no_number_of_dead_loops_makes_more_of_a_suspect(desk: Desk) -> None:
    claims = claimed(desk)
    for _ in range(10):
        die(desk)
        desk.claim()
    assert deaths_of(claims) == [1, 1, 1]


def test_the_death_of_a_child_is_counted_against_one_message_alone(desk: Desk) -> None:
    claims = claimed(desk)
    die(desk)
    first, *_ = desk.claim()
    again = poison.blame(desk.worker_id, first)
    assert again == replace(first, deaths=2)
    assert sorted(deaths_of(claims)) == [1, 1, 2]


def test_a_loop_that_was_reaped_blames_nobody(desk: Desk) -> None:
    claimed(desk)
    die(desk)
    fenced, claims = desk.worker_id, desk.claim()
    die(desk)
    poison.blame(fenced, claims[0])
    assert poison.blame(fenced, replace(claims[0], deaths=2)) is None
    assert message_of(claims[0]).state == "planned"
    assert deaths_of(claims) == [1, 1, 1]


def test_what_was_on_the_wire_is_unknown_and_not_suspected(desk: Desk) -> None:
    claims = claimed(desk)
    desk.wire(claims[0])
    die(desk)
    assert deaths_of(claims) == [0, 1, 1]
    assert message_of(claims[0]).state == "unknown"


def test_an_error_that_a_loop_survives_is_no_death(desk: Desk) -> None:
    claims = claimed(desk)
    heal(desk.worker_id, [one.message_id for one in claims])
    assert deaths_of(claims) == [0, 0, 0]


def test_a_loop_that_ends_in_order_is_no_death(desk: Desk) -> None:
    claims = claimed(desk)
    hand_back.release(desk.worker_id, [one.message_id for one in claims])
    leases.end_worker(desk.worker_id)
    reconcile()
    assert deaths_of(claims) == [0, 0, 0]


def test_the_third_death_quarantines_the_message_and_stops_its_enrollment(desk: Desk) -> None:
    _, victim = poisoned(desk)
    message = message_of(victim)
    assert (message.state, message.reason, message.reply_text) == ("quarantined", "poison", WHY)
    assert (message.worker_id, message.deaths) == (None, DEATHS_TO_QUARANTINE)
    enrollment, _ = message.place
    assert (enrollment.status, enrollment.stop_reason) == ("pending", "quarantined")
    assert list(audit(desk.now)) == []


def test_the_others_go_and_the_books_balance(desk: Desk) -> None:
    others, victim = poisoned(desk)
    desk.send(*others)
    campaign_id = message_of(victim).campaign_id
    assert campaign_id is not None
    account = conservation_of([campaign_id], now=desk.now)[campaign_id]
    assert (account.balanced, account.ended) == (True, {"accepted": 2, "quarantined": 1})


def test_the_operator_finds_it_among_the_attempts_and_in_the_log(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    _, victim = poisoned(desk)
    attempt = Attempt.everywhere.get(message_id=victim.message_id)
    assert (attempt.state, attempt.reason, attempt.started_at) == ("quarantined", "poison", None)
    [record] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert str(victim.message_id) in record.getMessage()


def test_without_suspects_the_hot_path_asks_as_often_as_before(desk: Desk) -> None:
    desk.released(5)
    desk.tick()
    with CaptureQueriesContext(connection) as asked:
        claims = claim.claim_messages(desk.worker_id, now=desk.now, lanes=10, messages=10)
    assert len(claims) == 5
    # The savepoint and its release, the lease, what was forgotten, the lanes, the messages.
    assert len(asked) == 6
    with CaptureQueriesContext(connection) as asked:
        outbox.prepare(claims)
    assert len(asked) == 4


def test_one_poisoned_message_pauses_nothing(desk: Desk) -> None:
    _, victim = poisoned(desk)
    campaign = message_of(victim).campaign
    assert campaign is not None
    assert campaign.status == "active"


def test_a_step_with_three_of_them_pauses_its_campaign_until_an_operator_resumes_it(desk: Desk) -> None:
    others, victim = poisoned(desk, 4)
    for one in others[:2]:
        assert poison.blame(desk.worker_id, replace(one, deaths=2)) is None
    campaign = message_of(victim).campaign
    assert campaign is not None
    assert (campaign.status, campaign.pause_reason) == ("paused", "operator")
    assert not desk.wire(others[2])
