"""MX at dispatch: absence bounces, silence postpones, one look-up a domain (contract: rule 3; promise A17)."""

import uuid
from datetime import timedelta

import pytest

from ampout.events.models import Event
from ampout.lib import dns
from ampout.lib.mx import MxAnswer, MxReason, MxStatus
from campaigns.models import Enrollment
from dispatch.models import Message, MxVerdict
from dispatch.services import lifecycle, mx
from tests import factories
from tests.peers.dns_server import Behaviour, DnsServer, dns_server
from tests.services.desk import Desk, S, fresh, message_of

__all__ = ["dns_server"]

FAILED = "MX check failed at dispatch"


def checked(desk: Desk, *domains: str, **fields: int) -> list[Enrollment]:
    """A contact at each of these domains, in a dispatched campaign that asks."""
    campaign = desk.campaign(verify_email_mx=True, **fields)
    enrolled = [
        factories.enroll(campaign, factories.make_contact(desk.account, f"{uuid.uuid4().hex}@{domain}"))
        for domain in domains
    ]
    desk.release(campaign)
    return enrolled


def look_up(desk: Desk) -> int:
    return mx.look_up_wanted(now=desk.now)


def run(desk: Desk) -> None:
    """A tick that asks, the look-ups, a tick that knows."""
    desk.tick()
    look_up(desk)
    desk.tick()


# -- Present, absent, silent


def test_nothing_is_planned_before_the_domain_was_looked_up(desk: Desk, dns_server: DnsServer) -> None:
    dns_server.mx("good.example", "10 mail.good.example.")
    [enrolled] = checked(desk, "good.example")
    assert [desk.tick().planned for _ in range(2)] == [0, 0]
    assert dns_server.asked("good.example") == 0
    assert look_up(desk) == 1
    assert desk.tick().planned == 1
    assert message_of(enrolled).state == S.PLANNED


@pytest.mark.parametrize("kind", ["nxdomain", "null MX", "no MX but an address", "no record at all"])
def test_an_absent_domain_bounces_before_any_connection(desk: Desk, dns_server: DnsServer, kind: str) -> None:
    if kind == "null MX":
        dns_server.null_mx("bad.example")
    elif kind != "nxdomain":
        dns_server.addresses("bad.example", *(["192.0.2.1"] if "address" in kind else []))
    [enrolled] = checked(desk, "bad.example", steps=2)
    run(desk)
    after = fresh(enrolled)
    assert (after.status, after.stop_reason, after.bounce_reason) == ("bounced", "mx_absent", FAILED)
    assert (after.bounced_at, after.next_due_at) == (desk.now, None)
    assert not Message.everywhere.exists()
    assert desk.claim() == []
    [event] = Event.everywhere.filter(type="enrollment.bounced")
    assert event.data["bounce_reason"] == FAILED
    assert desk.violations() == []


@pytest.mark.parametrize("behaviour", [Behaviour.SERVFAIL, Behaviour.REFUSED, Behaviour.GARBAGE])
def test_silence_postpones_and_judges_nobody(desk: Desk, dns_server: DnsServer, behaviour: Behaviour) -> None:
    dns_server.mx("quiet.example", "10 mail.quiet.example.")
    dns_server.behave("quiet.example", behaviour)
    [enrolled] = checked(desk, "quiet.example")
    run(desk)
    after = fresh(enrolled)
    assert (after.status, after.stopped_at, after.wait_reason) == ("pending", None, "mx_silent")
    assert after.next_due_at == desk.now + timedelta(minutes=10)
    dns_server.behave("quiet.example", Behaviour.ANSWER)
    desk.wait(minutes=10)
    run(desk)
    assert message_of(enrolled).state == S.PLANNED
    assert desk.violations() == []


