"""The schedule against a real receiver, with a clock that is set by hand (promise E3)."""

import itertools
from datetime import datetime, timedelta
from email.utils import format_datetime

import pytest

from ampout.events.models import Event, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from ampout.events.rules.retry import DISABLED_AFTER, FAILURES_TO_OPEN, JITTER, PROBE_PAUSE, SCHEDULE
from ampout.events.services.endpoints import redeliver, update_endpoint
from tests.events.conftest import Hands, Town, deliveries, tell
from tests.peers.webhook_sink import Manner, Reply


def only(endpoint: WebhookEndpoint) -> WebhookDelivery:
    (delivery,) = deliveries(endpoint)
    return delivery


def starts(delivery: WebhookDelivery) -> list[datetime]:
    rows = WebhookAttempt.everywhere.filter(delivery=delivery).order_by("number")
    return list(rows.values_list("started_at", flat=True))


def walk(town: Town, hands: Hands, endpoint: WebhookEndpoint) -> None:
    """Go from each planned try to the next, looking a second before each, until nothing is planned."""
    town.work()
    while (delivery := only(endpoint)).state == "pending" and _is_enabled(endpoint):
        planned = max(delivery.due_at, endpoint.hold_until or delivery.due_at)
        hands.now = planned - timedelta(seconds=1)
        town.work()
        hands.now = planned
        town.work()


def _is_enabled(endpoint: WebhookEndpoint) -> bool:
    endpoint.refresh_from_db()
    return endpoint.disabled_at is None


def test_ten_tries_at_the_times_of_the_schedule_then_it_is_given_up(town: Town, hands: Hands) -> None:
    endpoint = town.endpoint()
    town.sink.reply("/hook", Reply(500, body=b"sorry"))
    tell(town.account)
    walk(town, hands, endpoint)
    delivery = only(endpoint)
    tried = starts(delivery)
    waits = [later - earlier for earlier, later in itertools.pairwise(tried)]
    assert len(waits) == 9
    for wait, planned in zip(waits, SCHEDULE[1:], strict=True):
        assert planned <= wait <= planned * (1 + JITTER)
    assert (delivery.state, delivery.attempt, delivery.status_code) == ("given_up", 10, 500)
    assert (delivery.error, delivery.finished_at) == ("The receiver answered 500.", hands.now)
    assert len(town.sink.calls("/hook")) == 10


def test_every_try_has_the_same_id_and_bytes_and_a_timestamp_of_its_own(town: Town, hands: Hands) -> None:
    endpoint = town.endpoint()
    town.sink.reply("/hook", Reply(500))
    (event,) = tell(town.account, contact_email="zoë@example.com", nested={"b": 1, "a": [1, 2]})
    walk(town, hands, endpoint)
    calls = town.sink.calls("/hook")
    assert {call.headers["webhook-id"] for call in calls} == {str(event.id)}
    assert len({call.body for call in calls}) == 1
    stamps = [int(call.headers["webhook-timestamp"]) for call in calls]
    assert stamps == [int(at.timestamp()) for at in starts(only(endpoint))]


def test_the_first_success_ends_it(town: Town, hands: Hands) -> None:
    endpoint = town.endpoint()
    town.sink.reply("/hook", Reply(500), Reply(302), Reply(200))
    tell(town.account)
    walk(town, hands, endpoint)
    delivery = only(endpoint)
    assert (delivery.state, delivery.attempt, delivery.status_code) == ("delivered", 3, 200)
    assert (delivery.error, delivery.delivered_at) == ("", hands.now)
    endpoint.refresh_from_db()
    assert (endpoint.consecutive_failures, endpoint.failing_since) == (0, None)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for_by_this_and_other_events(town: Town, hands: Hands, status: int) -> None:
    endpoint = town.endpoint()
    until = hands.now + timedelta(minutes=10)
    town.sink.reply("/hook", Reply(status, (("Retry-After", format_datetime(until, usegmt=True)),)), Reply(204))
    tell(town.account)
    town.work()
    tell(town.account)
    hands.now = until - timedelta(seconds=1)
    town.work()
    assert len(town.sink.calls("/hook")) == 1
    hands.now = until
    town.work()
    assert {delivery.state for delivery in deliveries(endpoint)} == {"delivered"}


def test_410_disables_at_once(town: Town, hands: Hands) -> None:
    endpoint = town.endpoint()
    town.sink.reply("/hook", Reply(410))
    tell(town.account, 3)
    town.work()
    endpoint.refresh_from_db()
    assert (endpoint.disabled_at, endpoint.disabled_reason) == (hands.now, "gone")
    assert len(town.sink.calls("/hook")) <= 3
    assert "given_up" in {delivery.state for delivery in deliveries(endpoint)}
    hands.skip(timedelta(days=1))
    tell(town.account)
    before = len(town.sink.calls("/hook"))
    town.work()
    assert len(town.sink.calls("/hook")) == before


