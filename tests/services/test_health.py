"""The health of senders: judged after every return, and before the next `wire` (promise B6)."""

import uuid
from decimal import Decimal
from typing import Any

import pytest

from ampout.events.models import Event
from campaigns.models import Campaign
from campaigns.rules.campaign_state import PauseReason
from credentials.models import SmtpCredential
from dispatch.figures import credential_figures, sends_since_enabled
from dispatch.models import HealthDue, Message
from dispatch.rules.smtp_reply import Blame
from dispatch.services import hand_back, health, lifecycle, reconcile, senders
from tests.services.desk import Desk, S, message_of
from tests.services.rival import Rival


def only_sender(campaign: Campaign) -> SmtpCredential:
    found: SmtpCredential = SmtpCredential.everywhere.get(pk=campaign.attachments.get().credential_id)
    return found


def run(desk: Desk, outcomes: str) -> None:
    """Send what is due; each letter says how one message ends.

    a(ccepted), b(ounced), c(ontent refused), l(ogin refused), u(nknown). What is over goes back to the plan.
    """
    desk.tick()
    claims = desk.claim()
    rest = [claimed.message_id for claimed in claims[len(outcomes) :]]
    hand_back.release(desk.worker_id, rest, reason="")
    for letter, claimed in zip(outcomes, claims, strict=False):
        if not desk.start(claimed) or (letter not in "bl" and not desk.wire(claimed)):
            return
        if letter == "b":
            desk.bounce(claimed)
        elif letter == "l":
            desk.settle(claimed, S.DEFERRED, reason="login_refused", stage="auth", blame=Blame.CREDENTIAL)
        elif letter == "c":
            desk.settle(claimed, S.REFUSED, reason="content_refused", blame=Blame.CONTENT)
        else:
            desk.settle(claimed, S.UNKNOWN if letter == "u" else S.ACCEPTED)
        health.judge_due(now=desk.now)


def returned(message: Message, desk: Desk, kind: str = "hard") -> None:
    """The message was accepted and came back later."""
    Message.everywhere.filter(pk=message.pk).update(bounced_at=desk.now, bounce_kind=kind)
    assert message.credential_id is not None
    health.note_due([message.credential_id], now=desk.now)


def state(campaign: Campaign) -> tuple[str, str]:
    campaign.refresh_from_db()
    return campaign.status, campaign.pause_reason


def disabled_for(campaign: Campaign) -> str | None:
    sender = only_sender(campaign)
    return sender.disabled_reason if sender.disabled_at else None


def told(kind: str) -> list[dict[str, Any]]:
    return [event.data for event in Event.everywhere.filter(type=kind).order_by("sequence")]


# -- The fixed rule


@pytest.mark.parametrize(
    ("outcomes", "reason"),
    [
        ("bb" + "a" * 17, None),
        ("bb" + "a" * 18, "bounce_rate"),
        ("a" * 18 + "bb", "bounce_rate"),
        ("a" * 19 + "b", None),
        ("a" * 23 + "bb", None),
        ("c" * 25, None),
        ("u" * 18 + "bb", "bounce_rate"),
        ("c" * 18 + "bb", "bounce_rate"),
    ],
)
def test_a_share_of_bounces_above_the_threshold_disables(desk: Desk, outcomes: str, reason: str | None) -> None:
    """Of accepted, unknown and refused messages; content refusals are sends and no bounces."""
    campaign = desk.released(30)
    run(desk, outcomes)
    assert disabled_for(campaign) == reason
    assert HealthDue.objects.count() == 0
    assert desk.violations() == []


def test_the_disabling_is_told_once_with_its_figures_and_the_campaign_pauses_once(desk: Desk) -> None:
    campaign = desk.released(30, bounce_rate_threshold=Decimal("5.5"))
    run(desk, "a" * 18 + "bb")
    sender = only_sender(campaign)
    assert told("credential.disabled") == [
        {
            "credential_id": str(sender.pk),
            "from_email": sender.from_email,
            "campaign_ids": [str(campaign.pk)],
            "bounce_rate": 10.0,
            "threshold": 5.5,
            "reason": "bounce_rate",
        }
    ]
    assert state(campaign) == ("paused", "all_credentials_disabled")
    assert [event["credential_ids"] for event in told("campaign.paused")] == [[str(sender.pk)]]


def test_bounces_that_come_back_later_count_alike(desk: Desk) -> None:
    campaign = desk.released(25)
    claims = desk.send_due()
    for claimed in claims[:2]:
        returned(message_of(claimed), desk)
    health.judge_due(now=desk.now)
    assert disabled_for(campaign) is None
    returned(message_of(claims[2]), desk)
    health.judge_due(now=desk.now)
    assert disabled_for(campaign) == "bounce_rate"


def test_soft_returns_count_as_sends_alone(desk: Desk) -> None:
    campaign = desk.released(25)
    for claimed in desk.send_due()[:10]:
        returned(message_of(claimed), desk, kind="soft")
    health.judge_due(now=desk.now)
    assert disabled_for(campaign) is None


