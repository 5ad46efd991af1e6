"""Opens and clicks: what a request for a pixel or a link means for the message and its enrollment."""

import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ampout.events.models import Event
from campaigns.models import Enrollment
from dispatch.models import Hit, Message
from dispatch.rules.hits import HitKind, HitLabel
from dispatch.services import outbox, stops, tracking
from dispatch.services.tokens import read_token
from dispatch.services.tracking import MOST_HITS, Visitor, record_hit
from tests import factories
from tests.services.desk import Desk, S, fresh, message_of

FIREFOX = Visitor("GET", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "203.0.113.0/24")
GMAIL = Visitor("GET", "Mozilla/5.0 (via ggpht.com GoogleImageProxy)")
SCANNER = Visitor("HEAD", "curl/8")
OPEN, CLICK = HitKind.OPEN, HitKind.CLICK


def sent(desk: Desk, state: Any = S.ACCEPTED, **fields: Any) -> Message:
    """A message that went a minute ago."""
    desk.released(**fields)
    [claimed] = desk.send_due(state)
    desk.wait(minutes=1)
    return message_of(claimed)


def enrollment_of(message: Message) -> Enrollment:
    return fresh(message.place[0])


def opened_events() -> list[Event]:
    return list(Event.everywhere.filter(type="enrollment.opened"))


def test_a_persons_open_moves_the_enrollment_once(desk: Desk) -> None:
    message = sent(desk, steps=2)
    assert record_hit(OPEN, message.pk, FIREFOX, now=desk.now) is HitLabel.HUMAN
    first = desk.now
    desk.wait(hours=1)
    assert record_hit(OPEN, message.pk, FIREFOX, now=desk.now) is HitLabel.HUMAN
    enrollment = enrollment_of(message)
    assert (enrollment.status, enrollment.opened_at, enrollment.stopped_at) == ("opened", first, None)
    [event] = opened_events()
    assert (event.data["enrollment_id"], event.data["status"]) == (str(enrollment.pk), "opened")
    assert Hit.everywhere.count() == 2
    assert desk.violations() == []


@pytest.mark.parametrize(("visitor", "label"), [(GMAIL, HitLabel.PROXY), (SCANNER, HitLabel.SCANNER)])
@pytest.mark.parametrize("kind", [OPEN, CLICK])
def test_nobody_elses_does(desk: Desk, visitor: Visitor, label: HitLabel, kind: HitKind) -> None:
    message = sent(desk)
    assert record_hit(kind, message.pk, visitor, target="https://x.example/", now=desk.now) is label
    assert (enrollment_of(message).status, enrollment_of(message).opened_at) == ("sent", None)
    assert opened_events() == []
    [hit] = Hit.everywhere.all()
    assert (hit.label, hit.account_id, hit.kind) == (label, message.account_id, kind)


def test_a_click_of_a_person_is_an_open_as_well(desk: Desk) -> None:
    message = sent(desk)
    record_hit(CLICK, message.pk, FIREFOX, target="https://x.example/", now=desk.now)
    assert enrollment_of(message).status == "opened"
    [hit] = Hit.everywhere.all()
    assert (hit.url, hit.user_agent, hit.network) == ("https://x.example/", FIREFOX.user_agent, "203.0.113.0/24")


def test_links_that_are_followed_in_a_burst_are_a_scanners_from_the_third_on(desk: Desk) -> None:
    message = sent(desk)
    labels = [record_hit(CLICK, message.pk, FIREFOX, target=f"https://x.example/{n}", now=desk.now) for n in range(4)]
    assert labels == [HitLabel.HUMAN, HitLabel.HUMAN, HitLabel.SCANNER, HitLabel.SCANNER]


def test_an_open_after_a_higher_status_sets_its_time_and_fires_nothing(desk: Desk) -> None:
    message = sent(desk)
    stops.unsubscribe_contact(message.place[0].contact, now=desk.now)
    desk.wait(minutes=1)
    record_hit(OPEN, message.pk, FIREFOX, now=desk.now)
    enrollment = enrollment_of(message)
    assert (enrollment.status, enrollment.opened_at) == ("unsubscribed", desk.now)
    assert opened_events() == []
    assert desk.violations() == []


@pytest.mark.parametrize("visitor", [FIREFOX, GMAIL, SCANNER])
def test_any_request_proves_that_an_unknown_message_has_left(desk: Desk, visitor: Visitor) -> None:
    message = sent(desk, S.UNKNOWN)
    record_hit(OPEN, message.pk, visitor, now=desk.now)
    message.refresh_from_db()
    assert (message.state, message.reason) == ("accepted", "evidence_open")
    assert desk.violations() == []


