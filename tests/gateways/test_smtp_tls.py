"""No login and no mail leave before TLS with a verified certificate is up (promise A13)."""

import os
import re
import ssl
from pathlib import Path

import pytest

from credentials.gateways.tls import client_context, describe_tls_error
from dispatch.gateways.smtp_session import SmtpFailure, SmtpSession
from dispatch.rules.smtp_reply import Failure, Stage
from tests.gateways.smtp_cast import BODY, PATIENT, Gate, login_to, opened, run, target_of, to
from tests.peers.certificates import SERVER_NAME, Certificates
from tests.peers.chaos_behaviours import Action, Kind
from tests.peers.chaos_smtp import ChaosSmtp, make_context


async def deliver(peer: ChaosSmtp, **changes: object) -> None:
    session = await opened(peer, PATIENT, **changes)
    result = await session.send(to("bob"), BODY, gate=Gate())
    assert result.dot_written
    await session.quit()


def assert_nothing_was_said(peer: ChaosSmtp) -> None:
    assert (peer.count("auth"), peer.count("mail"), peer.log) == (0, 0, [])


CERTIFICATES = [
    ("wrong_host", "Hostname mismatch, certificate is not valid for 'localhost'"),
    ("expired", "certificate has expired"),
    ("self_signed", "self-signed certificate"),
]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize(("name", "words"), CERTIFICATES)
def test_a_bad_certificate_ends_it_before_the_login(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, name: str, words: str, tls: str
) -> None:
    with ChaosSmtp(certificates, certificate=getattr(certificates, name), tls=tls) as peer:
        treat_as_implicit(monkeypatch, peer if tls == "implicit" else None)
        with pytest.raises(SmtpFailure) as caught:
            run(deliver(peer))
        assert_nothing_was_said(peer)
    assert (caught.value.stage, caught.value.failure) == (Stage.STARTTLS, Failure.TLS)
    assert caught.value.sentence == f"The certificate of localhost could not be verified: {words}."


def treat_as_implicit(monkeypatch: pytest.MonkeyPatch, peer: ChaosSmtp | None) -> None:
    """Tests cannot listen on 465, so the peer's port takes its place."""
    port = 465 if peer is None else peer.port
    monkeypatch.setattr("credentials.gateways.smtp_connection.IMPLICIT_TLS_PORTS", {port})


def test_an_authority_we_do_not_know_is_not_trusted(certificates: Certificates) -> None:
    with ChaosSmtp(certificates) as peer:
        with pytest.raises(SmtpFailure, match="unable to get local issuer certificate"):
            run(deliver(peer, ca_file=""))
        assert_nothing_was_said(peer)


def test_the_certificate_must_name_the_logins_host_not_the_address(certificates: Certificates) -> None:
    with ChaosSmtp(certificates) as peer:
        run(deliver(peer, host=SERVER_NAME))
        run(deliver(peer, host="127.0.0.1"))
        with pytest.raises(SmtpFailure, match=re.escape("not valid for 'mail.elsewhere.test'")):
            run(deliver(peer, host="mail.elsewhere.test"))
        assert len(peer.log) == 2


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_old_tls_is_not_spoken(certificates: Certificates, monkeypatch: pytest.MonkeyPatch, tls: str) -> None:
    with ChaosSmtp(certificates, old_tls=True, tls=tls) as peer:
        treat_as_implicit(monkeypatch, peer if tls == "implicit" else None)
        with pytest.raises(SmtpFailure) as caught:
            run(deliver(peer))
        assert_nothing_was_said(peer)
    assert caught.value.sentence.endswith("may not speak TLS 1.2 or later.")


def handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> None:
    """In memory, with the alerts that asyncio's servers keep to themselves."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for end in ends * 4:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError:
            if end is ends[0]:
                raise


def test_an_alert_about_the_version_is_put_in_words(certificates: Certificates) -> None:
    server = make_context(certificates.good, old_tls=True)
    with pytest.raises(ssl.SSLError) as caught:
        handshake(client_context(str(certificates.authority), insecure=False), server)
    assert describe_tls_error(caught.value, "mail.example") == "mail.example does not speak TLS 1.2 or later."


def test_any_other_alert_keeps_its_name(certificates: Certificates) -> None:
    server = certificates.good.server_context()
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    server.set_ciphers("AES256-GCM-SHA384")  # needs an RSA key, which this server does not have
    with pytest.raises(ssl.SSLError) as caught:
        handshake(client_context(str(certificates.authority), insecure=False), server)
    sentence = describe_tls_error(caught.value, "mail.example")
    assert sentence == "TLS with mail.example failed: sslv3 alert handshake failure."


def test_the_context_is_kept_until_its_file_changes(certificates: Certificates, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(certificates.authority.read_bytes())
    first = client_context(str(ca_file), insecure=False)
    assert client_context(str(ca_file), insecure=False) is first
    os.utime(ca_file, ns=(0, 0))
    assert client_context(str(ca_file), insecure=False) is not first
    assert (first.verify_mode, first.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_missing_authority_file_ends_it_before_the_login(certificates: Certificates) -> None:
    with ChaosSmtp(certificates) as peer:
        with pytest.raises(SmtpFailure, match=r"SMTP_CA_FILE"):
            run(deliver(peer, ca_file="/nowhere/ca.pem"))
        assert_nothing_was_said(peer)


def test_a_stripped_starttls_ends_it(certificates: Certificates) -> None:
    with ChaosSmtp(certificates, tls="none") as peer:
        with pytest.raises(SmtpFailure) as caught:
            run(deliver(peer))
        assert_nothing_was_said(peer)
    assert (caught.value.stage, caught.value.failure) == (Stage.STARTTLS, Failure.TLS)
    assert "does not offer STARTTLS" in caught.value.sentence


def test_a_refused_starttls_ends_it(certificates: Certificates) -> None:
    with ChaosSmtp(certificates, script={"starttls": Action(Kind.ANSWER, b"454 4.7.0 Not now\r\n")}) as peer:
        with pytest.raises(SmtpFailure) as caught:
            run(deliver(peer))
        assert_nothing_was_said(peer)
    assert caught.value.reply is not None
    assert (caught.value.stage, caught.value.reply.code) == (Stage.STARTTLS, 454)


INJECTIONS = [
    b"250 2.0.0 Injected\r\n",
    b"250-chaos\r\n250 AUTH PLAIN\r\n",
    b"2",
    b"421 4.7.0 Go away\r\n",
    b"\x16\x03\x03",
]


@pytest.mark.parametrize("injected", INJECTIONS)
def test_plaintext_after_the_go_ahead_is_not_believed(certificates: Certificates, injected: bytes) -> None:
    with ChaosSmtp(certificates, inject_after_starttls=injected) as peer:
        with pytest.raises(SmtpFailure) as caught:
            run(deliver(peer))
        assert_nothing_was_said(peer)
    assert (caught.value.stage, caught.value.failure) == (Stage.STARTTLS, Failure.TLS)
    assert caught.value.sentence == f"localhost:{peer.port} sent plaintext after agreeing to TLS."


def test_what_was_offered_in_the_clear_is_forgotten(certificates: Certificates) -> None:
    """The clear EHLO offers no AUTH; the one under TLS does, and that is the one that counts."""
    with ChaosSmtp(certificates) as peer:
        run(deliver(peer))
        assert [event["encrypted"] for event in peer.events if event["event"] == "ehlo"] == [False, True]
        assert [event["encrypted"] for event in peer.events if event["event"] == "auth"] == [True]


def test_tls_from_the_first_byte_says_nothing_in_the_clear(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChaosSmtp(certificates, tls="implicit") as peer:
        treat_as_implicit(monkeypatch, peer)
        run(deliver(peer))
        assert {event["encrypted"] for event in peer.events} == {True}
        assert len(peer.log) == 1


def test_a_plaintext_server_on_the_implicit_port_is_told_apart(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ChaosSmtp(certificates) as peer:
        treat_as_implicit(monkeypatch, peer)
        with pytest.raises(SmtpFailure) as caught:
            run(deliver(peer))
        assert_nothing_was_said(peer)
    assert caught.value.sentence == "localhost does not speak TLS on this port."


def test_tls_1_2_is_the_least_that_is_spoken(certificates: Certificates) -> None:
    with ChaosSmtp(certificates) as peer:
        run(deliver(peer))
        [tls] = [event["version"] for event in peer.events if event["event"] == "tls"]
    assert tls in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize("action", [Action(Kind.DROP, b"220 2.0.0 Go ahead\r\n"), Action(Kind.DROP)])
def test_a_peer_that_leaves_instead_of_shaking_hands_is_named(certificates: Certificates, action: Action) -> None:
    with ChaosSmtp(certificates, script={"starttls": action}) as peer:
        with pytest.raises(SmtpFailure, match="closed the connection"):
            run(deliver(peer))
        assert_nothing_was_said(peer)


# -- What the operator may allow


def test_an_insecure_host_may_be_talked_to_in_the_clear(certificates: Certificates) -> None:
    with ChaosSmtp(certificates, tls="none") as peer:
        run(deliver(peer, insecure=True))
        assert peer.count("auth") == 1


def test_an_insecure_host_still_gets_tls_when_it_offers_it(certificates: Certificates) -> None:
    with ChaosSmtp(certificates, certificate=certificates.self_signed) as peer:
        run(deliver(peer, insecure=True))
        assert [event["encrypted"] for event in peer.events if event["event"] == "auth"] == [True]


def test_no_user_name_means_no_login(certificates: Certificates) -> None:
    with ChaosSmtp(certificates, require_login=False) as peer:
        run(deliver(peer, username="", password=""))
        assert (peer.count("auth"), len(peer.log)) == (0, 1)


def test_a_failed_opening_leaves_no_connection_behind(certificates: Certificates) -> None:
    async def scenario(peer: ChaosSmtp) -> None:
        login = login_to(peer, ca_file="")
        with pytest.raises(SmtpFailure):
            await SmtpSession.open(login, target_of(login), PATIENT)

    with ChaosSmtp(certificates) as peer:
        for _ in range(5):
            run(scenario(peer))
        assert peer.count("connect") == 5
    assert peer.connections_open == 0
