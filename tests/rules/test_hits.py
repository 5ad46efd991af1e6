"""Who asked for a pixel or a link."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.hits import BURST_CLICKS, HitFacts, HitKind, HitLabel, judge_hit

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
OUTLOOK = "Mozilla/4.0 (compatible; ms-office; MSOffice 16)"
THUNDERBIRD = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Thunderbird/140.5.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
APPLE = "Mozilla/5.0"


def label(agent: str = FIREFOX, **facts: Any) -> HitLabel:
    defaults: dict[str, Any] = {"kind": HitKind.OPEN, "method": "GET", "seconds_since_wire": 60.0}
    return judge_hit(HitFacts(user_agent=agent, **(defaults | facts))).label


@pytest.mark.parametrize("agent", [FIREFOX, OUTLOOK, THUNDERBIRD, IPHONE, "Robotics Mail/1.0", "Botanica/2"])
def test_a_mail_program_at_a_persons_pace_is_a_person(agent: str) -> None:
    assert label(agent) is HitLabel.HUMAN
    assert label(agent, kind=HitKind.CLICK) is HitLabel.HUMAN


@pytest.mark.parametrize("agent", [GMAIL, YAHOO, APPLE])
@pytest.mark.parametrize("seconds", [0.2, 60.0, None])
def test_a_providers_proxy_is_no_reader(agent: str, seconds: float | None) -> None:
    assert label(agent, seconds_since_wire=seconds) is HitLabel.PROXY


def test_apples_own_network_opens_for_its_users_but_does_not_click() -> None:
    assert label(from_apple=True) is HitLabel.PROXY
    assert label(from_apple=True, kind=HitKind.CLICK) is HitLabel.HUMAN


@pytest.mark.parametrize(
    "agent",
    ["", " ", "curl/8.5", "python-requests/2.32", "Googlebot/2.1", "AhrefsBot", "Barracuda Sentinel (EE)", "Java/17",
     "Mozilla/5.0 (compatible; Proofpoint URL Defense)", "HeadlessChrome/140", "Go-http-client/2.0", "Link Preview"],
)  # fmt: skip
def test_a_program_that_says_so_is_a_scanner(agent: str) -> None:
    assert label(agent) is HitLabel.SCANNER


@pytest.mark.parametrize(
    "facts",
    [
        {"method": "HEAD"},
        {"method": "POST"},
        {"is_prefetch": True},
        {"seconds_since_wire": 0.0},
        {"seconds_since_wire": -0.4},
        {"seconds_since_wire": 1.9},
        {"kind": HitKind.CLICK, "recent_clicks": BURST_CLICKS},
    ],
)
def test_what_no_person_does_is_a_scanners(facts: dict[str, Any]) -> None:
    assert label(**facts) is HitLabel.SCANNER


@pytest.mark.parametrize(
    "facts", [{"seconds_since_wire": 2.0}, {"seconds_since_wire": None}, {"kind": HitKind.CLICK, "recent_clicks": 1}]
)
def test_weak_signs_are_not_held_against_a_person(facts: dict[str, Any]) -> None:
    assert label(**facts) is HitLabel.HUMAN


@pytest.mark.parametrize("agent", [FIREFOX, GMAIL, "", "curl/8"])
def test_our_own_visits_count_for_nobody(agent: str) -> None:
    assert label(agent, is_own=True, method="HEAD") is HitLabel.SELF


@given(st.text(max_size=2_000), st.sampled_from(["GET", "HEAD", "", "BREW"]), st.floats(allow_nan=False) | st.none())
def test_every_request_gets_a_label_and_a_reason(agent: str, method: str, seconds: float | None) -> None:
    facts = HitFacts(HitKind.CLICK, method, agent, seconds_since_wire=seconds)
    assert 0 < len(judge_hit(facts).evidence) <= 400
