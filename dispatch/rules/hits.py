"""Who asked for a pixel or a link: a person, a mailbox provider's proxy, a scanner, or we ourselves.

Opens count persons only. A proxy that loads pictures for its users (Gmail) or before they look (Apple Mail Privacy
Protection) proves that the message arrived, and nothing about a reader; security scanners follow every link of every
message. Where the evidence is weak, it is a person's: an open is a hint, never a proof.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class HitKind(StrEnum):
    """What was asked for."""

    OPEN = "open"
    CLICK = "click"


class HitLabel(StrEnum):
    """Who asked."""

    HUMAN = "human"
    PROXY = "proxy"
    SCANNER = "scanner"
    SELF = "self"


MACHINE_SECONDS = 2.0
"""Nobody reads a message within two seconds of its sending; scanners at the recipient's server do."""

BURST_CLICKS = 2
"""So many other links of the same message within MACHINE_SECONDS, and it is a scanner that follows all of them."""


@dataclass(frozen=True, slots=True)
class HitFacts:
    """What is known of one request.

    `seconds_since_wire` counts from the first byte of the body, None where that is unknown; `recent_clicks` are clicks
    on links of the same message within the last MACHINE_SECONDS; `is_own` says that the message was a test send, or
    that an operator's session asked.
    """

    kind: HitKind
    method: str
    user_agent: str
    seconds_since_wire: float | None = None
    recent_clicks: int = 0
    is_prefetch: bool = False
    is_own: bool = False
    from_apple: bool = False


@dataclass(frozen=True, slots=True)
class HitVerdict:
    """The label, and what it rests on in a few words."""

    label: HitLabel
    evidence: str


# Gmail: "… (via ggpht.com GoogleImageProxy)", https://developers.google.com/search/docs/crawling-indexing/google-agent
# Yahoo: "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html".
_PROXIES = re.compile(
    r"GoogleImageProxy|ggpht\.com|YahooMailProxy|DuckDuckGo-Favicons|Proton ?Mail|SeznamEmailProxy", re.IGNORECASE
)
# What programs call themselves, and the mail gateways that say who they are.
_MACHINES = re.compile(
    r"\b(bot|crawler|spider|scan(ner)?|monitor|preview|fetcher|checker|headless\w*|phantomjs|selenium|puppeteer"
    r"|curl|wget|libwww-perl|python[-\w]*|go-http-client|java|okhttp|apache-httpclient|axios|node-fetch|ruby|php"
    r"|barracuda|proofpoint|mimecast|symantec|forcepoint|fireeye|trellix|trendmicro|sophos|bitdefender|kaspersky"
    r"|safelinks|checkpoint|cloudmark|vade|avanan|ironport|zscaler|fortinet|mcafee|cyren|urldefense)\b"
    r"|\w*(bot|crawler|spider)\b",
    re.IGNORECASE,
)
LONGEST_AGENT = 300
"""Characters of a User-Agent that are read and kept."""


def judge_hit(facts: HitFacts) -> HitVerdict:
    """Who asked, the strongest evidence first."""
    agent = facts.user_agent[:LONGEST_AGENT].strip()
    if facts.is_own:
        return HitVerdict(HitLabel.SELF, "a test send, or an operator's session")
    if machine := _machine_signs(facts, agent):
        return HitVerdict(HitLabel.SCANNER, machine)
    if proxy := _proxy_signs(facts, agent):
        return HitVerdict(HitLabel.PROXY, proxy)
    return HitVerdict(HitLabel.HUMAN, "a mail program or browser, at a person's pace")


def _machine_signs(facts: HitFacts, agent: str) -> str:
    """The first sign that a program asked, or nothing."""
    named = _MACHINES.search(agent)
    seconds = facts.seconds_since_wire
    is_hasty = seconds is not None and seconds < MACHINE_SECONDS and not _proxy_signs(facts, agent)
    signs = {
        f"{facts.method} instead of GET": facts.method != "GET",
        "a prefetch header": facts.is_prefetch,
        "no User-Agent": not agent,
        f"User-Agent names {named.group(0) if named else ''}": named is not None,
        f"{facts.recent_clicks + 1} links within {MACHINE_SECONDS:.0f} s": facts.recent_clicks >= BURST_CLICKS,
        f"{max(seconds or 0, 0):.1f} s after the sending": is_hasty,
    }
    return next((sign for sign, is_seen in signs.items() if is_seen), "")


def _proxy_signs(facts: HitFacts, agent: str) -> str:
    if found := _PROXIES.search(agent):
        return f"User-Agent names {found.group(0)}"
    # Apple's proxy says no more than this (seen by all who log opens since iOS 15); no browser is so brief.
    if agent == "Mozilla/5.0":
        return "the bare User-Agent of Apple Mail Privacy Protection"
    return "an address of Apple's own network" if facts.from_apple and facts.kind is HitKind.OPEN else ""
