"""Meanings of words that users test, end to end: MX, test sends, midnight, links to unsubscribe."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from ampout.lib import clock
from campaigns.models import Enrollment
from dispatch.models import DailyUsage, Message
from dispatch.services import mx, test_send
from tests import factories
from tests.dispatch.conftest import Engine, message_of
from tests.peers.dns_server import Behaviour, DnsServer

# -- MX (promise A17)


def test_absent_domains_bounce_without_a_connection_and_silent_ones_wait(engine: Engine, dns_server: DnsServer) -> None:
    dns_server.mx("good.example", "10 mail.good.example.")
    dns_server.null_mx("null.example")
    dns_server.addresses("address-only.example", "192.0.2.1")
    dns_server.behave("silent.example", Behaviour.SERVFAIL)
    domains = ["good", "null", "address-only", "missing", "silent"]
    campaign = engine.campaign(verify_email_mx=True, credentials=1)
    enrolled = {
        domain: [
            factories.enroll(campaign, factories.make_contact(engine.account, f"ok{number}@{domain}.example"))
            for number in range(3)
        ]
        for domain in domains
    }
    engine.release(campaign)
    with engine.running():
        engine.wait_until(lambda: mx.look_up_wanted() == 0 and len(engine.smtp.log) == 3)
    absent = [one for domain in domains[1:4] for one in enrolled[domain]]
    assert {(one.status, one.bounce_reason) for one in _fresh(absent)} == {("bounced", "MX check failed at dispatch")}
    assert {(one.status, one.wait_reason) for one in _fresh(enrolled["silent"])} == {("pending", "mx_silent")}
    assert {entry["recipient"].rpartition("@")[2] for entry in engine.smtp.log} == {"good.example"}
    assert [dns_server.asked(f"{domain}.example") for domain in domains[:4]] == [1, 1, 1, 1]
    assert Message.everywhere.count() == 3
    engine.assert_lawful()


def _fresh(enrolled: list[Enrollment]) -> list[Enrollment]:
    return list(Enrollment.everywhere.filter(pk__in=[one.pk for one in enrolled]))


# -- Test sends


def test_a_test_send_goes_first_and_at_once(engine: Engine) -> None:
    campaign, _ = engine.released("ok1", "ok2", "ok3", credentials=1, min_wait_seconds=20, max_wait_seconds=20)
    with engine.running():
        engine.wait_until(lambda: len(engine.smtp.log) == 1)
        test_send.send_test(engine.account, campaign.pk, ["tester@own.example"])
        engine.wait_until(lambda: len(engine.smtp.log) == 2, seconds=10)
    assert engine.smtp.log[1]["recipient"] == "tester@own.example"
    engine.assert_lawful()


def test_a_test_of_all_steps_shows_the_thread_and_has_a_working_link(engine: Engine) -> None:
    campaign = engine.campaign(credentials=1, steps=2)
    contact = factories.make_contact(engine.account, first_name="Zoë")
    test_send.send_test(engine.account, campaign.pk, ["tester@own.example"], contact.pk)
    engine.run_until(lambda: len(engine.smtp.log) == 2)
    assert set(Message.everywhere.values_list("subject", flat=True)) == {"Hello Zoë", "Re: Hello Zoë"}
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in engine.smtp.log[0]["body"]
    engine.assert_lawful()


# -- Midnight


def test_what_waits_past_midnight_counts_for_the_new_day(engine: Engine) -> None:
    """Planned for 23:59, behind a slow transaction, and sent after midnight."""
    now = clock.utc_now()
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    _, [slow, late] = engine.enrolled("late-2", "ok", credentials=1)
    engine.ahead = midnight - timedelta(seconds=1) - now
    engine.release(slow.campaign)
    engine.run_until_settled(2)
    days = (message_of(slow).usage_day, message_of(late).usage_day)
    assert days == (midnight.date() - timedelta(days=1), midnight.date())
    assert dict(DailyUsage.objects.values_list("day", "used")) == dict.fromkeys(days, 1)
    engine.assert_lawful()


# -- Unsubscribing


def test_one_click_in_a_mail_that_arrived_stops_the_next_step(engine: Engine, client: Client) -> None:
    _, [enrolled, other] = engine.released("ok1", "ok2", credentials=1, steps=2)
    Enrollment.everywhere.get(pk=enrolled.pk).campaign.steps.filter(position=2).update(delay_minutes=60)
    engine.run_until(lambda: len(engine.smtp.log) == 2)
    [mail] = engine.delivered_to("ok1")
    found = re.search(rb"^List-Unsubscribe: <http://[^/]+(/u/[^>]+)>", mail["body"], re.MULTILINE)
    assert found is not None
    path = found[1].decode()
    assert path.encode() in mail["body"].partition(b"\r\n\r\n")[2].replace(b"=\r\n", b"").replace(b"=3D", b"=")
    assert client.get(path).status_code == 200
    assert client.post(path, "List-Unsubscribe=One-Click", content_type="text/plain").status_code == 200
    engine.skip(minutes=61)
    engine.run_until(lambda: len(engine.smtp.log) == 3)
    engine.run_until_settled()
    assert [len(engine.delivered_to(local)) for local in ("ok1", "ok2")] == [1, 2]
    assert [one.status for one in _fresh([enrolled])] == ["unsubscribed"]
    assert [one.status for one in _fresh([other])] == ["sent"]
    engine.assert_lawful()


@pytest.mark.parametrize("field", ["List-Unsubscribe", "List-Unsubscribe-Post", "Message-ID", "Date", "From", "To"])
def test_every_campaign_message_carries_what_the_law_asks(engine: Engine, field: str) -> None:
    engine.released("ok", credentials=1)
    engine.run_until(lambda: len(engine.smtp.log) == 1)
    head, _, body = engine.smtp.log[0]["body"].partition(b"\r\n\r\n")
    assert len(re.findall(rb"^%s:" % field.encode(), head, re.MULTILINE | re.IGNORECASE)) == 1
    assert engine.account.postal_address.encode() in body
    assert engine.smtp.log[0]["violations"] == []
