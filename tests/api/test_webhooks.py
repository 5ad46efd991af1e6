"""The management of webhooks, as the contract says it."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from ampout.events.models import Event, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from ampout.events.services import endpoints
from ampout.events.services.endpoints import disable_endpoint
from ampout.events.services.retention import delete_old_deliveries
from ampout.lib import clock
from tests import factories
from tests.conftest import ApiClient

URL = "https://1.1.1.1/hooks?key=s3cret"
SHOWN = {
    *("id", "url", "event_filters", "consecutive_failures", "failing_since", "disabled_at", "disabled_reason"),
    *("previous_secret_until", "created_at", "updated_at"),
}


def create(api: ApiClient, **fields: Any) -> dict[str, Any]:
    answer = api.post("/webhooks", {"webhook": {"url": URL} | fields})
    assert answer.status_code == 201, answer.content
    created: dict[str, Any] = answer.json()
    return created


def delivery(account: Account, to: WebhookEndpoint, **fields: Any) -> WebhookDelivery:
    event = Event.everywhere.create(account=account, type="enrollment.sent", fact=str(uuid.uuid4()), data={})
    defaults = {"due_at": clock.utc_now(), "account": account, "endpoint": to, "event": event}
    made: WebhookDelivery = WebhookDelivery.everywhere.create(**(defaults | fields))
    return made


def problems(answer: Any) -> dict[str, list[str]]:
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    details: dict[str, list[str]] = answer.json()["details"]
    return details


# -- Making and showing


def test_a_webhook_is_made_for_all_events_with_a_secret(api: ApiClient) -> None:
    created = create(api)
    assert created.keys() == SHOWN | {"secret"}
    assert (created["url"], created["event_filters"], created["disabled_at"]) == (URL, ["*"], None)
    assert (created["consecutive_failures"], len(created["secret"])) == (0, len("whsec_") + 44)
    assert created["secret"].startswith("whsec_")


def test_the_secret_is_never_shown_again(api: ApiClient) -> None:
    created = create(api)
    path = f"/webhooks/{created['id']}"
    answers = [api.get("/webhooks"), api.get(path), api.patch(path, {"event_filters": ["*"]})]
    assert all(created["secret"] not in answer.content.decode() for answer in answers)
    assert answers[1].json().keys() == SHOWN


def test_url_and_secrets_are_encrypted_at_rest(api: ApiClient, django_assert_num_queries: Any) -> None:
    created = create(api)
    rows = WebhookEndpoint.everywhere.extra(select={"raw": "url || secret || host"}).values_list("raw", flat=True)
    assert "s3cret" not in rows[0]
    assert created["secret"] not in rows[0]
    assert rows[0].endswith("1.1.1.1")


def test_a_list_is_newest_first(api: ApiClient) -> None:
    ids = [create(api)["id"] for _ in range(3)]
    assert [row["id"] for row in api.get("/webhooks").json()] == ids[::-1]


def test_an_idempotency_key_makes_one(api: ApiClient) -> None:
    first = api.post("/webhooks", {"url": URL}, idempotency_key="k")
    second = api.post("/webhooks", {"url": URL}, idempotency_key="k")
    assert first.json() == second.json()
    assert len(api.get("/webhooks").json()) == 1


def test_an_account_has_a_limit(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "MOST_ENDPOINTS", 1)
    first = create(api)
    answer = api.post("/webhooks", {"url": URL})
    assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")
    api.delete(f"/webhooks/{first['id']}")
    create(api)


# -- Filters


@pytest.mark.parametrize(
    "filters", [["*"], ["enrollment.*"], ["enrollment.replied", "campaign.paused"], ["webhook.disabled"]]
)
def test_filters_are_kinds_groups_or_all(api: ApiClient, filters: list[str]) -> None:
    assert create(api, event_filters=filters)["event_filters"] == filters


@pytest.mark.parametrize(
    ("filters", "path", "sentence"),
    [
        (["enrollment.reply"], "event_filters.0", "No such event. Did you mean `enrollment.replied`?"),
        (["*", "enrollments.*"], "event_filters.1", "No such event. Did you mean `enrollment.*`?"),
        ([], "event_filters", 'Name at least one, or leave it at ["*"].'),
        ("*", "event_filters", "Must be an array."),
        (None, "event_filters", "May not be null."),
    ],
)
def test_other_filters_are_refused(api: ApiClient, filters: object, path: str, sentence: str) -> None:
    assert problems(api.post("/webhooks", {"url": URL, "event_filters": filters})) == {path: [sentence]}


# -- Changing


def test_url_and_filters_change(api: ApiClient) -> None:
    path = f"/webhooks/{create(api)['id']}"
    changed = api.patch(path, {"webhook": {"url": "https://1.1.1.1:8443/", "event_filters": ["campaign.*"]}}).json()
    assert (changed["url"], changed["event_filters"]) == ("https://1.1.1.1:8443/", ["campaign.*"])
    assert api.get(path).json() == changed


def test_a_changed_url_is_checked(api: ApiClient) -> None:
    path = f"/webhooks/{create(api)['id']}"
    assert problems(api.patch(path, {"url": "https://10.0.0.1/"})).keys() == {"url"}
    assert api.get(path).json()["url"] == URL


def test_null_enables_a_disabled_webhook(api: ApiClient) -> None:
    to = factories.make_webhook(api.account, consecutive_failures=30, failing_since=clock.utc_now())
    disable_endpoint(to.pk)
    path = f"/webhooks/{to.pk}"
    assert api.get(path).json()["disabled_reason"] == "operator"
    shown = api.patch(path, {"disabled_at": None}).json()
    assert (shown["disabled_at"], shown["disabled_reason"], shown["consecutive_failures"]) == (None, None, 0)


def test_disabled_at_can_only_be_taken_away(api: ApiClient) -> None:
    path = f"/webhooks/{create(api)['id']}"
    answer = api.patch(path, {"disabled_at": "2026-11-22T06:30:15Z"})
    sentence = "Can only be set to null, which enables the webhook. To stop it, delete it."
    assert problems(answer) == {"disabled_at": [sentence]}


def test_rotation_shows_a_new_secret_and_keeps_the_old_for_a_day(api: ApiClient) -> None:
    created = create(api)
    rotated = api.post(f"/webhooks/{created['id']}/rotate_secret").json()
    row = WebhookEndpoint.everywhere.get()
    assert rotated["secret"] == row.secret != created["secret"] == row.previous_secret
    assert row.previous_secret_until is not None
    assert timedelta(hours=23) < row.previous_secret_until - clock.utc_now() <= timedelta(hours=24)


def test_what_an_old_key_encrypted_can_be_shown_and_mended(api: ApiClient, settings: Settings) -> None:
    ours, settings.FIELD_KEYS = settings.FIELD_KEYS, [Fernet.generate_key().decode()]
    path = f"/webhooks/{factories.make_webhook(api.account).pk}"
    settings.FIELD_KEYS = ours
    assert api.get(path).json()["url"] is None
    assert api.patch(path, {"url": URL}).json()["url"] == URL
    assert api.post(f"{path}/rotate_secret").json()["secret"].startswith("whsec_")


# -- Deleting


def test_a_deleted_webhook_is_gone_and_its_secrets_too(api: ApiClient) -> None:
    created = create(api)
    path = f"/webhooks/{created['id']}"
    assert api.delete(path).status_code == 204
    assert (api.get(path).status_code, api.delete(path).status_code, api.get("/webhooks").json()) == (404, 404, [])
    row = WebhookEndpoint.everywhere.get()
    assert (row.url, row.secret) == ("", "")


# -- Deliveries


def test_deliveries_are_listed_newest_first(api: ApiClient) -> None:
    to, now = factories.make_webhook(api.account), clock.utc_now()
    old = delivery(api.account, to, created_at=now - timedelta(hours=1), state="delivered", attempt=2, delivered_at=now)
    new = delivery(api.account, to, attempt=1, status_code=500, error="The receiver answered 500.")
    rows = api.get(f"/webhooks/{to.pk}/deliveries").json()
    assert [row["id"] for row in rows] == [str(new.pk), str(old.pk)]
    assert {"id", "event_type", "attempt", "status_code", "error", "delivered_at", "created_at"} <= rows[0].keys()
    assert (rows[0]["event_type"], rows[0]["attempt"], rows[0]["status_code"]) == ("enrollment.sent", 1, 500)
    assert (rows[0]["error"], rows[0]["delivered_at"]) == ("The receiver answered 500.", None)
    assert rows[0]["next_attempt_at"] is not None
    assert (rows[1]["state"], rows[1]["error"], rows[1]["next_attempt_at"]) == ("delivered", None, None)


def test_deliveries_have_pages(api: ApiClient) -> None:
    to = factories.make_webhook(api.account)
    ids = {str(delivery(api.account, to).pk) for _ in range(3)}
    first = api.get(f"/webhooks/{to.pk}/deliveries", limit=2)
    rest = api.get(first["Link"].partition(">")[0].removeprefix("<http://testserver"))
    assert len(first.json()) == 2
    assert {row["id"] for row in first.json() + rest.json()} == ids


def test_a_list_of_deliveries_costs_as_many_queries_for_many(
    api: ApiClient, django_assert_max_num_queries: Any
) -> None:
    to = factories.make_webhook(api.account)
    for _ in range(20):
        delivery(api.account, to)
    with django_assert_max_num_queries(6):
        api.get(f"/webhooks/{to.pk}/deliveries")


def test_redelivery_plans_a_try_at_once(api: ApiClient) -> None:
    to = factories.make_webhook(api.account, hold_until=clock.utc_now() + timedelta(hours=1))
    past = clock.utc_now() - timedelta(days=3)
    of = delivery(api.account, to, state="given_up", attempt=10, tries=10, due_at=past, finished_at=past)
    shown = api.post(f"/webhooks/{to.pk}/deliveries/{of.pk}/redeliver").json()
    assert (shown["id"], shown["state"], shown["attempt"]) == (str(of.pk), "pending", 10)
    of.refresh_from_db()
    assert (of.tries, of.finished_at) == (0, None)
    assert clock.utc_now() - of.due_at < timedelta(minutes=1)
    to.refresh_from_db()
    assert to.hold_until is None


def test_a_disabled_webhook_is_not_redelivered_to(api: ApiClient) -> None:
    to = factories.make_webhook(api.account, disabled_at=clock.utc_now())
    of = delivery(api.account, to, state="given_up")
    answer = api.post(f"/webhooks/{to.pk}/deliveries/{of.pk}/redeliver")
    assert (answer.status_code, answer.json()["code"]) == (422, "unprocessable")
    of.refresh_from_db()
    assert of.state == "given_up"


# -- Retention


def test_what_ended_long_ago_is_deleted_with_its_attempts(account: Account, settings: Settings) -> None:
    settings.RETENTION_DAYS = 90
    to, now = factories.make_webhook(account), clock.utc_now()
    ended = now - timedelta(days=91)
    gone = delivery(account, to, state="given_up", finished_at=ended)
    kept = [delivery(account, to, state="delivered", finished_at=now - timedelta(days=89)), delivery(account, to)]
    for of in (gone, *kept):
        WebhookAttempt.everywhere.create(account=account, delivery=of, number=1, started_at=ended, ended_at=ended)
    assert delete_old_deliveries() == 1
    assert set(WebhookDelivery.everywhere.values_list("pk", flat=True)) == {of.pk for of in kept}
    assert WebhookAttempt.everywhere.count() == 2


def test_what_waits_for_a_long_disabled_webhook_is_deleted_too(account: Account) -> None:
    long_ago = clock.utc_now() - timedelta(days=91)
    delivery(account, factories.make_webhook(account, disabled_at=long_ago), due_at=long_ago)
    assert delete_old_deliveries() == 1


def test_a_deleted_webhook_goes_with_all_its_deliveries(account: Account) -> None:
    to = factories.make_webhook(account)
    for _ in range(3):
        delivery(account, to)
    endpoints.delete_endpoint(account, to.pk)
    assert delete_old_deliveries() == 3
    assert not WebhookEndpoint.everywhere.exists()
