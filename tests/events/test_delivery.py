"""Deliveries to real receivers: signed, complete, and never slowed down by one another (promises E1, E2, E4)."""

import asyncio
import json
import logging
import time
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pytest_django.fixtures import Settings
from standardwebhooks import Webhook

from ampout.events.gateways import webhook_call
from ampout.events.models import WebhookDelivery, WebhookEndpoint
from ampout.events.services import claim, loops
from ampout.events.services import deliver_webhooks as loop_service
from ampout.events.services.endpoints import delete_endpoint, rotate_secret
from ampout.lib import clock
from tests import factories
from tests.events.conftest import Town, deliveries, tell
from tests.peers.certificates import Certificates
from tests.peers.webhook_sink import Manner, Reply, WebhookSink


def pending(endpoint: WebhookEndpoint) -> int:
    return WebhookDelivery.everywhere.filter(endpoint=endpoint, state="pending").count()


def test_the_reference_library_verifies_a_call(town: Town) -> None:
    town.endpoint()
    (event,) = tell(town.account, contact_email="anna@example.com")
    town.work()
    (call,) = town.sink.calls("/hook")
    told = Webhook(factories.WEBHOOK_SECRET).verify(call.body, call.headers)
    assert told == {
        "id": str(event.id),
        "type": "enrollment.sent",
        "created_at": event.created_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "account_id": str(town.account.pk),
        "data": event.data,
        "sequence": event.sequence,
    }
    assert (call.method, call.headers["content-type"]) == ("POST", "application/json")


def test_during_a_rotation_both_secrets_verify(town: Town) -> None:
    endpoint = town.endpoint()
    fresh = rotate_secret(town.account, endpoint.pk).secret
    tell(town.account)
    town.work()
    (call,) = town.sink.calls("/hook")
    for secret in (fresh, factories.WEBHOOK_SECRET):
        assert Webhook(secret).verify(call.body, call.headers)


def test_a_day_later_only_the_new_one_does(town: Town) -> None:
    endpoint = town.endpoint()
    fresh = rotate_secret(town.account, endpoint.pk, now=clock.utc_now() - timedelta(hours=24)).secret
    tell(town.account)
    town.work()
    (call,) = town.sink.calls("/hook")
    assert Webhook(fresh).verify(call.body, call.headers)
    assert len(call.headers["webhook-signature"].split(" ")) == 1


