"""The sandbox's own certificate authority, and the certificate of its SMTP server.

The authority is made once and kept, so that its certificate (``ca.pem``, the value of ``SMTP_CA_FILE``) stays valid
over restarts; the server's certificate is made anew at every start. The authority can speak for loopback names only
(name constraints, RFC 5280 section 4.2.1.10): trusting it opens no door to any other host.
"""

import os
import ssl
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_CERTIFICATE = "ca.pem"
CA_KEY = "ca.key"
SERVER_CERTIFICATE = "server.pem"
SERVER_KEY = "server.key"

CA_LIFETIME = timedelta(days=3650)
SERVER_LIFETIME = timedelta(days=397)
"""Browsers and some libraries refuse server certificates that live longer."""
BACKDATED = timedelta(days=1)
"""Certificates begin a day ago, so that a clock set back a little does not make them "not yet valid"."""


class DamagedAuthorityError(Exception):
    """The files of the sandbox's certificate authority cannot be used; the text says which and what to do."""


def make_server_context(state_dir: Path, host: str, now: datetime) -> ssl.SSLContext:
    """A TLS context (1.2 or newer) for a server on ``host``, an IP address, certified by the authority in state_dir.

    Makes the folder and the authority where missing. Raises OSError, and DamagedAuthorityError.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    certificate, key = _load_or_make_authority(state_dir, now)
    _make_server_certificate(state_dir, host, certificate, key, now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(state_dir / SERVER_CERTIFICATE, state_dir / SERVER_KEY)
    return context


def _load_or_make_authority(state_dir: Path, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The authority kept in ``state_dir``; a new one where there is none or where it has run out."""
    certificate_file, key_file = state_dir / CA_CERTIFICATE, state_dir / CA_KEY
    if not certificate_file.exists():
        return _make_authority(state_dir, now)
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except (ValueError, OSError) as error:
        raise DamagedAuthorityError(_advice(state_dir)) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise DamagedAuthorityError(_advice(state_dir))
    if certificate.not_valid_after_utc < now + SERVER_LIFETIME:
        return _make_authority(state_dir, now)
    return certificate, key


def _advice(state_dir: Path) -> str:
    return (
        f"The sandbox's certificate authority in {state_dir} is damaged ({CA_CERTIFICATE} and {CA_KEY} do not "
        f"belong together or cannot be read). Remove both files; the next start makes new ones."
    )


def _make_authority(state_dir: Path, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A new authority, written to ``state_dir``: its key first, for a certificate without a key is a damaged one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Ampout sandbox: loopback only")
    certificate = (
        _builder(name, name, key, now, CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(_loopback_names(), None), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_key(state_dir / CA_KEY, key)
    _write(state_dir / CA_CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return certificate, key


def _make_server_certificate(
    state_dir: Path, host: str, authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    """A certificate for ``localhost``, the loopback addresses and ``host``, written to ``state_dir`` with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    addresses = dict.fromkeys([ip_address("127.0.0.1"), ip_address("::1"), ip_address(host)])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), *(x509.IPAddress(one) for one in addresses)])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _builder(_name("localhost"), authority.subject, key, now, SERVER_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(names, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write_key(state_dir / SERVER_KEY, key)
    _write(state_dir / SERVER_CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    """What both certificates have in common."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _loopback_names() -> list[x509.GeneralName]:
    networks = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    return [x509.DNSName("localhost"), *(x509.IPAddress(network) for network in networks)]


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """An authority signs certificates; a TLS server signs handshakes. Neither does anything else."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(path, pem, 0o600)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write the whole file or nothing: beside it first, with its mode from the first byte on, then renamed over it."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    beside.replace(path)
