"""One effect per Idempotency-Key, however often and however fast a call is repeated (contract: Ground rules)."""

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.test import override_settings
from rest_framework.response import Response

from ampout.accounts import idempotency
from ampout.accounts.models import Account, ApiKey, IdempotencyRecord
from ampout.api import api_keys
from ampout.celery import app
from ampout.lib.crypto import keyed_digest
from ampout.schedule import CeleryConfiguration
from tests import factories
from tests.conftest import ApiClient
from tests.services.rival import Rival, Waiting

BODY = {"api_key": {"label": "robot"}}


def labels(account: Account) -> list[str]:
    return list(ApiKey.objects.of(account).values_list("label", flat=True).order_by("created_at"))


def test_a_repeated_call_gets_the_first_answer_verbatim_and_has_no_second_effect(api: ApiClient) -> None:
    first = api.post("/api_keys", BODY, idempotency_key="one")
    second = api.post("/api_keys", BODY, idempotency_key="one")
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second["Content-Type"] == first["Content-Type"]
    assert (first.get("Idempotent-Replayed"), second["Idempotent-Replayed"]) == (None, "true")
    assert labels(api.account).count("robot") == 1


def test_an_answer_without_a_body_is_repeated_too(api: ApiClient) -> None:
    path = f"/api_keys/{factories.make_key(api.account).key.pk}"
    first = api.delete(path, idempotency_key="one")
    second = api.delete(path, idempotency_key="one")
    assert (first.status_code, second.status_code, second.content) == (204, 204, b"")


def test_another_body_under_the_same_key_is_refused(api: ApiClient) -> None:
    api.post("/api_keys", BODY, idempotency_key="one")
    response = api.post("/api_keys", {"label": "other"}, idempotency_key="one")
    assert (response.status_code, response.json()["code"]) == (422, "unprocessable")
    assert "other" not in labels(api.account)


def test_the_raw_body_counts_not_its_meaning(api: ApiClient) -> None:
    api.post("/api_keys", b'{"label": "robot"}', idempotency_key="one")
    assert api.post("/api_keys", b'{"label":"robot"}', idempotency_key="one").status_code == 422


def test_keys_are_scoped_to_account_method_and_path(api: ApiClient, other_api: ApiClient) -> None:
    made = api.post("/api_keys", BODY, idempotency_key="one").json()
    assert other_api.post("/api_keys", BODY, idempotency_key="one").json()["id"] != made["id"]
    assert api.delete(f"/api_keys/{made['id']}", idempotency_key="one").status_code == 204


def test_a_refusal_is_kept_as_well(api: ApiClient) -> None:
    first = api.post("/api_keys", {"label": 7}, idempotency_key="one")
    second = api.post("/api_keys", {"label": 7}, idempotency_key="one")
    assert (first.status_code, second.content) == (422, first.content)
    assert second["Idempotent-Replayed"] == "true"


def test_an_answer_is_forgotten_after_a_day(api: ApiClient) -> None:
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with time_machine.travel(start, tick=False):
        api.post("/api_keys", BODY, idempotency_key="one")
    with time_machine.travel(start + timedelta(hours=23, minutes=59), tick=False):
        assert api.post("/api_keys", BODY, idempotency_key="one").has_header("Idempotent-Replayed")
    with time_machine.travel(start + timedelta(hours=24), tick=False):
        assert not api.post("/api_keys", BODY, idempotency_key="one").has_header("Idempotent-Replayed")
    assert labels(api.account).count("robot") == 2


def mark(api: ApiClient, *, age: timedelta = timedelta(0)) -> IdempotencyRecord:
    """A call in flight: the mark that `POST /api_keys` with key `one` would make."""
    call = idempotency.Call(f"account:{api.account.pk}", "POST", "/api_keys", "one")
    idempotency.reserve(call, "digest of some body", now=datetime.now(UTC) - age)  # noqa: TID251
    return IdempotencyRecord.objects.get()


def test_a_call_in_flight_cannot_be_repeated_yet(api: ApiClient) -> None:
    record = mark(api)
    digest = hashlib.sha256(b'{"label": "robot"}').hexdigest()
    IdempotencyRecord.objects.update(body_digest=keyed_digest("idempotency", digest).hex())
    response = api.post("/api_keys", b'{"label": "robot"}', idempotency_key="one")
    assert (response.status_code, response.json()["code"]) == (409, "idempotency_in_flight")
    assert "robot" not in labels(api.account)
    record.refresh_from_db()
    assert record.answered_at is None


def test_a_mark_whose_process_died_expires_after_a_minute(api: ApiClient) -> None:
    mark(api, age=timedelta(seconds=60))
    assert api.post("/api_keys", BODY, idempotency_key="one").status_code == 201
    assert labels(api.account).count("robot") == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "schlüssel", "a\tb"])
def test_a_key_that_cannot_be_kept_is_refused(api: ApiClient, key: str) -> None:
    response = api.post("/api_keys", BODY, idempotency_key=key)
    assert (response.status_code, list(response.json()["details"])) == (422, ["Idempotency-Key"])
    assert labels(api.account) == [""]