def test_the_strictest_threshold_of_its_active_campaigns_judges(desk: Desk) -> None:
    sender = desk.credential()
    lenient = desk.released(20, credentials=[sender], bounce_rate_threshold=Decimal(25))
    strict = desk.campaign(credentials=[sender], bounce_rate_threshold=Decimal("0.5"))
    run(desk, "a" * 18 + "bb")
    assert disabled_for(lenient) is None
    desk.enroll(strict, 1)
    desk.release(strict)
    run(desk, "b")
    assert disabled_for(lenient) == "bounce_rate"
    assert told("credential.disabled")[0]["threshold"] == 0.5


def test_a_return_after_the_end_is_judged_by_the_campaigns_that_ran(desk: Desk) -> None:
    campaign = desk.released(25)
    claims = desk.send_due()
    desk.tick()
    assert state(campaign) == ("completed", "")
    for claimed in claims[:3]:
        returned(message_of(claimed), desk)
    health.judge_due(now=desk.now)
    assert disabled_for(campaign) == "bounce_rate"
    assert state(campaign) == ("completed", "")


def test_reenabling_begins_anew_and_old_sends_count_for_the_old_period(desk: Desk) -> None:
    campaign = desk.released(60)
    run(desk, "a" * 18 + "bb")
    old = message_of(Message.everywhere.filter(state="accepted")[0].enrollment)
    desk.wait(minutes=1)
    senders.reenable_credential(desk.account, only_sender(campaign).pk, now=desk.now)
    assert state(campaign) == ("active", "")
    run(desk, "a" * 19 + "b")
    returned(old, desk)
    health.judge_due(now=desk.now)
    assert disabled_for(campaign) is None
    sender = only_sender(campaign)
    shown = credential_figures([sender], today=desk.now.date())[sender.pk]
    assert (shown.lifetime.bounced, shown.since_enabled.bounced) == (4, 1)
    run(desk, "b")
    assert disabled_for(campaign) == "bounce_rate"


# -- Before the next wire


def test_no_wire_passes_between_the_return_and_its_judgement(desk: Desk) -> None:
    campaign = desk.released(30)
    run(desk, "a" * 20)
    waiting = desk.claim()[:1]
    for message in Message.everywhere.filter(state="accepted")[:3]:
        returned(message, desk)
    assert desk.wire(*waiting) == set()
    assert health.judge_due(now=desk.now) == 1
    assert desk.wire(*waiting) == set()
    assert disabled_for(campaign) == "bounce_rate"


def test_a_judgement_in_its_favour_opens_the_way_again(desk: Desk) -> None:
    desk.released(30)
    run(desk, "a" * 20)
    waiting = desk.claim()[:1]
    returned(Message.everywhere.filter(state="accepted")[0], desk)
    assert desk.wire(*waiting) == set()
    health.judge_due(now=desk.now)
    assert len(desk.wire(*waiting)) == 1


def test_a_judgement_that_a_crash_prevented_is_made_by_the_next_look(desk: Desk) -> None:
    campaign = desk.released(25)
    for claimed in desk.send_due()[:3]:
        returned(message_of(claimed), desk)
    reconcile.reconcile()
    assert disabled_for(campaign) == "bounce_rate"


@pytest.mark.django_db(transaction=True)
def test_a_return_that_commits_during_a_judgement_is_judged_after_it(desk: Desk) -> None:
    campaign = desk.released(25)
    claims = desk.send_due()
    returned(message_of(claims[0]), desk)
    with Rival() as rival:
        rival.run(
            "UPDATE dispatch_message SET bounced_at = now(), bounce_kind = 'hard' WHERE id = ANY(%s)",
            [claim.message_id for claim in claims[1:3]],
        )
        rival.run("INSERT INTO dispatch_healthdue (credential_id, since) VALUES (%s, now())", claims[0].credential_id)
        health.judge_due(now=desk.now)
        assert disabled_for(campaign) is None
        rival.commit()
    assert HealthDue.objects.count() == 1
    health.judge_due(now=desk.now)
    assert disabled_for(campaign) == "bounce_rate"


def test_what_is_judged_is_what_is_shown(desk: Desk) -> None:
    campaign = desk.released(60, bounce_rate_min_sends=1_000)
    run(desk, "aubcaa")
    desk.wait(minutes=1)
    senders.disable_credential(only_sender(campaign).pk, "operator", now=desk.now)
    senders.reenable_credential(desk.account, only_sender(campaign).pk, now=desk.now)
    run(desk, "bacuab")
    returned(Message.everywhere.filter(state="accepted").earliest("wire_at"), desk)
    returned(Message.everywhere.filter(state="accepted").latest("wire_at"), desk)
    sender = only_sender(campaign)
    shown = credential_figures([sender], today=desk.now.date())[sender.pk].since_enabled
    assert sends_since_enabled(sender) == shown
    assert (shown.total, shown.bounced) == (6, 3)


