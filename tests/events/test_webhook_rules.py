"""The pure decisions about webhooks: schedule, Retry-After, health, signatures, bodies, filters."""

import base64
import json
import uuid
from datetime import UTC, datetime, timedelta, timezone
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from ampout.events.rules.delivery_state import DisabledReason
from ampout.events.rules.envelope import EventFacts, body_of
from ampout.events.rules.filters import filter_words
from ampout.events.rules.retry import (
    DISABLED_AFTER,
    FAILURES_TO_OPEN,
    JITTER,
    LONGEST_HOLD,
    LONGEST_RETRY_AFTER,
    PROBE_PAUSE,
    SCHEDULE,
    STREAK_LAPSES_AFTER,
    Answer,
    Decision,
    EndpointHealth,
    Verdict,
    calls_side_by_side,
    decide_delivery,
    judge_endpoint,
    read_retry_after,
)
from ampout.events.rules.signature import format_secret, headers_for, sign
from ampout.lib import clock

NOW = datetime(2026, 11, 22, 6, 30, 15, tzinfo=UTC)
RNG = Random(1)
ZERO = timedelta(0)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FAILED = Decision(Verdict.RETRY, NOW, ZERO)
DELIVERED = Decision(Verdict.DELIVERED, None, ZERO)

answers = st.builds(Answer, st.one_of(st.none(), st.integers(100, 999)), st.text(max_size=40))
instants = st.datetimes(timezones=st.just(UTC))


# -- Deliveries


def test_the_schedule_takes_75_6_hours() -> None:
    assert sum(SCHEDULE, ZERO) == timedelta(hours=75, minutes=35, seconds=5)
    assert len(SCHEDULE) == 10


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert decide_delivery(Answer(status, "60"), 1, NOW, RNG) == DELIVERED


@pytest.mark.parametrize("status", [None, 100, 199, 300, 301, 302, 307, 400, 401, 404, 429, 500, 503, 599, 999])
def test_everything_else_is_tried_again(status: int | None) -> None:
    assert decide_delivery(Answer(status), 1, NOW, RNG).verdict is Verdict.RETRY


def test_410_is_the_end() -> None:
    assert decide_delivery(Answer(410), 1, NOW, RNG) == Decision(Verdict.GONE, None, ZERO)


def test_the_tenth_failure_is_the_last() -> None:
    assert decide_delivery(Answer(500), 9, NOW, RNG).verdict is Verdict.RETRY
    assert decide_delivery(Answer(500), 10, NOW, RNG) == Decision(Verdict.EXHAUSTED, None, ZERO)


@given(answers, st.integers(1, 9), st.integers())
def test_a_wait_is_never_shorter_than_the_schedule(answer: Answer, tries: int, seed: int) -> None:
    decision = decide_delivery(answer, tries, NOW, Random(seed))
    if decision.due_at is not None:
        assert decision.due_at - NOW >= SCHEDULE[tries]


@given(st.integers(1, 9), st.integers())
def test_jitter_adds_a_tenth_at_most(tries: int, seed: int) -> None:
    due_at = decide_delivery(Answer(500), tries, NOW, Random(seed)).due_at
    assert due_at is not None
    assert due_at - NOW <= SCHEDULE[tries] * (1 + JITTER)


def test_jitter_spreads() -> None:
    assert len({decide_delivery(Answer(500), 2, NOW, Random(seed)).due_at for seed in range(50)}) == 50


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(status: int) -> None:
    decision = decide_delivery(Answer(status, "120"), 1, NOW, RNG)
    assert (decision.due_at, decision.hold) == (NOW + timedelta(seconds=120), timedelta(seconds=120))


def test_retry_after_never_shortens_the_wait() -> None:
    due_at = decide_delivery(Answer(503, "1"), 9, NOW, RNG).due_at
    assert due_at is not None
    assert due_at >= NOW + timedelta(hours=24)


@pytest.mark.parametrize("status", [None, 200, 301, 400, 500, 502])
def test_retry_after_of_other_answers_means_nothing(status: int | None) -> None:
    decision = decide_delivery(Answer(status, "86400"), 1, NOW, RNG)
    assert decision.hold == ZERO
    assert decision.due_at is None or decision.due_at < NOW + timedelta(seconds=6)


def test_one_delivery_waits_longer_than_it_holds_back_the_others() -> None:
    decision = decide_delivery(Answer(429, "999999999"), 1, NOW, RNG)
    assert (decision.due_at, decision.hold) == (NOW + LONGEST_RETRY_AFTER, LONGEST_HOLD)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        (" 7 ", 7),
        ("86400", 86_400),
        ("86401", 86_400),
        ("9" * 400, 86_400),
        ("Sun, 22 Nov 2026 06:31:15 GMT", 60),
        ("Sunday, 22-Nov-26 06:31:15 GMT", 60),
        ("Sun, 22 Nov 2026 06:29:15 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        *[(text, 0) for text in ("", "-5", "1.5", "soon", "٣", "Sun, 99 Nov 2026 06:31:15 GMT", "\x00", "1e9")],
    ],
)
def test_a_retry_after_header_is_read(text: str, seconds: int) -> None:
    assert read_retry_after(text, NOW) == timedelta(seconds=seconds)


@given(st.text(max_size=80), instants)
def test_any_retry_after_is_between_nothing_and_a_day(text: str, now: datetime) -> None:
    assert ZERO <= read_retry_after(text, now) <= LONGEST_RETRY_AFTER


