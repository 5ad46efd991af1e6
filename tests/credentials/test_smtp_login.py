"""The trial login says what failed, in the server's words, and never what the password is."""

import base64

import pytest
from pytest_django.fixtures import Settings

from credentials.gateways.smtp_connection import Deadlines, SmtpLogin
from credentials.gateways.smtp_login import check_smtp_login
from credentials.rules.login_check import LoginCheck
from tests.peers.certificates import Certificates
from tests.peers.chaos_behaviours import Action, Kind
from tests.peers.chaos_smtp import ChaosSmtp

PASSWORD = "correct-horse-battery"
QUICK = Deadlines(connect=5, reply=1, transaction=10)
PATIENT = Deadlines(connect=20, reply=20, transaction=60)


@pytest.fixture(autouse=True)
def _loopback(settings: Settings, certificates: Certificates) -> None:
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.SMTP_INSECURE_HOSTS = []
    settings.SMTP_CA_FILE = str(certificates.authority)


def check(peer: ChaosSmtp, password: str = PASSWORD, deadlines: Deadlines = PATIENT) -> LoginCheck:
    return check_smtp_login("localhost", peer.port, "alice", password, deadlines=deadlines)


def test_a_good_login_is_done(certificates: Certificates) -> None:
    with ChaosSmtp(certificates, logins={"alice": PASSWORD}) as peer:
        result = check(peer)
        assert result == LoginCheck(ok=True, stage="done", code=None, message=f"localhost:{peer.port} took the login.")
        assert (peer.count("auth"), peer.count("mail"), peer.count("quit")) == (1, 0, 1)


@pytest.mark.parametrize("methods", [("PLAIN",), ("LOGIN",), ("PLAIN", "PLAIN-CHALLENGE"), ("LOGIN", "XOAUTH2")])
def test_each_login_method_works(certificates: Certificates, methods: tuple[str, ...]) -> None:
    with ChaosSmtp(certificates, logins={"alice": PASSWORD}, login_methods=methods) as peer:
        assert check(peer).ok


def test_a_login_outside_ascii_works(certificates: Certificates) -> None:
    with ChaosSmtp(certificates, logins={"alice": "Grüße-\u2603"}) as peer:
        assert check(peer, "Grüße-\u2603").ok


@pytest.mark.parametrize("methods", [("PLAIN",), ("LOGIN",)])
def test_a_wrong_password_is_told_in_the_servers_words_without_the_password(
    certificates: Certificates, methods: tuple[str, ...]
) -> None:
    wrong = "wrong-horse-battery"
    with ChaosSmtp(certificates, logins={"alice": PASSWORD}, login_methods=methods) as peer:
        result = check(peer, wrong)
        assert (result.ok, result.stage, result.code) == (False, "auth", 535)
        assert result.message == (
            f"localhost:{peer.port} answered the login: 535 5.7.8 No: alice with [redacted] ([redacted])"
        )
    assert wrong not in repr(result)
    assert base64.b64encode(wrong.encode()).decode() not in repr(result)


def test_a_server_without_a_known_login_method_is_named_with_what_it_offers(certificates: Certificates) -> None:
    with ChaosSmtp(certificates, login_methods=("XOAUTH2", "CRAM-MD5")) as peer:
        result = check(peer)
        assert (result.ok, result.stage, result.code) == (False, "auth", None)
        assert result.message == (
            f"localhost:{peer.port} offers no login method Ampout speaks (PLAIN, LOGIN); it offers: CRAM-MD5, XOAUTH2."
        )


REFUSALS = [
    ("banner", b"554 5.3.2 Not today\r\n", "banner", 554, "554 5.3.2 Not today"),
    ("banner", b"421 4.3.2 Too busy\r\n", "banner", 421, "421 4.3.2 Too busy"),
    ("ehlo", b"550 5.7.1 Who are you?\r\n", "ehlo", 550, "550 5.7.1 Who are you?"),
    ("starttls", b"454 4.7.0 No TLS now\r\n", "tls", 454, "454 4.7.0 No TLS now"),
    ("auth", b"454 4.7.0 Try later\r\n", "auth", 454, "454 4.7.0 Try later"),
    ("auth", b"534-5.7.9 Application-specific\r\n534 5.7.9 password required\r\n", "auth", 534, "password required"),
]


