"""Tenants are walled: a query that names no account is an error, not a leak (design, law 9)."""

import uuid
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.db import models

if TYPE_CHECKING:
    from ampout.accounts.models import Account

ModelT = TypeVar("ModelT", bound=models.Model)


class UnscopedQuery(RuntimeError):
    """A query on an account's rows was run without `.of(account)`; engine-wide code says `Model.everywhere`."""


class ScopedQuerySet(models.QuerySet[ModelT]):
    """A queryset that refuses to run until `of(account)` was said."""

    _account_named = False

    def of(self, account: "Account | uuid.UUID") -> "models.QuerySet[Any]":
        """Only this account's rows."""
        scoped = self.filter(account=account)
        scoped._account_named = True  # noqa: SLF001  # of its own kind
        return scoped

    def _clone(self) -> Self:
        clone: Self = super()._clone()  # type: ignore[misc]  # private in the stubs
        clone._account_named = self._account_named
        return clone

    def _check(self) -> None:
        if not self._account_named:
            raise UnscopedQuery(f"{self.model.__name__}.objects needs .of(account) before it may be run.")

    def _fetch_all(self) -> None:
        self._check()
        super()._fetch_all()

    def iterator(self, chunk_size: int | None = None) -> Any:
        """As Django's, on an account's rows only."""
        self._check()
        return super().iterator(chunk_size)

    def count(self) -> int:
        """As Django's, on an account's rows only."""
        self._check()
        return super().count()

    def exists(self) -> bool:
        """As Django's, on an account's rows only."""
        self._check()
        return super().exists()

    def aggregate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As Django's, on an account's rows only."""
        self._check()
        return super().aggregate(*args, **kwargs)

    def update(self, **kwargs: Any) -> int:
        """As Django's, on an account's rows only."""
        self._check()
        return super().update(**kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        """As Django's, on an account's rows only."""
        self._check()
        return super().delete()


ScopedManager = models.Manager.from_queryset(ScopedQuerySet)


class AccountOwned(models.Model):
    """A row that belongs to one account: `objects` must be scoped, `everywhere` is for the engine and operators."""

    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE, related_name="+")

    everywhere: models.Manager[Any] = models.Manager()
    objects = ScopedManager()

    class Meta:
        abstract = True
        default_manager_name = "everywhere"
        base_manager_name = "everywhere"