def test_an_open_that_overtakes_the_settlement_counts(desk: Desk) -> None:
    desk.released()
    desk.tick()
    [claimed] = desk.claim()
    desk.wire(claimed)
    desk.wait(seconds=10)
    record_hit(OPEN, claimed.message_id, FIREFOX, now=desk.now)
    desk.settle(claimed)
    assert enrollment_of(message_of(claimed)).status == "opened"
    assert [event.type for event in Event.everywhere.order_by("sequence")] == ["enrollment.opened", "enrollment.sent"]
    assert desk.violations() == []


def test_a_test_sends_hits_are_ours(desk: Desk) -> None:
    message = sent(desk)
    Message.everywhere.filter(pk=message.pk).update(stream="test", enrollment=None, step_position=1)
    assert record_hit(OPEN, message.pk, FIREFOX, now=desk.now) is HitLabel.SELF


def test_an_operators_visit_is_ours(desk: Desk) -> None:
    message = sent(desk)
    visitor = Visitor(FIREFOX.method, FIREFOX.user_agent, is_operator=True)
    assert record_hit(OPEN, message.pk, visitor, now=desk.now) is HitLabel.SELF


def test_a_flood_is_answered_and_not_written_down(desk: Desk) -> None:
    message = sent(desk)
    for _ in range(MOST_HITS):
        assert record_hit(OPEN, message.pk, GMAIL, now=desk.now) is HitLabel.PROXY
    assert record_hit(OPEN, message.pk, GMAIL, now=desk.now) is None
    assert record_hit(CLICK, message.pk, FIREFOX, now=desk.now) is HitLabel.HUMAN
    assert Hit.everywhere.count() == MOST_HITS + 1


def test_what_a_client_calls_itself_is_kept_short_and_printable(desk: Desk) -> None:
    message = sent(desk)
    record_hit(OPEN, message.pk, Visitor("GET", "Fire\r\n\x00fox" + "x" * 1_000), now=desk.now)
    agent = Hit.everywhere.get().user_agent
    assert (len(agent), agent.isprintable(), agent[:10]) == (300, True, "Fire   fox")


def test_a_message_that_is_gone_leaves_no_trace(desk: Desk) -> None:
    assert record_hit(OPEN, uuid.uuid4(), FIREFOX, now=desk.now) is None


# -- The addresses


def test_an_address_is_good_for_one_message_one_purpose_and_one_target() -> None:
    message_id = uuid.uuid4()
    pixel = urlsplit(tracking.open_url(message_id)).path.removeprefix("/o/")
    link = urlsplit(tracking.click_url(message_id, "https://x.example/?a=1&b=ü"))
    token, target = link.path.removeprefix("/c/"), parse_qs(link.query)["u"][0]
    assert target == "https://x.example/?a=1&b=ü"
    assert (read_token(OPEN, pixel), read_token(CLICK, token, target)) == (message_id, message_id)
    for purpose, tried, more in [
        (CLICK, pixel, ""),
        (OPEN, token, ""),
        (CLICK, token, "https://evil.example/"),
        (CLICK, token, f"{target} "),
        (CLICK, token, ""),
        (OPEN, pixel[:-1], ""),
        (OPEN, f"{pixel}=", ""),
        (OPEN, "", ""),
        (OPEN, "ü" * 43, ""),
        (OPEN, "A" * 43, ""),
    ]:
        assert read_token(purpose, tried, more) is None, (purpose, tried, more)


# -- What is sent


@pytest.mark.parametrize(("opens", "clicks"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_message_carries_what_its_campaign_asks_for(desk: Desk, opens: bool, clicks: bool) -> None:
    campaign = desk.campaign(steps=0, track_opens=opens, track_clicks=clicks)
    html = '<p>Hi {{first_name}}</p><a href="https://x.example/{{first_name}}">x</a>'
    factories.make_step(campaign, 1, subject="Hello", body_html=html, body_text="Hi https://x.example/")
    contact = factories.make_contact(desk.account, first_name="Ann")
    factories.enroll(campaign, contact)
    desk.release(campaign)
    desk.tick()
    [claimed] = desk.claim()
    _, payload = outbox.prepare([claimed])[claimed.message_id].build(desk.now)
    body = payload.decode().replace("=\r\n", "").replace("=3D", "=")
    assert (tracking.open_url(claimed.message_id) in body) is opens
    assert (tracking.click_url(claimed.message_id, "https://x.example/Ann") in body) is clicks
    assert ('href="https://x.example/Ann"' in body) is not clicks
    assert "Hi https://x.example/\r\n" in body
    assert body.count("/u/") >= 2
