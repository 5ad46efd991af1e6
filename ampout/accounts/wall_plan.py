"""Which rows of each table the calls of an account may touch, as conditions of PostgreSQL (design, law 9).

A table is closed to them unless its rows lead to an account: by a column of their own, or through the row that a
foreign key names. So a table that nobody thought of shows nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.models import ForeignKey, Model

if TYPE_CHECKING:
    from django.db.models.options import Options

SETTING = "ampout.account"
"""PostgreSQL's variable that names the account of a call, for one transaction; empty in the engine's own work."""

# In parentheses with SELECT each is worked out once a query, not once a row.
ACCOUNT = f"(SELECT nullif(current_setting('{SETTING}', true), '')::uuid)"
SCOPE = f"(SELECT 'account:' || current_setting('{SETTING}', true))"
ENGINE = f"(SELECT coalesce(current_setting('{SETTING}', true), '') = '')"

OWN_CONDITIONS: Mapping[str, str] = MappingProxyType(
    {"accounts.Account": f"id = {ACCOUNT}", "accounts.IdempotencyRecord": f"scope = {SCOPE}"}
)
"""Tables whose rows belong to an account by another column than `account`."""

SHARED: Mapping[str, str] = MappingProxyType(
    {"dispatch.MxVerdict": "who takes mail for a domain is public, and asked once for all accounts"}
)
"""Tables that every account may read and write, with the reason."""


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What the wall is to be at one table.

    `condition` is None for a shared table. A closed one is `granted` to nobody but the engine.
    """

    table: str
    condition: str | None
    granted: bool


def table_plans() -> Iterator[TablePlan]:
    """Of every table that a model stands for, Django's own included."""
    for model in apps.get_models(include_auto_created=True):
        if _about(model).managed and not _about(model).proxy:
            yield plan_for(model)


def plan_for(model: type[Model]) -> TablePlan:
    """What the wall is to be at the table of this model."""
    table = _about(model).db_table
    if _about(model).label in SHARED:
        return TablePlan(table, None, granted=True)
    leading = _leading_to_an_account(model)
    condition = ENGINE if leading is None else f"{ENGINE} OR {leading}"
    return TablePlan(table, condition, granted=leading is not None)


def _about(model: type[Model]) -> "Options[Any]":
    """What Django knows of a model: its documented `_meta`."""
    return model._meta  # noqa: SLF001


def _leading_to_an_account(model: type[Model]) -> str | None:
    """The condition for the account's own rows; None where no row is an account's."""
    if _about(model).label in OWN_CONDITIONS:
        return OWN_CONDITIONS[_about(model).label]
    own = next((field for field in _about(model).concrete_fields if field.name == "account"), None)
    return f"{own.column} = {ACCOUNT}" if own else _through_a_parent(model)


def _through_a_parent(model: type[Model]) -> str | None:
    """By the first foreign key whose row leads to an account: PostgreSQL holds the parent's own policy against it."""
    table = _about(model).db_table
    for field in _about(model).concrete_fields:
        if not isinstance(field, ForeignKey) or field.null or field.related_model is model:
            continue
        if _leading_to_an_account(field.related_model) is not None:
            parent = _about(field.related_model).db_table
            key = f"{parent}.{field.target_field.column} = {table}.{field.column}"
            return f"EXISTS (SELECT 1 FROM {parent} WHERE {key})"  # noqa: S608  # names of our tables
    return None