def test_five_days_of_failure_disable_with_an_event_and_a_warning(
    town: Town, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint, watcher = town.endpoint(), town.endpoint("/watcher", event_filters=["webhook.*"])
    town.sink.reply("/hook", Reply(500))
    begun = hands.now
    while _is_enabled(endpoint):
        tell(town.account)
        town.work()
        hands.skip(timedelta(hours=6))
    endpoint.refresh_from_db()
    assert endpoint.disabled_reason == "failing"
    assert endpoint.disabled_at == begun + DISABLED_AFTER
    (event,) = Event.everywhere.filter(type="webhook.disabled")
    assert event.data["webhook_id"] == str(endpoint.pk)
    assert event.data["reason"] == "failing"
    town.work()
    assert [call.headers["webhook-id"] for call in town.sink.accepted("/watcher")] == [str(event.id)]
    assert only(watcher).state == "delivered"
    assert f"The webhook to {endpoint.host} was disabled: failing." in caplog.messages


def test_a_streak_of_failures_ends_with_a_success(town: Town, hands: Hands) -> None:
    endpoint = town.endpoint()
    begun = hands.now
    while hands.now - begun < DISABLED_AFTER * 2:
        town.sink.reply("/hook", Reply(200 if (hands.now - begun).days == 3 else 500))
        tell(town.account)
        town.work()
        hands.skip(timedelta(hours=8))
    endpoint.refresh_from_db()
    assert endpoint.failing_since is not None
    assert endpoint.failing_since - begun >= timedelta(days=3)


def test_a_dead_endpoint_is_probed_by_one_call_at_a_time(town: Town, hands: Hands) -> None:
    endpoint = town.endpoint()
    town.sink.reply("/hook", Reply(500, wait_seconds=0.05))
    tell(town.account, 40)
    town.work()
    first_round = len(town.sink.calls("/hook"))
    assert FAILURES_TO_OPEN <= first_round <= FAILURES_TO_OPEN + 3
    for _ in range(5):
        hands.skip(PROBE_PAUSE)
        town.work()
    assert len(town.sink.calls("/hook")) == first_round + 5
    town.sink.reply("/hook", Reply(200))
    hands.skip(timedelta(hours=1))
    town.work()
    assert {delivery.state for delivery in deliveries(endpoint)} == {"delivered"}


def test_an_enabled_endpoint_gets_what_waited_for_it(town: Town, hands: Hands) -> None:
    endpoint = town.endpoint()
    town.sink.reply("/hook", Reply(410), Reply(204))
    tell(town.account)
    town.work()
    waiting = WebhookDelivery.everywhere.create(
        account=town.account, endpoint=endpoint, event=tell(town.account)[0], due_at=hands.now
    )
    update_endpoint(town.account, endpoint.pk, enable=True)
    town.work()
    waiting.refresh_from_db()
    assert waiting.state == "delivered"


def test_redelivery_tries_at_once_and_begins_the_schedule_anew(town: Town, hands: Hands) -> None:
    endpoint = town.endpoint()
    town.sink.reply("/hook", Reply(500))
    tell(town.account)
    walk(town, hands, endpoint)
    town.sink.reply("/hook", Reply(500), Reply(204))
    redeliver(town.account, endpoint.pk, only(endpoint).pk)
    town.work()
    delivery = only(endpoint)
    assert (delivery.state, delivery.attempt, delivery.tries) == ("pending", 11, 1)
    walk(town, hands, endpoint)
    assert (only(endpoint).state, only(endpoint).attempt) == ("delivered", 12)
    assert len({(call.headers["webhook-id"], call.body) for call in town.sink.calls("/hook")}) == 1


@pytest.mark.parametrize(
    ("manner", "error"),
    [
        (Manner.DROP, "127.0.0.1 closed the connection without an answer in HTTP."),
        (Manner.GARBAGE, "127.0.0.1 closed the connection without an answer in HTTP."),
        (Manner.ENDLESS_HEAD, "127.0.0.1 closed the connection without an answer in HTTP."),
    ],
)
def test_the_error_says_what_went_wrong(town: Town, hands: Hands, manner: Manner, error: str) -> None:
    endpoint = town.endpoint()
    town.sink.reply("/hook", Reply(manner=manner))
    tell(town.account)
    town.work()
    delivery = only(endpoint)
    assert (delivery.status_code, delivery.error) == (None, error)


def test_an_endless_answer_is_read_to_its_cap_and_a_bit_of_it_kept(town: Town, hands: Hands) -> None:
    endpoint = town.endpoint()
    town.sink.reply("/hook", Reply(500, manner=Manner.ENDLESS_BODY))
    tell(town.account)
    town.work()
    (attempt,) = WebhookAttempt.everywhere.filter(delivery=only(endpoint))
    assert attempt.response_excerpt == "x" * 1_000


def test_what_cannot_be_shown_of_an_answer_is_left_out(town: Town, hands: Hands) -> None:
    endpoint = town.endpoint()
    town.sink.reply("/hook", Reply(500, body=b"a\x00b\x1b[31mc\xff\nd"))
    tell(town.account)
    town.work()
    (attempt,) = WebhookAttempt.everywhere.filter(delivery=only(endpoint))
    assert attempt.response_excerpt == "ab[31mc\ufffd\nd"
