"""Hooks with known secrets, and calls as each provider makes them."""

import base64
import hashlib
import hmac
import json
import types
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client
from django.urls import path
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from ampout.lib import clock
from credentials.models import ProviderHook, SmtpCredential
from dispatch.gateways.sns import Amazon
from dispatch.intake.views import take_call
from tests import factories
from tests.peers import amazon as sns
from tests.peers.amazon import PretendAmazon, running_amazon
from tests.peers.dns_server import DnsServer, dns_server

__all__ = ["dns_server"]

CALLS = Path(__file__).resolve().parent.parent / "fixtures" / "provider_calls"
SECRET = factories.HOOK_SECRET
MAILGUN_KEY = "key-3ax6xnjp29jd6fds4gc373sgvjxteol0"
SENDGRID_KEY = ec.generate_private_key(ec.SECP256R1())
SENDGRID_PUBLIC = base64.b64encode(
    SENDGRID_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
TOKEN = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
OUR_ID = "<0f1e2d3c4b5a69788796a5b4c3d2e1f0.00112233445566778899aabb@sender.example>"
RECIPIENT = "anna@recipient.example"
CONTENT_TYPES = {
    ".json": "application/json",
    ".form": "application/x-www-form-urlencoded",
    ".multipart": "multipart/form-data; boundary=c1a5e9a8d04b4d2c",
}

FACTS: dict[str, dict[str, str]] = {
    "mailgun": {"signing_key": MAILGUN_KEY, "secret": ""},
    "amazon_ses": {"topic_arn": sns.TOPIC},
}
"""What a provider's hook has besides our secret."""


def captured(provider: str, name: str) -> bytes:
    """The body of a captured call."""
    return (CALLS / provider / name).read_bytes()


@dataclass(frozen=True)
class Posting:
    """One request to make."""

    path: str
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] | None = None

    def send(self, client: Client, method: str = "POST") -> Any:
        """Django's answer."""
        return client.generic(method, self.path, self.body, content_type=self.content_type, headers=self.headers or {})


def basic(secret: str = SECRET, user: str = "ampout") -> dict[str, str]:
    """The header of basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


def mailgun_signature(token: str = TOKEN, key: str = MAILGUN_KEY, *, age_seconds: int = 0) -> dict[str, str]:
    """Mailgun's signature of a time and a token."""
    timestamp = str(int(clock.utc_now().timestamp()) - age_seconds)
    digest = hmac.new(key.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    return {"timestamp": timestamp, "token": token, "signature": digest}


def sendgrid_signature(body: bytes, *, age_seconds: int = 0) -> dict[str, str]:
    """The headers of SendGrid's signed event webhook."""
    timestamp = str(int(clock.utc_now().timestamp()) - age_seconds)
    signature = SENDGRID_KEY.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
    }


def posting(hook: ProviderHook, name: str, body: bytes | None = None) -> Posting:
    """A captured call as this hook's provider would make it now."""
    body = captured(hook.provider, name) if body is None else body
    url = f"/hooks/in/{hook.provider}/{hook.credential_id}"
    if hook.provider == "mailgun":
        event = json.loads(body) | {"signature": mailgun_signature(uuid.uuid4().hex + "00")}
        return Posting(url, json.dumps(event).encode())
    if hook.provider == "amazon_ses":
        return Posting(f"{url}?secret={SECRET}", sns.as_body(sns.notification(body.decode())), "text/plain")
    if hook.signing_key:
        return Posting(url, body, headers=sendgrid_signature(body))
    return Posting(url, body, CONTENT_TYPES[Path(name).suffix], basic())


@pytest.fixture
def credential(account: Account) -> SmtpCredential:
    return factories.make_credential(account)


def make_hook(credential: SmtpCredential, provider: str, **facts: Any) -> ProviderHook:
    """A hook of this provider with the keys that the calls above are signed by."""
    return factories.make_hook(credential, **({"provider": provider} | FACTS.get(provider, {}) | facts))


class Sinkhole:
    """A listener that nobody should ever connect to; every name leads to it."""

    def __init__(self, dns: DnsServer) -> None:
        import socket  # noqa: PLC0415

        self._dns = dns
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]

    def connections(self) -> int:
        """How many came."""
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def names_asked(self) -> int:
        """How many questions the DNS got."""
        return sum(self._dns._asked.values())

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def sinkhole(dns_server: DnsServer, settings: Settings) -> Iterator[Sinkhole]:
    """Where all that a forgery might make us fetch would lead."""
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    hole = Sinkhole(dns_server)
    for name in (sns.HOST, f"{sns.HOST}.evil.example", "evil.example", "s3.amazonaws.com"):
        dns_server.addresses(name, "127.0.0.1")
    asking(settings, Amazon(port=hole.port))
    yield hole
    hole.close()


@pytest.fixture
def amazon(dns_server: DnsServer, settings: Settings, tmp_path: Path) -> Iterator[PretendAmazon]:
    """Amazon on loopback, which the calls of this test are checked with."""
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.HTTP_CA_FILE = str(tmp_path / "amazon.pem")
    dns_server.addresses(sns.HOST, "127.0.0.1")
    with running_amazon(tmp_path) as running:
        asking(settings, running.amazon)
        yield running


def asking(settings: Settings, amazon: Amazon) -> None:
    """Let the calls of this test be checked with another Amazon."""
    urls: Any = types.ModuleType("urls_of_a_test")
    urls.urlpatterns = [path("hooks/in/<str:provider>/<str:credential_id>", take_call, {"amazon": amazon})]
    urls.handler400 = "ampout.api.errors.bad_request"
    settings.ROOT_URLCONF = urls


@pytest.fixture
def client() -> Client:
    return Client()
