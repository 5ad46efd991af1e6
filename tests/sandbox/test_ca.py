"""The certificate authority: kept over restarts, careful with its key, good for loopback alone."""

import ssl
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ampout.lib import clock
from ampout.sandbox import ca
from ampout.sandbox.ca import DamagedAuthorityError, make_server_context
from tests.sandbox.running import HOST

NOW = clock.utc_now()


def shake_hands(server_context: ssl.SSLContext, ca_file: Path, host: str) -> None:
    """A whole TLS handshake in memory; raises what the client raises."""
    client_context = ssl.create_default_context(cafile=str(ca_file))
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_the_server_is_trusted_under_its_loopback_names(tmp_path: Path, host: str) -> None:
    shake_hands(make_server_context(tmp_path, HOST, NOW), tmp_path / "ca.pem", host)


def test_the_server_is_trusted_under_the_address_it_listens_on(tmp_path: Path) -> None:
    shake_hands(make_server_context(tmp_path, "127.0.0.77", NOW), tmp_path / "ca.pem", "127.0.0.77")


@pytest.mark.parametrize("host", ["smtp.example.com", "127.0.0.2", "192.0.2.1"])
def test_the_server_is_not_trusted_under_other_names(tmp_path: Path, host: str) -> None:
    context = make_server_context(tmp_path, HOST, NOW)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
        shake_hands(context, tmp_path / "ca.pem", host)


def test_the_authority_cannot_speak_for_the_rest_of_the_world(tmp_path: Path) -> None:
    context = make_server_context(tmp_path, "192.0.2.1", NOW)
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shake_hands(context, tmp_path / "ca.pem", "192.0.2.1")


def test_the_authority_is_kept_and_the_server_certificate_is_new(tmp_path: Path) -> None:
    make_server_context(tmp_path, HOST, NOW)
    authority, server = (tmp_path / "ca.pem").read_bytes(), (tmp_path / "server.pem").read_bytes()
    again = make_server_context(tmp_path, HOST, NOW)
    assert (tmp_path / "ca.pem").read_bytes() == authority
    assert (tmp_path / "server.pem").read_bytes() != server
    shake_hands(again, tmp_path / "ca.pem", "localhost")


def test_an_authority_about_to_run_out_is_replaced(tmp_path: Path) -> None:
    make_server_context(tmp_path, HOST, NOW - timedelta(days=3600))
    shake_hands(make_server_context(tmp_path, HOST, NOW), tmp_path / "ca.pem", "localhost")
    assert x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes()).not_valid_before_utc < NOW


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    make_server_context(tmp_path, HOST, NOW)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"ca.key": 0o600, "server.key": 0o600, "ca.pem": 0o644, "server.pem": 0o644}


def test_old_tls_is_not_spoken(tmp_path: Path) -> None:
    assert make_server_context(tmp_path, HOST, NOW).minimum_version is ssl.TLSVersion.TLSv1_2


def remove_the_key(folder: Path) -> None:
    (folder / ca.CA_KEY).unlink()


def garble_the_certificate(folder: Path) -> None:
    (folder / ca.CA_CERTIFICATE).write_text("no certificate")


def swap_the_key(folder: Path) -> None:
    (folder / ca.CA_KEY).write_bytes((folder / ca.SERVER_KEY).read_bytes())


def put_a_key_of_another_kind(folder: Path) -> None:
    kind = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / ca.CA_KEY).write_bytes(Ed25519PrivateKey.generate().private_bytes(*kind))


@pytest.mark.parametrize(
    "damage",
    [remove_the_key, garble_the_certificate, swap_the_key, put_a_key_of_another_kind],
    ids=lambda f: f.__name__,
)
def test_a_damaged_authority_is_named_with_what_to_do(tmp_path: Path, damage: object) -> None:
    make_server_context(tmp_path, HOST, NOW)
    assert callable(damage)
    damage(tmp_path)
    with pytest.raises(DamagedAuthorityError, match="Remove both files; the next start makes new ones"):
        make_server_context(tmp_path, HOST, NOW)
