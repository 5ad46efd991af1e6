"""The ledger over the API: messages, their attempts, and the choice about those nobody knows the fate of."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ampout.accounts.models import Account
from ampout.lib import clock
from dispatch.models import Attempt, Feedback, Message, Notice
from tests import factories
from tests.api.answers import assert_code
from tests.api.hostile import assert_refused
from tests.api.unchanged import nothing_changes
from tests.conftest import ApiClient


def make_message(account: Account, **fields: Any) -> Message:
    """A message of a fresh campaign, sent through its credential."""
    campaign = factories.make_campaign(account, steps=2)
    return factories.make_message(factories.enroll(campaign), credential=campaign.credentials.get(), **fields)


def make_unknown(account: Account) -> Message:
    """A message whose server fell silent after the final dot; its enrollment stands behind it."""
    message = make_message(account, state="unknown", wire_at=clock.utc_now(), settled_at=clock.utc_now())
    enrollment = message.enrollment
    assert enrollment is not None
    enrollment.next_position, enrollment.status = 2, "sent"
    enrollment.save()
    return message


def make_attempt(message: Message, **fields: Any) -> Attempt:
    """One SMTP transaction."""
    made: Attempt = Attempt.everywhere.create(
        account=message.account, message=message, fence=1, ended_at=clock.utc_now(), **fields
    )
    return made


def test_a_message_shows_where_it_stands(api: ApiClient, account: Account) -> None:
    now = clock.utc_now()
    message = make_message(
        account, state="refused", reason="address_refused", settled_at=now, reply_code=550, reply_text="5.1.1 no"
    )
    shown = api.get(f"/messages/{message.pk}").json()
    expected = {
        "id": str(message.pk),
        "campaign_id": str(message.campaign_id),
        "enrollment_id": str(message.enrollment_id),
        "step_position": 1,
        "state": "refused",
        "reason": "address_refused",
        "message_id": message.message_id,
        "delivered_message_id": None,
        "recipient": message.recipient,
        "due_at": None,
        "wire_at": None,
        "settled_at": now.isoformat().replace("+00:00", "Z"),
        "attempts": [],
        "reply": {"code": 550, "text": "5.1.1 no"},
    }
    assert {name: shown[name] for name in expected} == expected


def test_its_attempts_are_shown_oldest_first(api: ApiClient, account: Account) -> None:
    message = make_message(account)
    make_attempt(message, state="deferred", stage="rcpt", reason="greylisted", reply_code=451, reply_text="later")
    make_attempt(message, state="accepted", stage="dot", reply_code=250, reply_text="taken")
    shown = api.get(f"/messages/{message.pk}").json()["attempts"]
    assert [(attempt["state"], attempt["reply"]["code"]) for attempt in shown] == [("deferred", 451), ("accepted", 250)]


def test_messages_are_found_by_state_and_campaign(api: ApiClient, account: Account) -> None:
    unknown, other = make_unknown(account), make_unknown(account)
    accepted = factories.make_message(factories.enroll(unknown.campaign), state="accepted")  # type: ignore[arg-type]
    everything = [shown["id"] for shown in api.get("/messages").json()]
    assert everything == [str(accepted.pk), str(other.pk), str(unknown.pk)]
    found = api.get("/messages", state="unknown", campaign_id=str(unknown.campaign_id)).json()
    assert [shown["id"] for shown in found] == [str(unknown.pk)]


@pytest.mark.parametrize("state", ["", "lost", "UNKNOWN", "unknown\x00"])
def test_a_state_that_is_none_is_refused(api: ApiClient, state: str) -> None:
    assert_refused(api.get("/messages", state=state), "state")


def test_the_list_takes_as_many_queries_for_many_as_for_one(api: ApiClient, account: Account) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            api.get("/messages")
        return len(captured)

    make_attempt(make_message(account), state="accepted")
    count()
    few = count()
    for _ in range(4):
        make_attempt(make_message(account), state="accepted")
    assert count() == few


def test_an_unknown_message_may_be_counted_as_sent(api: ApiClient, account: Account) -> None:
    message = make_unknown(account)
    shown = api.post(f"/messages/{message.pk}/resolve", {"as": "sent"})
    assert (shown.status_code, shown.json()["state"]) == (200, "accepted")


def test_an_unknown_message_may_be_sent_again(api: ApiClient, account: Account) -> None:
    message = make_unknown(account)
    assert api.post(f"/messages/{message.pk}/resolve", {"as": "resend"}).json()["state"] == "planned"


def test_who_chose_is_recorded_by_the_prefix_of_the_key(api: ApiClient, account: Account) -> None:
    message = make_unknown(account)
    shown = api.post(f"/messages/{message.pk}/resolve", {"as": "sent"}).json()
    assert api.key is not None
    assert api.key[:12] in shown["attempts"][-1]["reply"]["text"]
    assert api.key not in str(shown)


@pytest.mark.parametrize("value", ["", "bounced", 7, None, True, [], {}, "sent\r\n"])
def test_a_choice_that_is_none_is_refused(api: ApiClient, account: Account, value: Any) -> None:
    message = make_unknown(account)
    with nothing_changes():
        assert_refused(api.post(f"/messages/{message.pk}/resolve", {"as": value}), "as")
        assert_refused(api.post(f"/messages/{message.pk}/resolve", {}), "as")


@pytest.mark.parametrize("state", ["planned", "claimed", "wire", "accepted", "refused", "deferred", "cancelled"])
def test_only_an_unknown_message_can_be_resolved(api: ApiClient, account: Account, state: str) -> None:
    message = make_message(account, state=state)
    with nothing_changes():
        assert_code(api.post(f"/messages/{message.pk}/resolve", {"as": "sent"}), 422, "unprocessable")


# -- What came back


def make_feedback(message: Message, **fields: Any) -> Feedback:
    """A reply to a message, in the mailbox that it left through."""
    facts = {"account": message.account, "credential": message.credential}
    notice = Notice.everywhere.create(source="imap", dedupe=uuid.uuid4().bytes, **facts)
    reply = {"kind": "reply", "matched_by": "sender", "sender": message.recipient, "text": "Yes"}
    made: Feedback = Feedback.everywhere.create(
        notice=notice, message=message, enrollment=message.enrollment, **(facts | reply | fields)
    )
    return made


def test_a_message_shows_what_came_back_oldest_first(api: ApiClient, account: Account) -> None:
    now = clock.utc_now()
    message = make_message(account, state="accepted", bounced_at=now, bounce_kind="hard")
    make_feedback(message, occurred_at=now)
    facts = {"status": "5.1.1", "hard": True, "text": "550 no", "sender": "", "matched_by": "token"}
    make_feedback(message, occurred_at=now - timedelta(hours=1), kind="bounce", **facts)
    shown = api.get(f"/messages/{message.pk}").json()
    assert (shown["bounce_kind"], shown["complained_at"]) == ("hard", None)
    assert [one["kind"] for one in shown["feedback"]] == ["bounce", "reply"]
    told = shown["feedback"][0]
    assert (told["status"], told["hard"], told["text"], told["sender"]) == ("5.1.1", True, "550 no", None)
    assert shown["feedback"][1] == {
        "kind": "reply",
        "occurred_at": now.isoformat().replace("+00:00", "Z"),
        "matched_by": "sender",
        "status": None,
        "hard": None,
        "sender": message.recipient,
        "subject": None,
        "text": "Yes",
        "language": None,
        "return_date": None,
    }


def test_a_list_leaves_out_what_people_wrote(api: ApiClient, account: Account) -> None:
    make_feedback(make_message(account))
    [shown] = api.get("/messages").json()
    assert "feedback" not in shown
    assert shown["bounce_kind"] is None


def test_one_message_costs_the_same_however_much_came_back(api: ApiClient, account: Account) -> None:
    message = make_message(account)
    counts = []
    for more in (0, 1, 10):
        for _ in range(more):
            make_feedback(message)
        with CaptureQueriesContext(connection) as queries:
            api.get(f"/messages/{message.pk}")
        counts.append(len(queries))
    assert counts[1] == counts[2]  # the first call of a key also notes its time
