"""Every flow that touches a secret, by HTTP alone, good and bad and sabotaged."""

import base64
import http.client
import json
import re
import secrets
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from django.contrib import admin

from ampout.api.admin.columns import list_url
from ampout.supervisor.ports import HOST
from tests.peers.chaos_smtp import ChaosSmtp
from tests.peers.webhook_sink import Call, Reply, WebhookSink
from tests.secrets.canaries import NOWHERE, Canaries
from tests.secrets.echoes import Mailbox
from tests.secrets.lab import OPERATOR, CanaryLab

SECRET_ANSWERS = r"POST /webhooks(/[^/]+/rotate_secret)? 20[01]"
URL_ANSWERS = r"(GET|POST|PATCH) /webhooks(/[^/]+(/rotate_secret)?)? 20[01]"
RIGHT = "operator password"
HOOK_ANSWERS = r"POST .*/provider_hooks(/[^/]+/rotate_secret)? 20[01]"


@dataclass(frozen=True, slots=True)
class Answered:
    """What the web process said to one call; `call` is method, path and status."""

    call: str
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def everything(self) -> bytes:
        """Headers and body."""
        return b"\n".join([*(f"{name}: {value}".encode() for name, value in self.headers), b"", self.body])


@dataclass(slots=True)
class Client:
    """One of the web processes, and who calls it."""

    port: int
    heard: list[Answered]
    key: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        """Call, and remember the answer. Bytes go as they are, a dict as JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key:
            sent.setdefault("Authorization", f"Bearer {self.key}")
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(HOST, self.port, timeout=60)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            contents = response.read()
        finally:
            connection.close()
        answered = Answered(f"{method} {path} {response.status}", response.status, response.getheaders(), contents)
        self.heard.append(answered)
        for name, value in answered.headers:
            if name.lower() == "set-cookie":
                cookie, _, rest = value.partition("=")
                self.cookies[cookie] = rest.partition(";")[0]
        return answered

    def expect(self, status: int, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """As `call`, where only one status is right; the JSON of the answer."""
        answered = self.call(method, path, body, **headers)
        assert answered.status == status, (answered.call, answered.body[:500])
        return answered.json if answered.body else None

    def shout(self, raw: bytes) -> bytes:
        """Raw bytes on a connection of their own; what came back."""
        with socket.create_connection((HOST, self.port), timeout=20) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65_536), b""))

    def as_browser(self) -> "Client":
        """The same process, called without a key."""
        return Client(self.port, self.heard)


@dataclass(slots=True)
class Storm:
    """Drives one lab. `heard` is every answer; `campaigns` has each mailbox's path in the API."""

    lab: CanaryLab
    canaries: Canaries
    sink: WebhookSink
    heard: list[Answered] = field(default_factory=list)
    credential_paths: list[str] = field(default_factory=list)
    _echoing: list[str] = field(default_factory=list)

    def clients(self) -> list[Client]:
        """The web process as shipped, and the one in debug mode."""
        return [Client(port, self.heard) for port in (self.lab.web_port, self.lab.debug_port)]

    # -- Accounts and keys

    def sign_up(self, client: Client) -> None:
        """An account and its key, once more with an idempotency key, and by sabotaged code."""
        body = {"email": f"{secrets.token_hex(4)}@tenant.example", "name": "Canary"}
        for place in ("digest", "render", "keep"):
            client.call("POST", "/signup", body, X_Sabotage=place, Idempotency_Key=f"{place}{secrets.token_hex(4)}")
        made = client.expect(201, "POST", "/signup", body, Idempotency_Key=secrets.token_hex(4))
        client.key = self._key_canary(made["api_key"]["plaintext"], "POST /signup 201")

    def use_keys(self, client: Client) -> None:
        """Keys that are made, kept for a repeated call, revoked, wrong, and in wrong places."""
        again = {"Idempotency_Key": secrets.token_hex(8)}
        made = client.expect(201, "POST", "/api_keys", {"label": "second"}, **again)
        self._key_canary(made["plaintext"], "POST /api_keys 201")
        assert client.expect(201, "POST", "/api_keys", {"label": "second"}, **again) == made
        client.expect(204, "DELETE", f"/api_keys/{made['id']}")
        for place in ("digest", "render", "keep"):
            client.call("POST", "/api_keys", {"label": place}, X_Sabotage=place, Idempotency_Key=place)
        stranger = client.as_browser()
        for text in (made["plaintext"], self.canaries["wrong API key"]):
            stranger.call("GET", "/account", Authorization=f"Bearer {text}")
            stranger.call("GET", "/account", Authorization=f"Token {text}")
            stranger.call("GET", f"/account?api_key={text}")
            stranger.call("GET", f"/account/{text}")
            stranger.call("GET", "/account", Authorization=f"Bearer {text}", X_Sabotage="digest")
            stranger.shout(f"GET /account HTTP/1.1\r\nHost: localhost\r\nAuthorization Bearer {text}\r\n\r\n".encode())
            stranger.shout(f"GET /account?{text} HTTP/9.x {text}\r\n\r\n".encode())
            stranger.shout(f"GET /account HTTP/1.1\r\nHost: localhost\r\nAuth: {text}\x00\r\n\r\n".encode())

    def _key_canary(self, plaintext: str, shown: str) -> str:
        return self._new("API key", plaintext, shown)

    def _new(self, name: str, value: str, shown: str = NOWHERE) -> str:
        """One more of its kind."""
        return self.canaries.add(f"{name} {len(list(self.canaries))}", value, shown)

    # -- Mailboxes

    def make_campaigns(self, client: Client, mailboxes: list[Mailbox]) -> None:
        """A campaign and a person for each mailbox, released."""
        client.expect(200, "PATCH", "/account", {"sender_name": "Canary", "postal_address": "1 Loopback Lane"})
        for number, mailbox in enumerate(mailboxes):
            credential = {"from_email": f"sender{number}@sender.example", "daily_limit": 50, **mailbox.fields}
            body = {
                "name": mailbox.case.smtp,
                "min_wait_seconds": 0,
                "max_wait_seconds": 0,
                "smtp_credentials": [credential],
                "sequence_steps": [{"subject": "Hello", "body_html": "<p>Hello</p>"}],
            }
            for place in ("encrypt", "render"):
                client.call("POST", "/campaigns", body, X_Sabotage=place)
            made = client.expect(201, "POST", "/campaigns", body, Idempotency_Key=f"campaign{number}")
            contact = {"email": f"person{number}@recipient.example"}
            imported = client.expect(201, "POST", "/contact_imports", {"name": "list", "contacts": [contact]})
            path = f"/campaigns/{made['id']}"
            client.expect(201, "POST", f"{path}/enroll", {"contact_import_id": imported["id"]})
            client.expect(200, "POST", f"{path}/dispatch", {})
            (shown,) = client.expect(200, "GET", f"{path}/smtp_credentials")
            self.credential_paths.append(f"{path}/smtp_credentials/{shown['id']}")

    def check_logins(self, client: Client) -> None:
        """Trial logins, also with code that fails."""
        for path in self.credential_paths:
            client.call("POST", f"{path}/check", {})
        for place in ("smtp", "imap", "render"):
            client.call("POST", f"{self.credential_paths[0]}/check", {}, X_Sabotage=place)

    def misuse_secret_fields(self, client: Client) -> None:
        """Values that are refused, and bodies that cannot be read, with secrets in them."""
        path, secret = self.credential_paths[-1], self.canaries["SMTP password of user0"]
        for value in ([secret], {"password": secret}, secret + "\x00", secret + "\n", secret * 100, 7):
            for name in ("smtp_password", "imap_password"):
                client.expect(422, "PATCH", path, {name: value})
            client.call("POST", f"{path}/provider_hooks", {"provider": "mailgun", "signing_key": value})
        client.expect(422, "PATCH", path, {"smtp_password": secret, "daily_limit": "many"})
        quoted = json.dumps(secret)
        for raw in (
            f'{{"smtp_password": {quoted}',
            f'{{"smtp_password": {quoted}}} x',
            f'{{"smtp_password": "{secret}',
        ):
            client.expect(400, "PATCH", path, raw.encode(), Content_Type="application/json")
        client.call("PATCH", path, urlencode({"smtp_password": secret}).encode(), Content_Type="text/plain")

    def change_passwords(self, client: Client) -> None:
        """Good changes, and changes in code that fails. The old passwords stay canaries."""
        path = self.credential_paths[-1]
        old = self.canaries["SMTP password of user8"]
        new = self._new("new IMAP password", self.canaries.tricky("long"))
        for place in ("encrypt", "render", "keep"):
            client.call("PATCH", path, {"imap_password": new}, X_Sabotage=place, Idempotency_Key=f"patch{place}")
        client.expect(200, "PATCH", path, {"smtp_password": old, "imap_password": new, "imap_username": "user8"})

    # -- Webhooks and hooks

    def make_webhooks(self, client: Client) -> None:
        """A receiver that echoes what it can, one that our code cannot call, and URLs that are refused."""
        for path in ("echo", "sabotaged"):
            hidden = self._new("secret in a URL", secrets.token_urlsafe(18), URL_ANSWERS)
            url = self.sink.url(f"/{path}/{hidden}?key={hidden}")
            for place in ("url", "encrypt", "render"):
                client.call("POST", "/webhooks", {"url": self.sink.url(f"/{place}/{hidden}")}, X_Sabotage=place)
            made = client.expect(201, "POST", "/webhooks", {"url": url}, Idempotency_Key=f"webhook{path}")
            first = self._new("secret of a webhook", made["secret"], SECRET_ANSWERS)
            client.call("POST", f"/webhooks/{made['id']}/rotate_secret", {}, X_Sabotage="encrypt")
            rotated = client.expect(200, "POST", f"/webhooks/{made['id']}/rotate_secret", {})
            second = self._new("secret of a webhook", rotated["secret"], SECRET_ANSWERS)
            self._echo(f"/{path}/{hidden}", url, first, second)
        refused = self._new("password in a URL", secrets.token_urlsafe(12))
        client.expect(422, "POST", "/webhooks", {"url": f"https://user:{refused}@receiver.example/x"})
        client.expect(422, "POST", "/webhooks", {"url": f"https://receiver.example/{refused}#x"})
        client.expect(422, "POST", "/webhooks", {"url": f"https://10.0.0.1/{refused}"})

    def _echo(self, path: str, url: str, *keys: str) -> None:
        raw = [base64.b64decode(key.removeprefix("whsec_")).hex() for key in keys]
        words = [f"Cannot POST {path}", url, quote(url, safe=""), repr(url), json.dumps({"url": url}), *keys, *raw]
        words += [base64.b64encode(word.encode()).decode() for word in (url, *keys)]
        headers = (("X-Echo", keys[0]), ("Location", url), ("Retry-After", keys[0]))
        body = "\n".join(words)
        self._echoing.append(path)
        redirect = Reply(302, headers=headers, body=body.encode())
        self.sink.reply(path, Reply(500, headers=headers, body=body.encode()), redirect)

    def calls(self, path: str) -> list[Call]:
        """What the receivers whose path begins so were sent."""
        return [call for name in self._echoing if name.startswith(f"/{path}/") for call in self.sink.calls(name)]

    def use_hooks(self, client: Client) -> None:
        """Hooks of providers; calls with the right secret, wrong ones, and secrets in wrong places."""
        path = f"{self.credential_paths[-1]}/provider_hooks"
        credential_id = self.credential_paths[-1].rpartition("/")[2]
        for place in ("encrypt", "render"):
            client.call("POST", path, {"provider": "brevo"}, X_Sabotage=place)
        made = client.expect(201, "POST", path, {"provider": "postmark"})
        secret = self._new("hook secret", made["secret"], HOOK_ANSWERS)
        self._new("hook login", base64.b64encode(f"ampout:{secret}".encode()).decode(), HOOK_ANSWERS)
        key = self.canaries["signing key"]
        signed = client.expect(201, "POST", path, {"provider": "mailgun", "signing_key": key})
        self._new("secret of a signed hook", signed["secret"] or secrets.token_hex(8), HOOK_ANSWERS)
        rotated = client.expect(200, "POST", f"{path}/{made['id']}/rotate_secret", {})
        fresh = self._new("fresh hook secret", rotated["secret"], HOOK_ANSWERS)
        provider, body = client.as_browser(), {"RecordType": "Bounce", "MessageID": "x", "ID": 1}
        address = f"/hooks/in/postmark/{credential_id}"
        for word in (secret, fresh, self.canaries["wrong hook secret"]):
            basic = base64.b64encode(f"ampout:{word}".encode()).decode()
            provider.call("POST", address, body, Authorization=f"Basic {basic}")
            provider.call("POST", address, body, Authorization=f"Basic {basic}", X_Sabotage="hook")
            provider.call("POST", address, b"{", Authorization=f"Basic {basic}", Content_Type="application/json")
            provider.call("POST", f"{address}/{word}", body)
            provider.call("POST", f"{address}?secret={word}", body)
        provider.call("POST", f"/hooks/in/mailgun/{credential_id}", body, Authorization=f"Basic {basic}")

    # -- What everybody may read

    def read_everything(self, client: Client) -> None:
        """Every list and object of the API."""
        lists = ("account", "api_keys", "contact_imports", "contacts", "suppressions", "outreaches", "campaigns")
        for name in (*lists, "messages", "webhooks", "events?limit=100", "usage", "healthz", "openapi.json", "nothing"):
            client.call("GET", f"/{name}")
        for name in ("messages", "webhooks", "campaigns", "contacts"):
            for shown in client.expect(200, "GET", f"/{name}"):
                client.call("GET", f"/{name}/{shown['id']}")
                client.call("GET", f"/{name}/{shown['id']}/deliveries")
        for path in self.credential_paths:
            client.call("GET", path)
            client.call("GET", path.rpartition("/")[0])
            client.call("GET", f"{path}/provider_hooks")
            client.call("GET", path, X_Sabotage="render")

    def unsubscribe(self, client: Client, server: ChaosSmtp) -> None:
        """The links of a delivered message, looked at and used."""
        found = re.search(
            rb"/u/([A-Za-z0-9_.~-]+)", b"".join(entry["raw"] for entry in server.log).replace(b"=\r\n", b"")
        )
        assert found is not None
        token = self.canaries.add("unsubscribe token", found[1].decode())
        browser = client.as_browser()
        for method, sabotaged in (("GET", "token"), ("GET", ""), ("POST", "")):
            browser.call(method, f"/u/{token}", X_Sabotage=sabotaged)

    def use_admin(self, client: Client) -> Client:
        """An operator who mistypes, logs in and issues a key."""
        browser = client.as_browser()
        for word, place in (
            ("wrong operator password", ""),
            ("operator password", "authenticate"),
            ("operator password", ""),
        ):
            page = browser.call("GET", "/admin/login/")
            self._post(browser, "/admin/login/", page, place, username=OPERATOR, password=self.canaries[word])
        assert "sessionid" in browser.cookies
        page = browser.call("GET", "/admin/accounts/account/")
        account = re.search(rb'name="_selected_action" value="([^"]+)"', page.body)
        assert account is not None, page.body[:2_000]
        chosen = {"action": "issue_key", "_selected_action": account[1].decode()}
        issued = self._post(browser, "/admin/accounts/account/", page, "", **chosen)
        key = re.search(rb"ak_live_[0-9A-Za-z_-]+", issued.body)
        assert key is not None, issued.body[:2_000]
        self._key_canary(key[0].decode(), "POST /admin/accounts/account/ 200")
        browser.call("GET", "/admin/")
        return browser

    def _post(self, browser: Client, path: str, page: Answered, place: str, **values: str) -> Answered:
        found = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page.body)
        assert found is not None, page.body[:2_000]
        body = urlencode({"csrfmiddlewaretoken": found[1].decode(), **values}).encode()
        form = {"Content_Type": "application/x-www-form-urlencoded", "X_Sabotage": place}
        return browser.call("POST", path, body, Origin=f"http://{HOST}:{browser.port}", **form)

    def read_admin(self, browser: Client) -> None:
        """Every list, and of each the first record with its history."""
        seen = 0
        for path in map(list_url, admin.site._registry):
            page = browser.call("GET", path)
            assert page.status == 200, page.call
            for record in sorted(set(re.findall(rf'href="({path}[^/?"]+/change/)', page.body.decode())))[:1]:
                seen += browser.call("GET", record).status == 200
                seen += browser.call("GET", record.replace("/change/", "/history/")).status == 200
        assert seen > 30, seen
