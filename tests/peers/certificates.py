"""A certificate authority for tests, and server certificates that are good or bad in one named way.

One authority is made per test session (fixture `certificates`); files are PEM, the chain and its key side by side.
"""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ampout.lib import clock

SERVER_NAME = "mail.peer.test"
"""The name that the good certificate is for, besides localhost and the loopback addresses."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """Paths of one server's certificate chain and of its private key, both PEM."""

    chain: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """A TLS context for a server that shows this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


@dataclass(frozen=True, slots=True)
class Certificates:
    """The authority that clients are told to trust, and what its servers (and an impostor) show."""

    authority: Path
    good: ServerCertificate
    wrong_host: ServerCertificate
    expired: ServerCertificate
    self_signed: ServerCertificate


@dataclass(frozen=True, slots=True)
class _Issuer:
    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def make_certificates(folder: Path) -> Certificates:
    """Write a fresh authority and its certificates into `folder`."""
    now = clock.utc_now()
    issuer = _make_authority(now)
    authority = folder / "authority.pem"
    authority.write_bytes(issuer.certificate.public_bytes(serialization.Encoding.PEM))
    names = [SERVER_NAME, "localhost", "127.0.0.1", "::1"]
    return Certificates(
        authority=authority,
        good=_issue(folder / "good", issuer, names, now + timedelta(days=2), now=now),
        wrong_host=_issue(folder / "wrong_host", issuer, ["other.peer.test"], now + timedelta(days=2), now=now),
        expired=_issue(folder / "expired", issuer, names, now - timedelta(days=1), now=now),
        self_signed=_issue(folder / "self_signed", None, names, now + timedelta(days=2), now=now),
    )


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _make_authority(now: datetime) -> _Issuer:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _named("Test authority")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key, now - timedelta(days=30), now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    return _Issuer(name, key, certificate)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begins: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _issue(
    stem: Path,
    issuer: _Issuer | None,
    names: list[str],
    ends: datetime,
    *,
    now: datetime,
) -> ServerCertificate:
    """A server certificate for `names`, signed by `issuer`, or by itself where there is none."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(names[0])
    signer_name, signer_key = (issuer.name, issuer.key) if issuer else (subject, key)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_key.public_key())
    certificate = (
        _builder(subject, signer_name, key, now - timedelta(days=20), ends)
        .add_extension(x509.SubjectAlternativeName([_alternative_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .sign(signer_key, hashes.SHA256())
    )
    return _written(stem, certificate, key)


def _alternative_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _written(stem: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ServerCertificate:
    paths = ServerCertificate(chain=stem.with_suffix(".pem"), key=stem.with_suffix(".key"))
    paths.chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    return paths


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """The session's authority and certificates."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))
