"""Each behaviour as a sender meets it: replies over time, and what the two logs say."""

import resource
import time
from hashlib import sha256

import pytest

from tests.sandbox.running import SENDER, SLOW_SECONDS, RunningSandbox, make_message, send


def test_an_accepted_message_has_one_line_with_all_there_is_to_know(sandbox: RunningSandbox) -> None:
    message = make_message(more="In-Reply-To: <zero@ampout.test>\r\n", subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?=")
    with sandbox.session("sender3@sandbox.test") as client:
        assert send(client, "Anna.Berg@sandbox.test", message) == (250, "2.0.0 OK: delivered")
    assert sandbox.refused == []
    assert sandbox.accepted == [
        {
            "time": "2026-11-02T09:30:00.000Z",
            "recipient": "Anna.Berg@sandbox.test",
            "sender": SENDER,
            "login": "sender3@sandbox.test",
            "behaviour": "accepts",
            "message_id": "<one@ampout.test>",
            "delivered_message_id": "<one@ampout.test>",
            "in_reply_to": "<zero@ampout.test>",
            "subject": "Grüße",
            "size": len(message),
            "sha256": sha256(message).hexdigest(),
        }
    ]


def test_the_digest_is_of_the_message_without_transport_dots(sandbox: RunningSandbox) -> None:
    message = make_message() + b".\r\n..\r\n.a line\r\n"
    with sandbox.session() as client:
        assert send(client, "anna@sandbox.test", message)[0] == 250
    assert sandbox.accepted[0]["sha256"] == sha256(message).hexdigest()


def test_an_unknown_recipient_is_refused_and_logged_apart(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        assert send(client, "anna+unknown@sandbox.test") == (550, "5.1.1 Recipient address rejected: user unknown")
    assert sandbox.accepted == []
    assert sandbox.refused == [
        {
            "time": "2026-11-02T09:30:00.000Z",
            "recipient": "anna+unknown@sandbox.test",
            "sender": SENDER,
            "login": SENDER,
            "behaviour": "unknown",
            "stage": "rcpt",
            "reply": "550 5.1.1 Recipient address rejected: user unknown",
        }
    ]


def test_a_refusal_for_content_is_logged_with_the_message(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        assert send(client, "anna+content@sandbox.test")[0] == 554
    assert sandbox.accepted == []
    [line] = sandbox.refused
    assert (line["stage"], line["message_id"], line["delivered_message_id"]) == ("dot", "<one@ampout.test>", None)


def test_a_greylisting_recipient_accepts_when_tried_again_later(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        assert send(client, "anna+greylist@sandbox.test") == (451, "4.7.1 Greylisted, please try again later")
        sandbox.clock.pass_seconds(59)
        assert send(client, "anna+greylist@sandbox.test")[0] == 451
        assert send(client, "otto+greylist@sandbox.test")[0] == 451
        sandbox.clock.pass_seconds(1)
        assert send(client, "Anna+Greylist@sandbox.test")[0] == 250
        assert send(client, "otto+greylist@sandbox.test")[0] == 451
    assert [line["recipient"] for line in sandbox.accepted] == ["Anna+Greylist@sandbox.test"]
    assert len(sandbox.refused) == 4


def test_a_full_mailbox_accepts_the_third_try_and_all_later_ones(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        codes = [send(client, "anna+full@sandbox.test")[0] for _ in range(4)]
    assert codes == [452, 452, 250, 250]
    assert len(sandbox.accepted) == 2


def test_a_slow_recipient_lets_rcpt_data_and_dot_wait(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        began = time.monotonic()
        assert send(client, "anna+slow@sandbox.test")[0] == 250
        assert time.monotonic() - began >= 3 * SLOW_SECONDS
    assert sandbox.accepted[0]["behaviour"] == "slow"


def test_a_rewritten_message_id_is_answered_and_logged(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        code, text = send(client, "anna+rewrite@sandbox.test")
    word, given = text.split()
    [line] = sandbox.accepted
    assert (code, word) == (250, "Ok")
    assert line["message_id"] == "<one@ampout.test>"
    assert line["delivered_message_id"] == f"<{given}@rewritten.sandbox.test>"


def test_every_domain_is_part_of_the_pretend_internet(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        assert send(client, "someone@elsewhere.example")[0] == 250


def test_each_recipient_of_a_message_has_a_line_of_its_own(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        client.sendmail(SENDER, ["anna@sandbox.test", "otto@sandbox-b.test"], make_message())
    assert [line["recipient"] for line in sandbox.accepted] == ["anna@sandbox.test", "otto@sandbox-b.test"]


def test_a_recipient_refusing_the_content_refuses_for_all(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        client.mail(SENDER)
        client.rcpt("anna@sandbox.test")
        client.rcpt("otto+content@sandbox.test")
        assert client.data(make_message())[0] == 554
    assert sandbox.accepted == []
    assert [line["recipient"] for line in sandbox.refused] == ["otto+content@sandbox.test"]


@pytest.mark.parametrize("again", ["same transaction refused", "connection kept"])
def test_a_refusal_leaves_the_connection_usable(sandbox: RunningSandbox, again: str) -> None:
    with sandbox.session() as client:
        client.mail(SENDER)
        assert client.rcpt("anna+unknown@sandbox.test")[0] == 550
        if again == "connection kept":
            client.rset()
            client.mail(SENDER)
        assert client.rcpt("anna@sandbox.test")[0] == 250
        assert client.data(make_message())[0] == 250
    assert [line["recipient"] for line in sandbox.accepted] == ["anna@sandbox.test"]


def test_a_message_that_cannot_be_logged_is_deferred(sandbox: RunningSandbox) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with sandbox.session() as client:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        try:
            code, text = send(client, "anna@sandbox.test")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert (code, text) == (451, "4.3.0 The sandbox cannot write its log, please try again later")
        assert send(client, "anna@sandbox.test")[0] == 250
    assert len(sandbox.accepted) == 1
