"""The whole life of a campaign by HTTP alone: recorded requests, sent as a client of the hosted API sends them.

Web, worker and beat are real processes; an SMTP server, a mailbox and a receiver of webhooks are the other sides.
"""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook

from tests.api import described
from tests.faults.conftest import StartLab
from tests.faults.lab import Lab
from tests.faults.waiting import wait_for
from tests.peers.certificates import Certificates
from tests.peers.chaos_imap import PASSWORD, ChaosImap
from tests.peers.webhook_sink import WebhookSink

REQUESTS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("requests.json").read_text())
PATIENCE_SECONDS = 60
EVENTS = [
    *("campaign.paused", "enrollment.replied", "enrollment.sent", "enrollment.sent", "enrollment.unsubscribed"),
]
"""What the receiver hears of the walk, each once."""


class Answer:
    """What came back, for `described` and for us."""

    def __init__(self, status: int, headers: Any, content: bytes) -> None:
        self.status_code, self.headers, self.content = status, headers, content

    def json(self) -> Any:
        """The body; None where there is none."""
        return json.loads(self.content) if self.content else None


class Client:
    """Sends the recorded requests; what an answer keeps is filled into the later ones."""

    def __init__(self, port: int, known: dict[str, Any]) -> None:
        self.base, self.known = f"http://127.0.0.1:{port}", known

    def play(self, request: dict[str, Any], report: Callable[[], str]) -> None:
        """Send it, again and again where its answer is waited for, and hold the answer to what is recorded."""
        if request.get("await"):
            wait_for(request["what"], lambda: self.is_answered(request), PATIENCE_SECONDS, report)
        answer = self.send(request)
        assert self.differences(request, answer) == [], f"{request['what']}: {answer.content!r}\n{report()}"
        for name, path in request.get("keep", {}).items():
            self.known[name] = reach(answer.json(), path)

    def is_answered(self, request: dict[str, Any]) -> bool:
        """Whether the answer is as recorded by now."""
        return not self.differences(request, self.send(request))

    def send(self, request: dict[str, Any]) -> Answer:
        """The answer, which is as the API is described."""
        method, path = self.fill(request["call"]).split(" ")
        body = json.dumps(self.fill(request["body"])).encode() if "body" in request else None
        headers = {"Content-Type": "application/json"}
        if not request.get("public"):
            headers["Authorization"] = f"Bearer {self.known['key']}"
        if "idempotency_key" in request:
            headers["Idempotency-Key"] = request["idempotency_key"]
        call = urllib.request.Request(self.base + path, body, headers, method=method)  # loopback
        try:
            with urllib.request.urlopen(call, timeout=30) as response:
                answer = Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            answer = Answer(error.code, error.headers, error.read())
        assert described.problems(method, path, answer) == []
        return answer

    def fill(self, value: Any) -> Any:
        """The value with `{name}` replaced; alone in its text, it keeps its kind."""
        if isinstance(value, str):
            alone = re.fullmatch(r"\{(\w+)\}", value)
            if alone:
                return self.known[alone.group(1)]
            return re.sub(r"(?<!\{)\{(\w+)\}(?!\})", lambda found: str(self.known[found.group(1)]), value)
        if isinstance(value, dict):
            return {name: self.fill(member) for name, member in value.items()}
        return [self.fill(item) for item in value] if isinstance(value, list) else value

    def differences(self, request: dict[str, Any], answer: Answer) -> list[str]:
        """Where an answer is not what is recorded."""
        if answer.status_code != request["status"]:
            return [f"{answer.status_code} in place of {request['status']}"]
        body = answer.json()
        if "length" in request and len(body) != request["length"]:
            return [f"{len(body)} rows in place of {request['length']}"]
        return unlike(self.fill(request["expect"]), body) if "expect" in request else []


def reach(value: Any, path: str) -> Any:
    """What stands at `api_key.plaintext` or `0.id`."""
    for name in path.split("."):
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def unlike(expected: Any, actual: Any, path: str = "") -> list[str]:
    """The named fields that are not as expected."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return [
            found for name, member in expected.items() for found in unlike(member, actual.get(name), f"{path}.{name}")
        ]
    return [] if expected == actual else [f"{path} is {actual!r}, not {expected!r}"]


def reply_to(lab: Lab, name: str) -> bytes:
    """What this person writes back to the message that reached them."""
    sent = next(entry for entry in lab.delivered() if f"ok+{name}@" in json.dumps(entry))
    return (
        f"From: {name.capitalize()} <ok+{name}@chaos.example>\r\nTo: ann@sender.example\r\nSubject: Re: Hello\r\n"
        f"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <answer@chaos.example>\r\n"
        f"In-Reply-To: {sent['message_id']}\r\n\r\nYes, tell me more.\r\n"
    ).encode()


def test_the_life_of_a_campaign(start_lab: StartLab, certificates: Certificates, sink: WebhookSink) -> None:
    with ChaosImap(certificates) as mailboxes:
        ann = mailboxes.user("ann")
        lab = start_lab(workers=1, beats=1, settings={"ALLOW_SIGNUP": "1", "POLL_EVERY_SECONDS": "1"})
        facts = {"smtp_port": lab.smtp_port, "imap_port": mailboxes.port, "imap_password": PASSWORD}
        client = Client(lab.web_port, facts | {"hook_url": sink.url("/walk")})
        for request in REQUESTS:
            if request.get("act") == "reply":
                ann.inbox.add(reply_to(lab, "max"))
            else:
                client.play(request, lab.report)
        sink.wait_for(lambda: len(sink.accepted("/walk")) >= len(EVENTS), PATIENCE_SECONDS)
    told = [Webhook(client.known["secret"]).verify(call.body, call.headers) for call in sink.accepted("/walk")]
    assert sorted(event["type"] for event in told) == EVENTS
    assert {event["account_id"] for event in told} == {client.known["account"]}
    assert len(lab.delivered()) == 2
