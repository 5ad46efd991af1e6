"""Errors that carry a code, the data and a sentence; the API answers them in the contract's envelope."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

Details = dict[str, Any]


def envelope(code: str, message: str, details: Details | None = None) -> Details:
    """The contract's error body."""
    return {"code": code, "type": f"https://ampout.dev/errors/{code}", "message": message, "details": details or {}}


class AmpoutError(Exception):
    """A refusal with a stable `code`, an HTTP status for the API's edge, a sentence and data for the caller."""

    code = "unprocessable"
    http_status = 422

    def __init__(self, message: str, *, details: Details | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details: Details = details or {}


class ValidationFailed(AmpoutError):
    """One or more fields hold values that cannot be used; `details` maps each field to its messages."""

    code = "validation_failed"

    def __init__(self, details: dict[str, list[str]], message: str = "Some fields are not valid.") -> None:
        super().__init__(message, details=dict(details))


@contextmanager
def problems_below(path: str) -> Iterator[None]:
    """Put `path` in front of the fields that a ValidationFailed names: `steps.1` makes `subject` `steps.1.subject`."""
    try:
        yield
    except ValidationFailed as error:
        raise ValidationFailed({f"{path}.{name}": problems for name, problems in error.details.items()}) from None


class Unprocessable(AmpoutError):
    """The request is well formed, but the object's state does not allow it."""


class NotFound(AmpoutError):
    """No such object in this account; `code` names the kind (`campaign_not_found`)."""

    http_status = 404

    def __init__(self, code: str, message: str = "") -> None:
        kind = code.removesuffix("_not_found").replace("_", " ")
        super().__init__(message or (f"No such {kind}." if kind != "not_found" else "Nothing is here."))
        self.code = code