# -- Complaints and logins


def test_complaints_about_test_sends_judge_nobody(desk: Desk) -> None:
    campaign = desk.released(3)
    ids = [claimed.message_id for claimed in desk.send_due()]
    Message.everywhere.filter(pk__in=ids).update(complained_at=desk.now, stream="test")
    health.note_due([only_sender(campaign).pk], now=desk.now)
    assert health.judge_due(now=desk.now) == 1
    assert (disabled_for(campaign), HealthDue.objects.count()) == (None, 0)


def test_two_complaints_disable_where_their_share_is_above_the_limit(desk: Desk) -> None:
    campaign = desk.released(25)
    claims = desk.send_due()
    for number, claimed in enumerate(claims[:2]):
        assert disabled_for(campaign) is None, number
        Message.everywhere.filter(pk=claimed.message_id).update(complained_at=desk.now)
        health.note_due([claimed.credential_id], now=desk.now)
        health.judge_due(now=desk.now)
    assert disabled_for(campaign) == "complaint_rate"
    assert (told("credential.disabled")[0]["bounce_rate"], told("credential.disabled")[0]["threshold"]) == (8.0, 0.3)


def test_a_login_that_is_refused_again_and_again_is_disabled(desk: Desk, settings: Any) -> None:
    settings.LOGIN_REFUSALS_LIMIT = 3
    campaign = desk.released(1)
    for number in range(3):
        assert disabled_for(campaign) is None, number
        run(desk, "l")
        desk.wait(hours=3)
    assert disabled_for(campaign) == "login_refused"
    assert state(campaign) == ("paused", "all_credentials_disabled")


def test_one_login_in_between_begins_the_count_anew(desk: Desk, settings: Any) -> None:
    settings.LOGIN_REFUSALS_LIMIT = 2
    campaign = desk.released(3)
    for letter in "lal":
        run(desk, letter)
        desk.wait(hours=3)
    assert disabled_for(campaign) is None


# -- The evidence rule


def test_the_evidence_rule_pauses_the_campaign_and_leaves_its_senders(desk: Desk) -> None:
    campaign = desk.released(30, health_rule="evidence")
    run(desk, "a" * 14 + "bbbbbb")
    assert state(campaign) == ("paused", "health")
    assert disabled_for(campaign) is None
    assert [(event["reason"], len(event["credential_ids"])) for event in told("campaign.paused")] == [("health", 1)]


def test_the_evidence_rule_bears_with_what_chance_explains(desk: Desk) -> None:
    campaign = desk.released(30, health_rule="evidence")
    run(desk, "a" * 17 + "bbb")
    assert state(campaign) == ("active", "")
    assert health.weigh_campaign(campaign).verdict == "healthy"


def test_a_campaign_that_is_resumed_is_judged_by_what_it_sends_from_then_on(desk: Desk) -> None:
    campaign = desk.released(40, health_rule="evidence")
    run(desk, "a" * 14 + "bbbbbb")
    desk.wait(minutes=1)
    lifecycle.resume_campaign(desk.account, campaign.pk, now=desk.now)
    run(desk, "ab")
    assert state(campaign) == ("active", "")
    weighed = health.weigh_campaign(campaign)
    assert (weighed.sends, weighed.bounces) == (2, 1)


def test_another_pause_keeps_the_period(desk: Desk) -> None:
    campaign = desk.released(10, health_rule="evidence")
    lifecycle.pause_campaign(desk.account, campaign.pk, reason=PauseReason.MANUAL, now=desk.now)
    lifecycle.resume_campaign(desk.account, campaign.pk, now=desk.now)
    campaign.refresh_from_db()
    assert campaign.health_since is None


def test_who_is_gone_is_judged_no_more(desk: Desk) -> None:
    campaign = desk.released(25)
    claims = desk.send_due()
    sender = only_sender(campaign)
    SmtpCredential.everywhere.filter(pk=sender.pk).update(retired_at=desk.now)
    for claimed in claims[:5]:
        returned(message_of(claimed), desk)
    assert health.judge_due([uuid.uuid4()], now=desk.now) == 0
    assert health.judge_due([sender.pk], now=desk.now) == 1
    assert (disabled_for(campaign), HealthDue.objects.count()) == (None, 0)


def test_one_that_cannot_be_judged_stays_due_and_holds_up_no_other(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, sound = sorted(only_sender(desk.released(1)).pk for _ in range(2))
    count = sends_since_enabled

    def fail_for_one(credential: SmtpCredential) -> Any:
        if credential.pk == broken:
            raise ValueError("figures that cannot be read")
        return count(credential)

    monkeypatch.setattr("dispatch.figures.sends_since_enabled", fail_for_one)
    health.note_due([broken, sound], now=desk.now)
    assert health.judge_due(now=desk.now) == 1
    assert [due.credential_id for due in HealthDue.objects.all()] == [broken]