@pytest.mark.parametrize(("stage", "raw", "named", "code", "words"), REFUSALS)
def test_a_refusal_names_stage_code_and_words(
    certificates: Certificates, stage: str, raw: bytes, named: str, code: int, words: str
) -> None:
    with ChaosSmtp(certificates, script={stage: Action(Kind.ANSWER, raw)}) as peer:
        result = check(peer)
        assert (result.ok, result.stage, result.code) == (False, named, code)
        assert result.message.endswith(words)


SILENCES = [
    ("banner", Action(Kind.HANG), "banner", "did not answer in time to the connection (its greeting)."),
    ("banner", Action(Kind.DROP), "banner", "closed the connection instead of answering the connection"),
    ("banner", Action(Kind.ANSWER, b"HTTP/1.1 400 Bad\r\n"), "banner", "sent something that is no SMTP reply to"),
    ("ehlo", Action(Kind.HANG), "ehlo", "did not answer in time to EHLO."),
    ("starttls", Action(Kind.HANG), "tls", "did not answer in time to STARTTLS."),
    ("auth", Action(Kind.DROP), "auth", "closed the connection instead of answering the login."),
    ("auth", Action(Kind.HANG), "auth", "did not answer in time to the login."),
]


@pytest.mark.parametrize(("stage", "action", "named", "words"), SILENCES)
def test_a_silence_names_what_was_waited_for(
    certificates: Certificates, stage: str, action: Action, named: str, words: str
) -> None:
    with ChaosSmtp(certificates, script={stage: action}) as peer:
        result = check(peer, deadlines=QUICK if action.kind is Kind.HANG else PATIENT)
        assert (result.ok, result.stage, result.code) == (False, named, None)
        assert words in result.message


def test_a_target_that_the_door_refuses_is_never_connected_to(certificates: Certificates, settings: Settings) -> None:
    settings.ALLOW_PRIVATE_NETWORKS = []
    with ChaosSmtp(certificates) as peer:
        result = check(peer)
        assert (result.ok, result.stage) == (False, "target")
        assert "ALLOW_PRIVATE_NETWORKS" in result.message
        assert peer.events == []


def test_an_open_and_a_closed_internal_port_look_alike(certificates: Certificates, settings: Settings) -> None:
    settings.ALLOW_PRIVATE_NETWORKS = []
    with ChaosSmtp(certificates) as peer:
        opened = check_smtp_login("127.0.0.1", peer.port, "alice", PASSWORD)
    assert check_smtp_login("127.0.0.1", 9, "alice", PASSWORD) == opened


def test_nobody_listening_is_said(certificates: Certificates) -> None:
    with ChaosSmtp(certificates) as peer:
        pass
    result = check(peer)
    assert (result.ok, result.stage) == (False, "connect")
    assert result.message == f"localhost:{peer.port} refused the connection."


def test_plaintext_login_needs_the_operators_word(certificates: Certificates, settings: Settings) -> None:
    with ChaosSmtp(certificates, tls="none") as peer:
        refused = check(peer)
        assert (refused.ok, refused.stage, peer.count("auth")) == (False, "tls", 0)
        settings.SMTP_INSECURE_HOSTS = ["localhost"]
        assert check(peer).ok
        settings.SMTP_INSECURE_HOSTS = ["127.0.0.0/8"]
        assert check(peer).ok


def test_an_untrusted_certificate_is_explained(certificates: Certificates) -> None:
    with ChaosSmtp(certificates, certificate=certificates.self_signed) as peer:
        result = check(peer)
    assert (result.ok, result.stage) == (False, "tls")
    assert result.message == "The certificate of localhost could not be verified: self-signed certificate."


def test_the_login_does_not_show_its_password() -> None:
    assert PASSWORD not in repr(SmtpLogin("h.example", 587, "alice", PASSWORD))


@pytest.mark.parametrize("name", ["", "a b", "a\r\nMAIL FROM:<>", "é"])
def test_an_ehlo_name_that_would_break_the_command_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="EHLO_NAME"):
        SmtpLogin("h.example", 587, ehlo_name=name)
