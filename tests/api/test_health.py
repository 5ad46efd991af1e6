"""What monitors ask: alive, ready, metrics; who may ask, and that they get an answer whatever else is refused."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from pytest_django.fixtures import Settings

from ampout.accounts import installation
from ampout.accounts.models import Account, Installation
from ampout.events.kinds import EventKind
from ampout.lib import clock
from dispatch.models import FactCount, Message, Tick
from dispatch.services import watch
from dispatch.services.ticks import BEAT, PLAN, record_tick
from tests import factories
from tests.pages.admin_records import MAKERS

BY_ADDRESS = {"host": "10.1.2.3:8000"}
STRANGER = "8.8.8.8"


def ask(path: str, *, address: str = "127.0.0.1", **headers: str) -> Any:
    return Client(REMOTE_ADDR=address).get(path, headers={**BY_ADDRESS, **headers})


def samples(page: str) -> dict[str, float]:
    """Every number of a page, under its name and its label."""
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in read_text(page)
        for sample in family.samples
    }


@pytest.fixture
def ticking(db: None) -> None:
    """An installation whose beat and planner work."""
    record_tick(BEAT)
    record_tick(PLAN)


def test_a_load_balancer_that_asks_by_address_gets_an_answer() -> None:
    answer = Client().get("/healthz", headers=BY_ADDRESS)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_nobody_is_sent_to_https(ticking: None, settings: Settings, path: str) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert ask(path).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_nothing_can_be_changed_here(db: None, path: str) -> None:
    assert Client().post(path).status_code == 405


# -- Ready


def test_an_installation_that_works_is_ready(ticking: None) -> None:
    answer = ask("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    checks = answer.json()["checks"]
    assert list(checks) == ["database", "broker", "beat", "planner", "clocks", "sending", "queue", "unknown", "claims"]
    assert all(check["ok"] for check in checks.values())
    assert checks["claims"] == {
        "ok": True,
        "value": 0,
        "limit": 0,
        "message": "No message is held by a dead loop.",
    }


def test_one_whose_beat_stands_still_is_not(ticking: None) -> None:
    Tick.objects.filter(name=BEAT).update(ticked_at="2026-01-01T00:00:00Z")
    answer = ask("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.json()["message"].startswith("The last tick of beat arrived ")
    checks = answer.json()["details"]["checks"]
    assert [name for name, check in checks.items() if not check["ok"]] == ["beat"]


def test_a_copy_that_nobody_adopted_is_not(ticking: None) -> None:
    installation.take(clock.utc_now())
    assert ask("/readyz").status_code == 200
    Installation.objects.update(database="another one")
    answer = ask("/readyz")
    assert answer.status_code == 503
    assert answer.json()["message"].startswith("Sending is off: ")
    assert samples(ask("/metrics").content.decode())["ampout_sending_off"] == 1


def test_one_whose_broker_is_away_is_not(ticking: None, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = ask("/readyz")
    assert answer.status_code == 503
    assert answer.json()["message"] == "The broker does not answer: nobody wakes the workers."


def test_one_whose_database_fails_is_not(ticking: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_FIGURES", "SELECT 1 FROM nothing_of_that_name")
    answer = ask("/readyz")
    assert answer.status_code == 503
    assert answer.json()["message"].startswith("The database does not answer. Not known")
    assert ask("/metrics").status_code == 503


def test_it_is_asked_by_one_statement(ticking: None) -> None:
    with CaptureQueriesContext(connection) as seen:
        ask("/readyz")
    assert len([query for query in seen.captured_queries if query["sql"].split()[0] == "SELECT"]) == 1


# -- Who may ask


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.9", "fd00::1", "::ffff:10.0.0.1"])
def test_private_networks_may_ask(ticking: None, address: str) -> None:
    assert ask("/metrics", address=address).status_code == 200


@pytest.mark.parametrize("address", [STRANGER, "2a00:1450::1", "::ffff:8.8.8.8", "", "x"])
def test_strangers_may_not(ticking: None, address: str) -> None:
    answer = ask("/metrics", address=address)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.json()["message"] == (
        "Metrics are not for everybody. Ask from a private network, or set METRICS_TOKEN."
    )


def test_strangers_learn_of_readiness_its_status_alone(ticking: None) -> None:
    assert ask("/readyz", address=STRANGER).json() == {"status": "ready", "checks": {}}
    Tick.objects.all().delete()
    answer = ask("/readyz", address=STRANGER)
    assert (answer.status_code, answer.json()["details"]) == (503, {"status": "unready", "checks": {}})
    assert answer.json()["message"] == "Something does not work; monitors are told what."


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_what_comes_through_a_proxy_nobody_told_us_of_is_a_strangers(ticking: None, header: str) -> None:
    assert ask("/metrics", **{header: "10.0.0.1"}).status_code == 401


@pytest.mark.parametrize(("client", "status"), [("10.0.0.7", 200), ("8.8.8.8", 401), ("10.0.0.7, 8.8.8.8", 401)])
def test_behind_our_proxy_the_address_it_saw_counts(
    ticking: None, settings: Settings, client: str, status: int
) -> None:
    settings.BEHIND_PROXY = True
    assert ask("/metrics", **{"X-Forwarded-For": client}).status_code == status


@pytest.mark.parametrize(
    ("given", "status"),
    [("Bearer word", 200), ("Bearer Word", 401), ("word", 401), ("Basic word", 401), ("Bearer wörd", 401), ("", 401)],
)
def test_with_a_token_only_the_token_counts(ticking: None, settings: Settings, given: str, status: int) -> None:
    settings.METRICS_TOKEN = "word"
    headers = {"Authorization": given} if given else {}
    assert ask("/metrics", **headers).status_code == status
    assert ask("/metrics", address=STRANGER, **headers).status_code == status
    assert bool(ask("/readyz", **headers).json()["checks"]) == (status == 200)


# -- Metrics


def test_prometheus_can_read_them(ticking: None) -> None:
    answer = ask("/metrics")
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    assert samples(answer.content.decode())["ampout_broker_up"] == 1


def test_openmetrics_too_where_it_is_asked_for(ticking: None) -> None:
    answer = ask("/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    families = read_openmetrics(answer.content.decode())  # type: ignore[no-untyped-call]  # theirs is untyped
    assert "ampout_sends" in {family.name for family in families}


def test_what_never_was_has_no_age(db: None) -> None:
    told = samples(ask("/metrics").content.decode())
    assert {"ampout_beat_age_seconds", "ampout_plan_age_seconds"} & set(told) == set()


def test_a_broker_that_is_away_is_told(ticking: None, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    told = samples(ask("/metrics").content.decode())
    assert told["ampout_broker_up"] == 0
    assert "ampout_broker_tasks" not in told


def test_sends_are_what_left(ticking: None) -> None:
    for label, count in {"accepted": 5, "unknown": 2, "refused": 3, "deferred": 4}.items():
        FactCount.objects.create(source="attempts", label=label, count=count)
    told = samples(ask("/metrics").content.decode())
    assert told["ampout_sends_total"] == 7
    assert told["ampout_attempts_total refused"] == 3
    assert told["ampout_attempts_total gave_up"] == 0


def test_every_type_of_event_is_there_from_the_start(ticking: None) -> None:
    told = samples(ask("/metrics").content.decode())
    assert {f"ampout_events_total {kind.value}" for kind in EventKind} <= set(told)


def test_the_number_of_series_does_not_grow_with_accounts(ticking: None) -> None:
    before = set(samples(ask("/metrics").content.decode()))
    for maker in MAKERS.values():
        maker()
    FactCount.objects.create(source="attempts", label="a word that a later release made", count=1)
    assert set(samples(ask("/metrics").content.decode())) == before


def test_nothing_of_anybody_is_in_them(account: Account, ticking: None) -> None:
    message: Message = MAKERS[Message]()
    page = ask("/metrics").content.decode() + ask("/readyz").content.decode()
    for words in (str(message.account_id), message.recipient, message.message_id, factories.SIGNING_KEY, account.name):
        assert words not in page