# -- Endpoints


def test_the_first_failure_begins_a_streak() -> None:
    assert judge_endpoint(EndpointHealth(), FAILED, NOW).health == EndpointHealth(1, NOW, NOW, None)


def test_a_success_ends_it() -> None:
    before = EndpointHealth(7, NOW, NOW, NOW)
    assert judge_endpoint(before, DELIVERED, NOW).health == EndpointHealth()


def test_a_failing_endpoint_is_paused_between_probes() -> None:
    nearly = EndpointHealth(FAILURES_TO_OPEN - 2, NOW, NOW)
    before = judge_endpoint(nearly, FAILED, NOW).health
    assert before.hold_until is None
    assert judge_endpoint(before, FAILED, NOW).health.hold_until == NOW + PROBE_PAUSE


def test_what_it_asked_for_pauses_it_too() -> None:
    asked = Decision(Verdict.RETRY, NOW, timedelta(minutes=7))
    assert judge_endpoint(EndpointHealth(), asked, NOW).health.hold_until == NOW + timedelta(minutes=7)


def test_410_disables() -> None:
    judged = judge_endpoint(EndpointHealth(), Decision(Verdict.GONE, None, ZERO), NOW)
    assert judged.disable is DisabledReason.GONE


@pytest.mark.parametrize(("streak", "disable"), [(ZERO, DisabledReason.FAILING), (timedelta(seconds=1), None)])
def test_five_days_of_failure_disable(streak: timedelta, disable: DisabledReason | None) -> None:
    before = EndpointHealth(20, NOW - DISABLED_AFTER + streak, NOW - timedelta(hours=1))
    assert judge_endpoint(before, FAILED, NOW).disable is disable


def test_failures_far_apart_are_no_streak() -> None:
    """Nothing was tried in between, so nobody knows whether it failed."""
    before = EndpointHealth(3, NOW - timedelta(days=30), NOW - STREAK_LAPSES_AFTER - timedelta(seconds=1))
    judged = judge_endpoint(before, FAILED, NOW)
    assert (judged.disable, judged.health.failing_since, judged.health.failures) == (None, NOW, 4)


def test_no_gap_of_the_schedule_ends_a_streak() -> None:
    assert max(SCHEDULE) * (1 + JITTER) < STREAK_LAPSES_AFTER


@pytest.mark.parametrize(("failures", "width"), [(0, 4), (4, 4), (5, 1), (1_000, 1)])
def test_a_failing_endpoint_is_only_probed(failures: int, width: int) -> None:
    assert calls_side_by_side(failures) == width


# -- Signatures


def test_a_signature_equals_the_specification_s_example() -> None:
    """The example of the Standard Webhooks specification and its libraries."""
    signature = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}', SECRET)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(min_size=24, max_size=64), st.uuids(), st.dictionaries(st.text(), st.text()))
def test_the_reference_library_verifies_what_we_sign(random: bytes, event_id: uuid.UUID, data: dict[str, str]) -> None:
    secret, body = format_secret(random), json.dumps(data).encode()
    assert Webhook(secret).verify(body, headers_for(str(event_id), body, [secret], clock.utc_now())) == data


@given(st.binary(min_size=24, max_size=64), st.binary(min_size=24, max_size=64))
def test_either_of_two_secrets_verifies_during_a_rotation(new: bytes, old: bytes) -> None:
    headers = headers_for("id", b"{}", [format_secret(new), format_secret(old)], clock.utc_now())
    assert Webhook(format_secret(new)).verify(b"{}", headers) == {}
    assert Webhook(format_secret(old)).verify(b"{}", headers) == {}
    assert len(headers["webhook-signature"].split(" ")) == 2


def test_a_secret_says_what_it_is() -> None:
    secret = format_secret(b"\xff" * 32)
    assert secret.startswith("whsec_")
    assert base64.b64decode(secret.removeprefix("whsec_")) == b"\xff" * 32


# -- Bodies and filters


def facts(**changes: object) -> EventFacts:
    values = {
        "id": uuid.UUID(int=1),
        "type": "enrollment.sent",
        "created_at": NOW,
        "account_id": uuid.UUID(int=2),
        "data": {"b": 1, "a": "ü"},
        "sequence": 7,
    }
    return EventFacts(**(values | changes))  # type: ignore[arg-type]


def test_a_body_is_the_envelope_of_the_contract_with_a_sequence() -> None:
    assert (
        body_of(facts())
        == (
            '{"id":"00000000-0000-0000-0000-000000000001","type":"enrollment.sent",'
            '"created_at":"2026-11-22T06:30:15.000000Z","account_id":"00000000-0000-0000-0000-000000000002",'
            '"data":{"a":"ü","b":1},"sequence":7}'
        ).encode()
    )


def test_the_order_of_keys_and_the_zone_change_nothing() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    shuffled = {"a": {"y": 1, "x": 2}, "b": 1}
    expected = {"b": 1, "a": {"x": 2, "y": 1}}
    assert body_of(facts(data=shuffled, created_at=elsewhere)) == body_of(facts(data=expected))


def test_a_filter_is_all_a_group_or_a_kind() -> None:
    assert filter_words(["a.b", "a.c", "d.e"]) == ("*", "a.*", "d.*", "a.b", "a.c", "d.e")
