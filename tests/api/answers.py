"""Checks of answers that many tests share."""

import uuid
from typing import Any

NOBODY = uuid.UUID("00000000-0000-4000-8000-000000000000")
"""An id that names nothing."""


def assert_code(response: Any, status: int, code: str) -> None:
    """This status with this code in the contract's envelope."""
    assert (response.status_code, response.json()["code"]) == (status, code)
