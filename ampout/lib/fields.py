"""Model fields that every app may use."""

from enum import StrEnum
from typing import Any

from django.core.exceptions import FieldError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from ampout.lib import crypto


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]  # django-stubs: generic at type time only
    """Text that is encrypted in the database and plain in Python. An empty value stays empty.

    It cannot be searched: the same text has another token each time.
    """

    def get_prep_value(self, value: Any) -> Any:
        """Encrypt on the way to the database."""
        return crypto.encrypt(value) if value else value

    def from_db_value(self, value: str | None, _expression: Any, _connection: BaseDatabaseWrapper) -> str | None:
        """Decrypt on the way from the database. Raises crypto.DecryptionFailed."""
        return crypto.decrypt(value) if value else value

    def get_lookup(self, lookup_name: str) -> Any:
        """Refuse every look-up but `isnull`."""
        if lookup_name != "isnull":
            raise FieldError(f"{self.name} is encrypted and cannot be searched by '{lookup_name}'.")
        return super().get_lookup(lookup_name)


def status_field(states: type[StrEnum], default: StrEnum) -> "models.CharField[str, str]":
    """A text column that holds one of `states`; pair it with `status_constraint` in Meta."""
    return models.CharField(
        max_length=24,
        default=default.value,
        choices=[(state.value, state.value.replace("_", " ")) for state in states],
    )


def status_constraint(field: str, states: type[StrEnum], name: str) -> models.CheckConstraint:
    """The named CHECK that keeps `field` among `states`."""
    return models.CheckConstraint(condition=models.Q(**{f"{field}__in": [s.value for s in states]}), name=name)
