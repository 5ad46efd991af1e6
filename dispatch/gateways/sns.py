"""Amazon SNS on the wire: its signing certificates, which are fetched and kept, and the confirmation of subscriptions.

Where a certificate comes from is what makes it Amazon's: one exact host, whose name TLS verifies, behind the outbound
door. The file holds the end certificate alone, so its chain cannot be followed; its dates are checked.
"""

import base64
import threading
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ampout.lib import http
from ampout.lib.errors import AmpoutError
from dispatch.rules.sns import SnsMessage, confirmation_url

FETCH_SECONDS = 5.0
"""Amazon waits 15 s for an answer to its call, which may need a certificate and a confirmation."""
LARGEST_ANSWER = 65_536
MOST_KEYS = 64
"""Certificates kept in memory. Amazon has one or two a region at a time, and gives each a new address."""
SMALLEST_KEY_BITS = 2_048

_HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303  # Amazon's choice


class AmazonSilent(AmpoutError):
    """Amazon could not be asked, or did not answer as it should: the call may be good, and is to be sent again."""

    code = "unavailable"
    http_status = 503


@dataclass(slots=True)
class Amazon:
    """Amazon's side, asked through the outbound door. `port` is another one where a test plays Amazon."""

    port: int = 443
    _certificates: dict[str, x509.Certificate] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def has_signed(self, message: SnsMessage, at: datetime) -> bool:
        """Whether the signature is right by a certificate that is valid at that time. Raises AmazonSilent."""
        certificate = self._certificate(message.certificate_url)
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            return False
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey) or key.key_size < SMALLEST_KEY_BITS:
            return False
        try:
            signature = base64.b64decode(message.signature, validate=True)
            signed = message.signed_text.encode()
            key.verify(signature, signed, padding.PKCS1v15(), _HASHES[message.version])
        except (InvalidSignature, ValueError):
            return False
        return True

    def confirm(self, topic_arn: str, token: str) -> None:
        """Confirm a subscription of this topic. Raises AmazonSilent."""
        self._fetch(confirmation_url(topic_arn, token))

    def _certificate(self, url: str) -> x509.Certificate:
        kept = self._certificates.get(url)
        if kept is not None:
            return kept
        try:
            certificate = x509.load_pem_x509_certificate(self._fetch(url))
        except ValueError:
            raise AmazonSilent("Amazon's signing certificate cannot be read.") from None
        with self._lock:
            if len(self._certificates) >= MOST_KEYS:
                self._certificates.clear()
            self._certificates[url] = certificate
        return certificate

    def _fetch(self, url: str) -> bytes:
        try:
            answer = http.fetch(
                self._with_port(url),
                ports={self.port},
                limit_bytes=LARGEST_ANSWER,
                timeout=FETCH_SECONDS,
            )
        except http.HttpFailure as failure:
            raise AmazonSilent(f"Amazon SNS cannot be asked: {failure.message}") from None
        if answer.status != 200 or answer.truncated:
            raise AmazonSilent(f"Amazon SNS answered {answer.status}.")
        return answer.body

    def _with_port(self, url: str) -> str:
        if self.port == http.parse_url(url).port:
            return url
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        return f"{scheme}://{host}:{self.port}{slash}{path}"