def test_silence_after_silence_waits_longer(desk: Desk, dns_server: DnsServer) -> None:
    dns_server.behave("quiet.example", Behaviour.SERVFAIL)
    [enrolled] = checked(desk, "quiet.example")
    waits = []
    for _ in range(7):
        run(desk)
        due_at = fresh(enrolled).next_due_at
        assert due_at is not None
        waits.append((due_at - desk.now) // timedelta(minutes=1))
        desk.now = due_at
    assert waits == [10, 20, 40, 80, 160, 240, 240]


def test_a_lame_timeout_is_silence_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    timeout = MxAnswer(MxStatus.SILENT, MxReason.TIMEOUT)
    monkeypatch.setattr(dns, "look_up_many", lambda domains: dict.fromkeys(domains, timeout))
    [enrolled] = checked(desk, "quiet.example")
    run(desk)
    assert (fresh(enrolled).status, fresh(enrolled).wait_reason) == ("pending", "mx_silent")


# -- One look-up a domain


def test_a_domain_is_looked_up_once_however_many_are_at_it(desk: Desk, dns_server: DnsServer) -> None:
    dns_server.mx("good.example", "10 mail.good.example.")
    checked(desk, *["good.example"] * 20)
    for _ in range(3):
        run(desk)
    checked(desk, *["good.example"] * 5)
    run(desk)
    assert dns_server.asked("good.example") == 1
    assert Message.everywhere.count() == 25


def test_an_answer_grows_old(desk: Desk, dns_server: DnsServer) -> None:
    dns_server.mx("good.example", "10 mail.good.example.")
    checked(desk, "good.example")
    run(desk)
    desk.wait(hours=24)
    dns_server.null_mx("good.example")
    [late] = checked(desk, "good.example")
    run(desk)
    assert (dns_server.asked("good.example"), fresh(late).status) == (2, "bounced")


def test_a_campaign_that_does_not_ask_sends_anywhere(desk: Desk, dns_server: DnsServer) -> None:
    campaign = desk.campaign()
    factories.enroll(campaign, factories.make_contact(desk.account, "person@bad.example"))
    desk.release(campaign)
    assert desk.tick().planned == 1
    assert dns_server.asked("bad.example") == 0
    assert not MxVerdict.objects.exists()


def test_one_bad_domain_holds_up_no_other(desk: Desk, dns_server: DnsServer) -> None:
    dns_server.mx("good.example", "10 mail.good.example.")
    dns_server.behave("quiet.example", Behaviour.SERVFAIL)
    quiet, bad, good = checked(desk, "quiet.example", "bad.example", "good.example", limit=1)
    for _ in range(3):
        run(desk)
    assert [fresh(one).status for one in (quiet, bad)] == ["pending", "bounced"]
    assert message_of(good).state == S.PLANNED


# -- Between the steps, and after a slot was lost


def test_a_domain_that_vanished_between_the_steps_stops_the_second(desk: Desk, dns_server: DnsServer) -> None:
    dns_server.mx("gone.example", "10 mail.gone.example.")
    [enrolled] = checked(desk, "gone.example", steps=2)
    run(desk)
    desk.send(*desk.claim())
    dns_server.null_mx("gone.example")
    desk.wait(days=2)
    run(desk)
    assert (fresh(enrolled).status, fresh(enrolled).stop_reason) == ("bounced", "mx_absent")
    assert Message.everywhere.count() == 1
    assert desk.violations() == []


def test_a_message_that_lost_its_slot_is_checked_again(desk: Desk, dns_server: DnsServer) -> None:
    dns_server.mx("gone.example", "10 mail.gone.example.")
    [enrolled] = checked(desk, "gone.example")
    run(desk)
    lifecycle.pause_campaign(desk.account, enrolled.campaign_id, now=desk.now)
    dns_server.null_mx("gone.example")
    desk.wait(days=2)
    lifecycle.resume_campaign(desk.account, enrolled.campaign_id, now=desk.now)
    run(desk)
    assert (message_of(enrolled).state, message_of(enrolled).reason) == (S.CANCELLED, "mx_absent")
    assert desk.violations() == []


def test_the_wait_for_a_look_up_is_no_failure_of_the_ledger(desk: Desk) -> None:
    checked(desk, "good.example", "bad.example")
    desk.tick()
    assert desk.violations() == []
