"""One gunicorn for all tests of this folder."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from ampout.accounts.models import Account
from tests import factories
from tests.web.server import WebServer, running_server


@pytest.fixture(scope="session")
def server(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[WebServer]:
    """It answers from the tables of these tests, whose changes it sees as they commit."""
    with django_db_blocker.unblock(), running_server() as started:
        yield started


@pytest.fixture
def tenant(transactional_db: None) -> Account:
    """Alice."""
    return factories.make_account("Alice")


@pytest.fixture
def key(tenant: Account) -> str:
    """Alice's key."""
    return factories.make_key(tenant).plaintext