def test_the_kept_answer_is_encrypted(api: ApiClient) -> None:
    plaintext = api.post("/api_keys", BODY, idempotency_key="one").json()["plaintext"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT answer FROM accounts_idempotencyrecord")
        stored = cursor.fetchone()[0]
    assert plaintext not in stored
    assert plaintext in IdempotencyRecord.objects.get().answer


def test_old_answers_are_erased(api: ApiClient) -> None:
    api.post("/api_keys", BODY, idempotency_key="one")
    asked_at = IdempotencyRecord.objects.get().started_at
    assert idempotency.erase_old_answers(now=asked_at + timedelta(hours=23)) == 0
    assert idempotency.erase_old_answers(now=asked_at + timedelta(hours=24)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_record_that_is_taken_over_at_that_moment_is_not_erased(api: ApiClient) -> None:
    api.post("/api_keys", BODY, idempotency_key="one")
    later = IdempotencyRecord.objects.get().started_at + timedelta(hours=24)
    with Rival() as rival:
        rival.run("UPDATE accounts_idempotencyrecord SET started_at = %s, answered_at = NULL", later)
        purge = Waiting(lambda: idempotency.erase_old_answers(now=later))
        assert purge.result() == 0
        rival.commit()
    assert IdempotencyRecord.objects.get().answered_at is None


def test_erasing_is_on_the_schedule() -> None:
    app.loader.import_default_modules()
    entry = CeleryConfiguration.beat_schedule["erase_old_answers"]
    assert entry["task"] in app.tasks


@pytest.mark.parametrize("status", [401, 409, 429, 500, 503])
def test_some_answers_are_not_kept(api: ApiClient, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(api_keys.ApiKeys, "post", lambda self, request: Response({}, status=status))
        api.is_described = False
        assert api.post("/api_keys", BODY, idempotency_key="one").status_code == status
    assert api.post("/api_keys", BODY, idempotency_key="one").status_code == 201


def test_a_fault_of_ours_takes_its_mark_and_its_effect_away(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    real = api_keys.ApiKeys.post

    def fail_after(view: api_keys.ApiKeys, request: Any) -> Any:
        real(view, request)
        raise RuntimeError("a fault after the effect")

    with monkeypatch.context() as patch:
        patch.setattr(api_keys.ApiKeys, "post", fail_after)
        with pytest.raises(RuntimeError):
            api.post("/api_keys", BODY, idempotency_key="one")
    assert (labels(api.account), IdempotencyRecord.objects.count()) == ([""], 0)


def test_a_call_that_was_overtaken_loses_its_effect(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mark expired while it worked, and another request took the key over."""
    real = api_keys.ApiKeys.post

    def be_overtaken(view: api_keys.ApiKeys, request: Any) -> Any:
        IdempotencyRecord.objects.update(token="00000000-0000-0000-0000-000000000000")
        return real(view, request)

    monkeypatch.setattr(api_keys.ApiKeys, "post", be_overtaken)
    response = api.post("/api_keys", BODY, idempotency_key="one")
    assert (response.status_code, response.json()["code"]) == (409, "idempotency_in_flight")
    assert "robot" not in labels(api.account)


@override_settings(ALLOW_SIGNUP=True)
def test_sign_up_is_scoped_to_the_client_address(anonymous: ApiClient) -> None:
    body = {"email": "new@tenant.example", "name": "New"}
    first = anonymous.post("/signup", body, idempotency_key="one")
    assert anonymous.post("/signup", body, idempotency_key="one").content == first.content
    assert IdempotencyRecord.objects.get().scope == f"address:{anonymous.address}"
    assert Account.objects.filter(email="new@tenant.example").count() == 1


@pytest.mark.django_db(transaction=True)
def test_many_at_once_have_one_effect() -> None:
    account = factories.make_account()
    api = ApiClient(account, factories.make_key(account).plaintext)
    responses = _at_once(20, lambda: ApiClient(account, api.key).post("/api_keys", BODY, idempotency_key="one"))
    statuses = {response.status_code for response in responses}
    bodies = {response.content for response in responses if response.status_code == 201}
    assert 201 in statuses <= {201, 409}
    assert (len(bodies), labels(account).count("robot")) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_the_mark_is_visible_while_the_effect_is_not_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    account = factories.make_account()
    api = ApiClient(account, factories.make_key(account).plaintext)
    real, seen = api_keys.ApiKeys.post, []

    def look_from_outside(view: api_keys.ApiKeys, request: Any) -> Any:
        assert transaction.get_connection().in_atomic_block
        answer = real(view, request)
        seen.extend(_at_once(1, lambda: (IdempotencyRecord.objects.count(), labels(account).count("robot"))))
        return answer

    monkeypatch.setattr(api_keys.ApiKeys, "post", look_from_outside)
    assert api.post("/api_keys", BODY, idempotency_key="one").status_code == 201
    assert seen == [(1, 0)]


@pytest.mark.django_db(transaction=True)
def test_a_call_that_takes_long_is_not_overtaken_while_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    account = factories.make_account()
    api = ApiClient(account, factories.make_key(account).plaintext)
    real, seen = api_keys.ApiKeys.post, []

    def be_repeated_after_a_minute(view: api_keys.ApiKeys, request: Any) -> Any:
        with time_machine.travel(datetime.now(UTC) + timedelta(minutes=2), tick=False):  # noqa: TID251
            seen.extend(_at_once(1, lambda: api.post("/api_keys", BODY, idempotency_key="one").json()["code"]))
        return real(view, request)

    monkeypatch.setattr(api_keys.ApiKeys, "post", be_repeated_after_a_minute)
    assert api.post("/api_keys", BODY, idempotency_key="one").status_code == 201
    assert (seen, labels(account).count("robot")) == (["idempotency_in_flight"], 1)


def _at_once(count: int, call: Callable[[], Any]) -> list[Any]:
    """Call from so many threads, each with a database connection of its own; their results."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(call())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
