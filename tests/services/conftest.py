"""What the tests of the services may ask for."""

import pytest

from tests.services.desk import Desk


@pytest.fixture
def desk(db: None) -> Desk:
    """An engine without sockets, inside one transaction that is rolled back."""
    return Desk()
