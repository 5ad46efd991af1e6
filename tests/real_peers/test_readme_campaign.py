"""A reader follows the README with a mailbox of their own, at a server that is not ours."""

import re
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, cast

import pytest

from tests.faults.waiting import wait_for
from tests.real_peers import readme
from tests.real_peers.installation import Installation
from tests.real_peers.peers import PASSWORD, RECIPIENTS, USERNAME, Peer

SECONDS = 60
ANN, BOB = RECIPIENTS


@dataclass(frozen=True, slots=True)
class Story:
    """What came of it: the campaign after its first and after its last step, the ledger, and the mailboxes."""

    after_first_step: dict[str, Any]
    at_the_end: dict[str, Any]
    ledger: list[dict[str, Any]]
    mailboxes: dict[str, list[EmailMessage]]
    audit: str


@pytest.fixture(scope="module", params=["postfix", "aiosmtpd"])
def peer(request: pytest.FixtureRequest) -> Peer:
    return cast("Peer", request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def story(installation: Installation, peer: Peer) -> Story:
    shell = readme.run(readme.personalise(readme.first_campaign(), values_for(installation, peer)), "KEY", "CAMPAIGN")
    key, campaign = shell["KEY"], f"/campaigns/{shell['CAMPAIGN']}"

    def wait_until_sent(count: int) -> dict[str, Any]:
        def all_arrived() -> bool:
            return sum(len(peer.mailbox(recipient)) for recipient in RECIPIENTS) >= count

        def all_settled() -> bool:
            return bool(installation.ask("GET", campaign, key)["conservation"]["accepted"] == count)

        def report() -> str:
            return f"{installation.ask('GET', campaign, key)}\n{peer.report()}"

        wait_for(f"{count} messages arrived", all_arrived, SECONDS, report)
        wait_for(f"{count} messages are settled", all_settled, SECONDS, report)
        return cast("dict[str, Any]", installation.ask("GET", campaign, key))

    first = wait_until_sent(2)
    follow_up = first["sequence_steps"][1]["id"]
    installation.ask("PATCH", f"{campaign}/sequence_steps/{follow_up}", key, {"delay_minutes": 0})
    last = wait_until_sent(4)
    ledger = installation.ask("GET", f"/messages?campaign_id={shell['CAMPAIGN']}", key)
    mailboxes = {recipient: peer.mailbox(recipient) for recipient in RECIPIENTS}
    return Story(first, last, ledger, mailboxes, installation.audit())


def values_for(installation: Installation, peer: Peer) -> dict[str, str]:
    return {
        "API": installation.url,
        "SMTP_HOST": "localhost",
        "SMTP_PORT": str(peer.port),
        "MAILBOX": USERNAME,
        "PASSWORD": PASSWORD,
        "ANN": ANN,
        "BOB": BOB,
    }


def test_the_readme_has_five_calls() -> None:
    assert len(re.findall(r"\bcurl\b", readme.first_campaign())) == 5


def test_everybody_gets_every_message_exactly_once(story: Story) -> None:
    subjects = {recipient: [message["Subject"] for message in mail] for recipient, mail in story.mailboxes.items()}
    assert subjects == {ANN: ["Hello Ann", "Re: Hello Ann"], BOB: ["Hello Bob", "Re: Hello Bob"]}


def test_what_arrived_is_what_the_ledger_says_was_accepted(story: Story) -> None:
    arrived = {(ident(message), recipient) for recipient, mail in story.mailboxes.items() for message in mail}
    assert {(row["message_id"], row["recipient"]) for row in story.ledger if row["state"] == "accepted"} == arrived
    assert (len(story.ledger), len(arrived)) == (4, 4)


def test_the_texts_are_filled_in_for_each_reader(story: Story) -> None:
    for recipient, words in [(ANN, "Hello Ann, how is life in Graz?"), (BOB, "Hello Bob, how is life in Oslo?")]:
        for kind in ("plain", "html"):
            body = story.mailboxes[recipient][0].get_body((kind,))
            assert body is not None
            assert words in body.get_content()


def test_the_second_message_is_in_the_thread_of_the_first(story: Story) -> None:
    for first, second in story.mailboxes.values():
        assert second["In-Reply-To"] == ident(first)
        assert ident(first) in second["References"]


def test_every_message_offers_a_way_out(story: Story) -> None:
    messages = [message for mail in story.mailboxes.values() for message in mail]
    assert all(re.fullmatch(r"<http://127\.0\.0\.1:\d+/u/\S+>", message["List-Unsubscribe"]) for message in messages)
    assert {message["List-Unsubscribe-Post"] for message in messages} == {"List-Unsubscribe=One-Click"}


def test_the_totals_are_right_when_the_follow_up_waits(story: Story) -> None:
    campaign = story.after_first_step
    assert campaign["status"] == "active"
    assert campaign["totals"] == dict.fromkeys(campaign["totals"], 0) | {"sent": 2}
    assert (campaign["conservation"]["due"], campaign["conservation"]["waiting"]) == (4, {"delay": 2})


def test_the_totals_are_right_at_the_end(story: Story) -> None:
    campaign = story.at_the_end
    assert campaign["totals"] == dict.fromkeys(campaign["totals"], 0) | {"sent": 2}
    assert (campaign["conservation"]["accepted"], campaign["conservation"]["waiting"]) == (4, {})
    assert [(used["sends"], used["sends_today"]) for used in campaign["credentials"]] == [(4, 2)]


def test_the_audit_is_clean(story: Story) -> None:
    assert re.search(r"^All \d+ checks hold\.$", story.audit, re.MULTILINE)


@pytest.mark.parametrize("peer", ["postfix"], indirect=True)
def test_every_conversation_was_encrypted_and_logged_in(story: Story) -> None:
    received = [message["Received"] for mail in story.mailboxes.values() for message in mail]
    assert all("using TLSv1.3" in line and f"Authenticated sender: {USERNAME}" in line for line in received)


def ident(message: EmailMessage) -> str:
    return str(message["Message-ID"]).strip()
