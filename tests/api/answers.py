"""Checks of answers that many tests share."""

import uuid
from collections.abc import Callable
from typing import Any

NOBODY = uuid.UUID("00000000-0000-4000-8000-000000000000")
"""An id that names nothing."""


def assert_code(response: Any, status: int, code: str) -> None:
    """This status with this code in the contract's envelope."""
    assert (response.status_code, response.json()["code"]) == (status, code)


def assert_same_404(answer: Callable[[Any], Any], foreign_id: uuid.UUID, code: str) -> None:
    """Another account's id, a missing one and no id at all get one and the same answer."""
    answers = [answer(given) for given in (foreign_id, NOBODY, "no-uuid")]
    assert {(response.status_code, response.content) for response in answers} == {(404, answers[0].content)}
    assert answers[0].json()["code"] == code
