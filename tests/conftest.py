"""What every test may ask for."""

import ipaddress
import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.db.backends.postgresql.operations import DatabaseOperations
from django.test import Client
from hypothesis import settings

from ampout.accounts.models import Account
from tests import factories
from tests.api import described

JSON = "application/json"

# No deadline: how long an example takes on a busy machine says nothing about the code.
settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")


@pytest.fixture(scope="session", autouse=True)
def tables_emptied_by_delete() -> Iterator[None]:
    """After a test with real transactions, empty the tables by DELETE: on small ones a hundredth of TRUNCATE's time.

    Foreign keys are not looked at meanwhile, which takes a superuser: that of the private server.
    """

    def statements(_self: object, _style: object, tables: Sequence[str], **_options: object) -> list[str]:
        deletions = [f'DELETE FROM "{table}";' for table in tables]
        return ["SET session_replication_role = replica;", *deletions, "SET session_replication_role = DEFAULT;"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", statements)
        yield


class ApiClient:
    """A client of the API with one bearer key. Answers are Django's, with `.json()`; every path starts with `/`.

    Its `address` is its own, so that limits by client address are too.
    """

    def __init__(self, account: Account | None, key: str | None) -> None:
        self.address = str(ipaddress.IPv4Address(b"\x0a" + uuid.uuid4().bytes[:3]))
        self._client = Client(REMOTE_ADDR=self.address)
        self._account = account
        self.key = key
        self.is_described = True
        """False where a test makes the server answer what it never does by itself."""

    @property
    def account(self) -> Account:
        """The account that the key belongs to."""
        assert self._account is not None
        return self._account

    def get(self, path: str, **query: Any) -> Any:
        """GET with a query string."""
        return self._seen("GET", path, self._client.get(path, query, headers=self._headers({})))

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """POST a body as JSON (bytes go as they are); `idempotency_key=` and the like become headers."""
        return self.send("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        """PATCH a body as JSON."""
        return self.send("PATCH", path, body, **headers)

    def delete(self, path: str, body: Any = None, **headers: str) -> Any:
        """DELETE, with a body only when one is given."""
        return self.send("DELETE", path, body, **headers)

    def send(self, method: str, path: str, body: Any = None, *, content_type: str = JSON, **headers: str) -> Any:
        """Any method, any content type."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer = self._client.generic(method, path, data, content_type=content_type, headers=self._headers(headers))
        return self._seen(method, path, answer)

    def upload(self, path: str, fields: dict[str, Any], **headers: str) -> Any:
        """POST fields and files as multipart/form-data."""
        return self._seen("POST", path, self._client.post(path, fields, headers=self._headers(headers)))

    def _seen(self, method: str, path: str, answer: Any) -> Any:
        """The answer, which is as the API is described."""
        assert not self.is_described or described.problems(method, path, answer) == []
        return answer

    def _headers(self, headers: dict[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return named if self.key is None else {"Authorization": f"Bearer {self.key}"} | named


@pytest.fixture
def account(db: None) -> Account:
    """Alice, a tenant."""
    return factories.make_account("Alice")


@pytest.fixture
def other_account(db: None) -> Account:
    """Bob, another tenant, whose things Alice must never see."""
    return factories.make_account("Bob")


@pytest.fixture
def api(account: Account) -> ApiClient:
    """Alice's client."""
    return ApiClient(account, factories.make_key(account).plaintext)


@pytest.fixture
def other_api(other_account: Account) -> ApiClient:
    """Bob's client."""
    return ApiClient(other_account, factories.make_key(other_account).plaintext)


@pytest.fixture
def anonymous(db: None) -> ApiClient:
    """A client without a key."""
    return ApiClient(None, None)
