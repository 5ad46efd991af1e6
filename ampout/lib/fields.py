"""Model fields that every app may use."""

from enum import StrEnum
from typing import Any

from django.core.exceptions import FieldError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.query_utils import DeferredAttribute

from ampout.lib import crypto

_TOKEN_START = "gAAAA"  # noqa: S105  # the same for everybody
"""How every Fernet token begins: its version and the high bits of its time."""


class _Token(str):
    """A stored secret as it is stored."""

    __slots__ = ()


class _Decrypting(DeferredAttribute):
    """Decrypts when the attribute is read, so that a row with an unreadable secret can still be listed and mended."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        return crypto.decrypt(value) if isinstance(value, _Token) else value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]  # django-stubs: generic at type time only
    """Text that is encrypted in the database and plain where its attribute is read. An empty value stays empty.

    It cannot be searched: the same text has another token each time. Reading raises crypto.DecryptionFailed.
    """

    descriptor_class = _Decrypting

    def get_prep_value(self, value: Any) -> Any:
        """Encrypt on the way to the database."""
        return crypto.encrypt(value) if value and not isinstance(value, _Token) else value

    def from_db_value(self, value: str | None, _expression: Any, _connection: BaseDatabaseWrapper) -> str | None:
        """Take the token as it is; it is decrypted when the attribute is read."""
        return _Token(value) if value else value

    def value_from_object(self, obj: models.Model) -> str:
        """The token: what looks at rows in general, as `dumpdata` does, gets no secret."""
        if self.attname not in obj.__dict__:
            obj.refresh_from_db(fields=[self.attname])
        return str(self.get_prep_value(obj.__dict__[self.attname]) or "")

    value_to_string = value_from_object

    def to_python(self, value: Any) -> Any:
        """The text; what `dumpdata` wrote is taken for the token that it is. Nobody without our keys can make one."""
        if isinstance(value, str) and value.startswith(_TOKEN_START) and crypto.is_token(value):
            return _Token(value)
        return super().to_python(value)

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
