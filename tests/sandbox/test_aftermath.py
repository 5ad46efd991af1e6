"""What comes back after a mail was accepted, as the sender's mailbox and the third log have it."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ampout.sandbox.log import behaviours_log_path
from ampout.sandbox.mailboxes import LARGEST_MAIL
from ampout.sandbox.visits import network_of
from tests.sandbox.deliveries import MESSAGE_ID, WEB, make_mail
from tests.sandbox.running import SENDER, RunningSandbox, make_message, run_sandbox, send
from tests.sandbox.test_visits import Server


def mails(sandbox: RunningSandbox, login: str = SENDER) -> list[bytes]:
    return sandbox.read_folder("INBOX", login) + sandbox.read_folder("Junk", login)


def await_mails(sandbox: RunningSandbox, count: int, login: str = SENDER) -> list[bytes]:
    deadline = time.monotonic() + 10
    while len(found := mails(sandbox, login)) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def test_an_answer_is_in_the_mailbox_and_in_the_log(sandbox: RunningSandbox) -> None:
    recipient = "anna.berg+reply@sandbox.test"
    with sandbox.session() as client:
        assert send(client, recipient, make_mail(recipient))[0] == 250
    [answer] = await_mails(sandbox, 1, "sender3@sandbox.test")
    assert f"In-Reply-To: {MESSAGE_ID}\r\n".encode() in answer
    [line] = sandbox.behaviours
    folder = line.pop("folder")
    assert line == {
        "time": "2026-11-02T09:30:00.000Z",
        "recipient": recipient,
        "sender": SENDER,
        "login": SENDER,
        "behaviour": "reply",
        "message_id": MESSAGE_ID,
        "action": "mail",
        "kind": "reply",
        "url": None,
        "status": None,
    }
    assert sandbox.read_folder(folder, "sender3@sandbox.test") == [answer]


def test_a_notice_goes_to_the_address_in_mail_from(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        client.sendmail("sender1+token7@sandbox.test", ["anna+dsn-qmail@sandbox.test"], make_message())
    [notice] = await_mails(sandbox, 1)
    assert b"To: sender1+token7@sandbox.test\r\n" in notice


def test_answers_to_an_address_of_no_login_go_to_who_sent(sandbox: RunningSandbox) -> None:
    message = make_message(more="From: desk@elsewhere.example\r\n")
    with sandbox.session("sender7@sandbox.test") as client:
        assert send(client, "anna+ooo-fr@sandbox.test", message)[0] == 250
    [note] = await_mails(sandbox, 1, "sender7@sandbox.test")
    assert b"To: desk@elsewhere.example\r\n" in note


def test_every_recipient_of_a_mail_reacts_by_itself(sandbox: RunningSandbox) -> None:
    recipients = [f"anna+{tag}@sandbox.test" for tag in ("ooo-de", "dsn-full", "complain", "open", "rewrite")]
    with sandbox.session() as client:
        client.sendmail(SENDER, recipients, make_message(more=f"From: {SENDER}\r\n"))
    await_mails(sandbox, 3)
    assert Counter(line["kind"] for line in sandbox.behaviours) == {"auto_reply": 1, "bounce_soft": 1, "complaint": 1}


def test_the_refused_are_silent(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        client.mail(SENDER)
        client.rcpt("anna+ooo-de@sandbox.test")
        client.rcpt("otto+content@sandbox.test")
        assert client.data(make_message())[0] == 554
        assert send(client, "maria+ooo-de@sandbox.test", make_message("<second@x>"))[0] == 250
    assert [line["recipient"] for line in sandbox.await_behaviours(1)] == ["maria+ooo-de@sandbox.test"]
    assert len(await_mails(sandbox, 1)) == 1


def test_what_nobody_looks_at_has_no_answer(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        large = make_message() + b"x\r\n" * (LARGEST_MAIL // 3 + 1)
        assert send(client, "anna+ooo-de@sandbox.test", large)[0] == 250
        assert send(client, "otto+ooo-de@sandbox.test")[0] == 250
    assert [line["recipient"] for line in sandbox.await_behaviours(1)] == ["otto+ooo-de@sandbox.test"]
    assert len(sandbox.accepted) == 2


def test_without_a_web_port_nobody_visits_anything(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        for tag in ("open-scanner", "oneclick", "ooo-de"):
            recipient = f"anna+{tag}@sandbox.test"
            assert send(client, recipient, make_mail(recipient))[0] == 250
    assert [line["behaviour"] for line in sandbox.await_behaviours(1)] == ["ooo-de"]


@pytest.fixture
def web() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


def test_visits_reach_the_web_process_and_are_logged(tmp_path: Path, web: Server) -> None:
    recipient = "anna+oneclick@sandbox.test"
    message = make_mail(recipient).replace(WEB.encode(), f"http://127.0.0.1:{web.server_port}".encode())
    with run_sandbox(tmp_path, web.server_port) as sandbox:
        with sandbox.session() as client:
            assert send(client, recipient, message)[0] == 250
        [line] = sandbox.await_behaviours(1)
    assert (line["action"], line["kind"], line["status"]) == ("POST", "unsubscribe", 200)
    assert line["url"] == f"http://127.0.0.1:{web.server_port}/u/token"
    [(method, path, _, _, form, network)] = web.asked
    assert (method, path, form) == ("POST", "/u/token", "List-Unsubscribe=One-Click")
    assert network == network_of(recipient)


def test_a_visit_that_fails_counts_as_nothing(tmp_path: Path, web: Server) -> None:
    recipient = "anna+open@sandbox.test"
    with run_sandbox(tmp_path, web.server_port) as sandbox:
        with sandbox.session() as client:
            assert send(client, recipient, make_mail(recipient))[0] == 250
        [line] = sandbox.await_behaviours(1)
    assert (line["url"], line["kind"], line["status"]) == (f"{WEB}/o/pixel", None, None)
    assert web.asked == []


def test_a_stop_drops_what_waits_and_leaves_no_half_line(tmp_path: Path) -> None:
    with run_sandbox(tmp_path) as sandbox, sandbox.session() as client:
        for number in range(50):
            assert send(client, f"anna{number}+ooo-de@sandbox.test")[0] == 250
    path = behaviours_log_path(sandbox.log_path)
    with run_sandbox(tmp_path) as again:
        logged = len(path.read_text("ascii").splitlines())
        assert len(mails(again)) == logged
