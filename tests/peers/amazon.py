"""Amazon SNS on loopback: a host with the region's own name, a signing certificate, and signed messages.

One certificate stands for both of Amazon's: TLS shows it, and its key signs. The tests trust it by HTTP_CA_FILE, and
the name leads to loopback by a DNS server of theirs.
"""

import base64
import functools
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from ampout.lib import clock
from dispatch.gateways.sns import Amazon
from tests.peers.certificates import ServerCertificate
from tests.peers.webhook_sink import Reply, WebhookSink, running_webhook_sink

HOST = "sns.us-east-1.amazonaws.com"
TOPIC = "arn:aws:sns:us-east-1:123456789012:bounces"
CERTIFICATE_PATH = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
TOKEN = "2336412f37fb687f5d51e6e241d59b68c9e0f1d2a3b4c5d6e7f8"
Envelope = dict[str, Any]


@functools.cache
def signing_key() -> rsa.RSAPrivateKey:
    """Amazon's, made once a session."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def make_certificate(key: rsa.RSAPrivateKey, *, begins: datetime, ends: datetime) -> bytes:
    """A certificate of the host, signed by itself, as PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class PretendAmazon:
    """The host, what it was asked, and what it signs. `amazon` is what the code under test asks."""

    def __init__(self, sink: WebhookSink, certificate: bytes) -> None:
        self._sink = sink
        self._certificate = certificate
        self.amazon = Amazon(port=sink.port)
        self.is_up()

    def shows(self, certificate: bytes) -> None:
        """Answer the certificate's address by this."""
        self._sink.reply(CERTIFICATE_PATH, Reply(200, body=certificate))

    def is_up(self) -> None:
        """Answer as Amazon does."""
        self.shows(self._certificate)
        self._sink.reply("/", Reply(200, body=b"<ConfirmSubscriptionResponse/>"))

    def is_down(self) -> None:
        """Answer everything by 503 from now on."""
        self._sink.reply(CERTIFICATE_PATH, Reply(503))
        self._sink.reply("/", Reply(503))

    def certificates_fetched(self) -> int:
        """How often the certificate was asked for."""
        return len(self._sink.calls(CERTIFICATE_PATH))

    def confirmations(self) -> list[str]:
        """Path and query of each confirmation."""
        return [call.path for call in self._sink.calls("/")]


def signed(envelope: Envelope, version: str = "1", key: rsa.RSAPrivateKey | None = None) -> Envelope:
    """The envelope with its signature, as Amazon makes it."""
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if envelope["Type"] != "Notification":
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope)
    algorithm: hashes.HashAlgorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
    signature = (key or signing_key()).sign(text.encode(), padding.PKCS1v15(), algorithm)
    return envelope | {"SignatureVersion": version, "Signature": base64.b64encode(signature).decode()}


def notification(message: str, *, version: str = "1", **changes: Any) -> Envelope:
    """A signed notification of now; `changes` are made before it is signed."""
    facts = {
        "Type": "Notification",
        "MessageId": str(uuid.uuid4()),
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": message,
        "Timestamp": _written(clock.utc_now()),
        "SigningCertURL": f"https://{HOST}{CERTIFICATE_PATH}",
        "UnsubscribeURL": f"https://{HOST}/?Action=Unsubscribe&SubscriptionArn={TOPIC}:c9135db0",
    }
    return signed(facts | changes, version)


def subscription(kind: str = "SubscriptionConfirmation", **changes: Any) -> Envelope:
    """A signed request to confirm, or the notice of an end."""
    facts = {
        "Type": kind,
        "MessageId": str(uuid.uuid4()),
        "Token": TOKEN,
        "TopicArn": TOPIC,
        "Message": f"You have chosen to subscribe to the topic {TOPIC}.\nTo confirm, visit the SubscribeURL.",
        "SubscribeURL": f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={TOKEN}",
        "Timestamp": _written(clock.utc_now()),
        "SigningCertURL": f"https://{HOST}{CERTIFICATE_PATH}",
    }
    return signed(facts | changes)


def as_body(envelope: Envelope) -> bytes:
    """What is posted."""
    return json.dumps(envelope).encode()


def _written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


@contextmanager
def running_amazon(folder: Path) -> Iterator[PretendAmazon]:
    """Amazon inside the block; `folder/amazon.pem` is the authority to trust."""
    now = clock.utc_now()
    certificate = make_certificate(signing_key(), begins=now - timedelta(days=1), ends=now + timedelta(days=1))
    shown = ServerCertificate(chain=folder / "amazon.pem", key=folder / "amazon.key")
    shown.chain.write_bytes(certificate)
    shown.key.write_bytes(
        signing_key().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    with running_webhook_sink(shown.server_context()) as sink:
        yield PretendAmazon(sink, certificate)
