"""The IMAP server as imapclient, and as hostile clients, meet it."""

import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from imapclient import IMAPClient, exceptions
from imapclient.imapclient import JUNK, SENT

from tests.sandbox.running import HOST, PASSWORD, SENDER, RunningSandbox, make_message, run_sandbox, send


@contextmanager
def mailbox(sandbox: RunningSandbox, login: str = SENDER) -> Iterator[IMAPClient]:
    client = sandbox.open_mailbox(login)
    try:
        yield client
    finally:
        client.logout()


def fill(sandbox: RunningSandbox, *message_ids: str) -> None:
    """Mails to the sender's own address: they arrive in INBOX."""
    with sandbox.session("sender2@sandbox.test") as client:
        for message_id in message_ids:
            assert send(client, SENDER, make_message(message_id))[0] == 250
    await_mails(sandbox, len(message_ids))


def await_mails(sandbox: RunningSandbox, count: int, folder: str = "INBOX", login: str = SENDER) -> None:
    with mailbox(sandbox, login) as client:
        deadline = time.monotonic() + 10
        while client.folder_status(folder, ["MESSAGES"])[b"MESSAGES"] < count and time.monotonic() < deadline:
            time.sleep(0.01)


def test_the_certificate_is_the_authoritys_and_plain_connections_are_refused(sandbox: RunningSandbox) -> None:
    with (
        socket.create_connection((HOST, sandbox.imap_port), timeout=5) as stranger,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(stranger, server_hostname=HOST)
    with raw_connection(sandbox) as trusted:
        assert trusted.version() in {"TLSv1.2", "TLSv1.3"}
    with socket.create_connection((HOST, sandbox.imap_port), timeout=5) as plain:
        plain.sendall(b"a LOGIN sender1@sandbox.test x\r\n")
        assert b"OK" not in plain.recv(100)


@pytest.mark.parametrize("mechanism", ["login", "plain_login"])
def test_both_ways_to_log_in_are_open(sandbox: RunningSandbox, mechanism: str) -> None:
    context = ssl.create_default_context(cafile=str(sandbox.ca_file))
    with IMAPClient(HOST, port=sandbox.imap_port, ssl_context=context, timeout=5) as client:
        getattr(client, mechanism)(SENDER, PASSWORD)
        assert client.has_capability("SPECIAL-USE")


@pytest.mark.parametrize(
    ("login", "password"),
    [(SENDER, "wrong"), (SENDER, ""), (SENDER, "wröng"), (SENDER, "\x07"), ("anna@sandbox.test", PASSWORD), ("", "")],
)
def test_other_logins_are_refused(sandbox: RunningSandbox, login: str, password: str) -> None:
    context = ssl.create_default_context(cafile=str(sandbox.ca_file))
    with IMAPClient(HOST, port=sandbox.imap_port, ssl_context=context, timeout=5) as client:
        with pytest.raises(exceptions.LoginError):
            client.plain_login(login, password)
        client.plain_login(SENDER, PASSWORD)


def test_folders_say_what_they_are_for(sandbox: RunningSandbox) -> None:
    with mailbox(sandbox) as client:
        assert [name for _, _, name in client.list_folders()] == ["INBOX", "Junk", "Sent"]
        assert (client.find_special_folder(SENT), client.find_special_folder(JUNK)) == ("Sent", "Junk")


def test_mails_are_found_and_read_without_being_marked(sandbox: RunningSandbox) -> None:
    fill(sandbox, "<one@x>", "<two@x>", "<three@x>")
    with mailbox(sandbox) as client:
        facts = client.select_folder("INBOX", readonly=True)
        assert (facts[b"EXISTS"], facts[b"UIDNEXT"]) == (3, 4)
        assert client.search(["UID", "2:*"]) == [2, 3]
        assert client.search(["HEADER", "Message-ID", "<two@x>"]) == [2]
        [head] = client.fetch([2], ["BODY.PEEK[HEADER]<0.14>", "RFC822.SIZE"]).values()
        assert (head[b"BODY[HEADER]<0>"], head[b"RFC822.SIZE"]) == (b"Subject: Hello", len(make_message("<two@x>")))
        [whole] = client.fetch([2], ["BODY[]", "FLAGS"]).values()
        assert (whole[b"BODY[]"], whole[b"FLAGS"]) == (make_message("<two@x>"), ())


def test_an_open_folder_shows_what_arrives(sandbox: RunningSandbox) -> None:
    with mailbox(sandbox) as client:
        client.select_folder("INBOX", readonly=True)
        assert client.search("ALL") == []
        fill(sandbox, "<one@x>")
        client.noop()
        assert client.search("ALL") == [1]


def test_idle_tells_what_arrives(sandbox: RunningSandbox) -> None:
    with mailbox(sandbox) as client:
        client.select_folder("INBOX", readonly=True)
        client.idle()
        fill(sandbox, "<one@x>")
        told = client.idle_check(timeout=5)
        client.idle_done()
    assert (1, b"EXISTS") in told


def test_nothing_can_be_changed(sandbox: RunningSandbox) -> None:
    fill(sandbox, "<one@x>")
    with mailbox(sandbox) as client:
        client.select_folder("INBOX", readonly=True)
        for change in (
            lambda: client.add_flags([1], [b"\\Seen"]),
            lambda: client.append("INBOX", make_message()),
            lambda: client.copy([1], "Junk"),
            client.expunge,
            lambda: client.create_folder("More"),
            lambda: client.delete_folder("Junk"),
            lambda: client.rename_folder("Junk", "Spam"),
        ):
            with pytest.raises(exceptions.IMAPClientError):
                change()
    assert sandbox.read_folder() == [make_message("<one@x>")]


def test_uids_and_uidvalidity_outlive_a_restart(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("sandbox")
    seen = []
    for message_id in ("<one@x>", "<two@x>"):
        with run_sandbox(folder) as sandbox:
            fill(sandbox, message_id)
            with mailbox(sandbox) as client:
                facts = client.select_folder("INBOX", readonly=True)
                seen.append((facts[b"UIDVALIDITY"], client.search("ALL")))
    assert seen == [(seen[0][0], [1]), (seen[0][0], [1, 2])]


def test_what_a_login_sends_is_in_its_sent_folder(sandbox: RunningSandbox) -> None:
    with sandbox.session("sender3@sandbox.test") as client:
        assert send(client, "anna+unknown@sandbox.test")[0] == 550
        assert send(client, "anna@sandbox.test", make_message("<sent@x>"))[0] == 250
    await_mails(sandbox, 1, "Sent", "sender3@sandbox.test")
    assert sandbox.read_folder("Sent", "sender3@sandbox.test") == [make_message("<sent@x>")]
    assert sandbox.read_folder("Sent") == []


@contextmanager
def raw_connection(sandbox: RunningSandbox) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=str(sandbox.ca_file))
    with (
        socket.create_connection((HOST, sandbox.imap_port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as secured,
    ):
        secured.recv(1000)
        yield secured


@pytest.mark.parametrize(
    "said",
    [
        b"a" * 200_000,
        b"a LOGIN {999999999+}\r\n",
        b"a LOGIN {70000}\r\n",
        b"a FETCH 1:* BODY[]\r\n",
        b"\x00\xff\r\n" * 10,
        b"a AUTHENTICATE PLAIN\r\n/w==\r\n",
        b"a AUTHENTICATE PLAIN\r\n%%%\r\n",
        b"a LOGIN sender1@sandbox.test \xff\xfe\r\n",
        b"\r\n",
    ],
)
def test_a_hostile_client_harms_itself_alone(sandbox: RunningSandbox, said: bytes) -> None:
    with raw_connection(sandbox) as hostile:
        hostile.sendall(said)
        with sandbox.session() as client:
            assert send(client, "anna@sandbox.test")[0] == 250
        assert sandbox.read_folder() == []


def test_hostile_mail_in_a_folder_is_listed_and_the_rest_is_read(sandbox: RunningSandbox) -> None:
    deep = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (level, level) for level in range(190)
    )
    words = (
        b"Subject: " + b"=?utf-8?q?a?= " * 10_000 + b"\r\nContent-Type: text/plain; " + b"a=b; " * 5_000 + b"\r\n\r\n"
    )
    with sandbox.session("sender2@sandbox.test") as client:
        for mail in (deep, words, make_message("<good@x>")):
            send_whole(client, mail)
    await_mails(sandbox, 3)
    with mailbox(sandbox) as client:
        client.select_folder("INBOX", readonly=True)
        began = time.monotonic()
        assert client.search(["HEADER", "Message-ID", "<good@x>"]) == [3]
        heads = client.fetch([1, 2, 3], ["BODY.PEEK[HEADER]<0.65536>"])
        assert time.monotonic() - began < 5
    assert heads[3][b"BODY[HEADER]<0>"].startswith(b"Subject: Hello")


def send_whole(client: smtplib.SMTP, mail: bytes) -> None:
    """A mail with lines longer than SMTP allows is folded first, as a server would have to."""
    folded = b"\r\n ".join(mail[start : start + 900] for start in range(0, len(mail), 900)) if b"=?" in mail else mail
    assert send(client, SENDER, folded)[0] == 250