def test_an_endpoint_may_be_taken_on_again_as_soon_as_it_is_released(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = town.endpoint()
    loop_id = loops.start_loop("test")
    assert loop_id is not None
    release = claim.release_endpoints

    async def serve() -> None:
        loop = loop_service.WebhookLoop(loop_id, lambda: True)
        successor = asyncio.create_task(asyncio.sleep(0))

        def release_and_take_on(*facts: Any, **named: Any) -> None:
            release(*facts, **named)
            loop.tasks[endpoint.pk] = successor

        monkeypatch.setattr(claim, "release_endpoints", release_and_take_on)
        served = loop.tasks[endpoint.pk] = asyncio.create_task(loop._serve(endpoint.pk))
        await served
        assert loop.tasks == {endpoint.pk: successor}
        await loop.run()

    asyncio.run(serve())


def test_deliveries_go_over_verified_tls(
    town: Town, tls_sink: WebhookSink, certificates: Certificates, settings: Settings
) -> None:
    settings.HTTP_CA_FILE = str(certificates.authority)
    town.endpoint(url=tls_sink.url("/hook"))
    tell(town.account)
    town.work()
    assert len(tls_sink.accepted("/hook")) == 1


def test_nothing_is_said_to_a_server_whose_certificate_cannot_be_verified(town: Town, tls_sink: WebhookSink) -> None:
    endpoint = town.endpoint(url=tls_sink.url("/hook"))
    tell(town.account)
    town.work()
    (delivery,) = deliveries(endpoint)
    assert delivery.error.startswith("The certificate of 127.0.0.1 could not be verified: ")
    assert tls_sink.calls("/hook") == []


def test_a_receiver_that_drops_calls_gets_every_event_in_the_end(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock runs ahead to each next try; ids and bytes stay."""
    endpoint = town.endpoint()
    town.sink.drop("/hook", 0.3)
    events = tell(town.account, 200)
    now = clock.utc_now
    ahead = timedelta(0)
    monkeypatch.setattr(clock, "utc_now", lambda: now() + ahead)
    town.work()
    while pending(endpoint):
        ahead += timedelta(minutes=6)
        town.work()
    accepted = {call.headers["webhook-id"] for call in town.sink.accepted("/hook")}
    assert accepted == {str(event.id) for event in events}
    assert len({(call.headers["webhook-id"], call.body) for call in town.sink.calls("/hook")}) == 200
    assert len(town.sink.accepted("/hook")) == 200


def test_an_endpoint_gets_four_calls_at_a_time_at_most(town: Town) -> None:
    town.endpoint()
    town.sink.reply("/hook", Reply(204, wait_seconds=0.1))
    tell(town.account, 24)
    town.work()
    assert len(town.sink.accepted("/hook")) == 24
    assert town.sink.most_open_by_path["/hook"] == 4


def test_many_endpoints_are_called_side_by_side(town: Town) -> None:
    for number in range(60):
        town.endpoint(f"/slow{number}")
        town.sink.reply(f"/slow{number}", Reply(204, wait_seconds=1))
    tell(town.account)
    begun = time.monotonic()
    town.work()
    assert sum(len(town.sink.accepted(f"/slow{number}")) for number in range(60)) == 60
    assert time.monotonic() - begun < 20


def test_hanging_endpoints_delay_no_healthy_one(town: Town) -> None:
    """E4: each hangs for the whole 15 s and has 1,000 events waiting; the healthy one's p99 stays below 5 s."""
    healthy_account = factories.make_account("Bob")
    for number in range(5):
        town.endpoint(f"/hanging{number}")
        town.sink.reply(f"/hanging{number}", Reply(manner=Manner.HANG))
    healthy = town.endpoint("/healthy", account=healthy_account)
    tell(town.account, 1_000)
    told: dict[str, float] = {}

    def tell_and_see() -> bool:
        if len(told) < 100 and town.sink.calls("/hanging0"):
            told.update({str(event.id): time.monotonic() for event in tell(healthy_account, 2)})
        return len(told) == 100 and len(town.sink.accepted("/healthy")) >= 100

    town.run_until(tell_and_see)
    waits = sorted(call.at - told[call.headers["webhook-id"]] for call in town.sink.accepted("/healthy"))
    assert waits[98] < 5
    assert pending(healthy) == 0
    assert max(town.sink.most_open_by_path[f"/hanging{number}"] for number in range(5)) <= 4


def test_a_hanging_call_ends_at_the_deadline(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_call, "TIMEOUT_SECONDS", 0.3)
    endpoint = town.endpoint()
    town.sink.reply("/hook", Reply(manner=Manner.HANG))
    tell(town.account)
    town.work()
    (delivery,) = deliveries(endpoint)
    assert (delivery.status_code, delivery.error) == (None, "127.0.0.1 did not answer in time.")


def test_the_deadline_is_fifteen_seconds() -> None:
    assert (webhook_call.TIMEOUT_SECONDS, webhook_call.READ_BYTES) == (15, 65_536)


def test_failing_endpoints_take_half_of_the_places_at_most(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_service, "MOST_ENDPOINTS", 4)
    monkeypatch.setattr(loop_service, "MOST_FAILING", 2)
    for number in range(6):
        town.endpoint(f"/failing{number}", consecutive_failures=9)
        town.sink.reply(f"/failing{number}", Reply(manner=Manner.HANG))
    town.endpoint("/healthy")
    tell(town.account)
    town.run_until(lambda: bool(town.sink.accepted("/healthy")))
    assert sum(town.sink.open_by_path[f"/failing{number}"] for number in range(6)) <= 2


def test_one_unreadable_secret_delays_nobody(town: Town, settings: Settings) -> None:
    ours = settings.FIELD_KEYS
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    lost = town.endpoint("/lost")
    settings.FIELD_KEYS = ours
    town.endpoint("/fine")
    tell(town.account, 3)
    town.work()
    assert len(town.sink.accepted("/fine")) == 3
    assert (len(town.sink.calls("/lost")), pending(lost)) == (0, 3)
    assert WebhookEndpoint.everywhere.filter(pk=lost.pk, loop_id=None, hold_until__gt=clock.utc_now()).exists()


def test_a_deleted_endpoint_gets_nothing_more(town: Town) -> None:
    endpoint = town.endpoint()
    tell(town.account)
    delete_endpoint(town.account, endpoint.pk)
    town.work()
    assert town.sink.calls("/hook") == []


def test_each_body_says_the_number_of_its_event(town: Town) -> None:
    """The log's numbers grow with each event of an enrollment, as its row is locked when a fact is told."""
    town.endpoint()
    events = tell(town.account, 5)
    town.work()
    told = {call.headers["webhook-id"]: json.loads(call.body)["sequence"] for call in town.sink.calls("/hook")}
    assert told == {str(event.id): event.sequence for event in events}


def test_logs_hold_no_url_and_no_secret(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    town.endpoint("/hook-canary?token=url-canary", consecutive_failures=4)
    town.sink.reply("/hook-canary", Reply(410))
    tell(town.account)
    town.work()
    told = "\n".join([caplog.text, *(str(vars(record)) for record in caplog.records)])
    assert "was disabled: gone" in told
    for secret in ("canary", factories.WEBHOOK_SECRET):
        assert secret not in told


# -- Leases


@pytest.mark.django_db
def test_a_name_has_one_live_loop() -> None:
    first = loops.start_loop("host:1")
    assert first is not None
    assert loops.start_loop("host:1") is None
    loops.end_loop(first)
    assert loops.start_loop("host:1") is not None


@pytest.mark.django_db
def test_a_loop_whose_lease_ran_out_is_replaced_and_fenced(settings: Settings) -> None:
    settings.LEASE_SECONDS = -1
    first = loops.start_loop("host:1")
    settings.LEASE_SECONDS = 60
    assert loops.start_loop("host:1") is not None
    assert first is not None
    assert loops.renew_lease(first) is False
