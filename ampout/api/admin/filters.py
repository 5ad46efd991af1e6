"""List filters that cost no query: their choices come from the rules' own codes."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from ampout.api.admin.columns import spaced


def code_filter(field: str, codes: Iterable[StrEnum]) -> type[admin.SimpleListFilter]:
    """A filter of a text column by the codes that it may hold."""
    choices = [(code.value, spaced(code.value)) for code in codes]

    class CodeFilter(admin.SimpleListFilter):
        title = spaced(field)
        parameter_name = field

        def lookups(self, _request: HttpRequest, _model_admin: Any) -> list[tuple[str, str]]:
            return choices

        def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            return queryset.filter(**{field: self.value()}) if self.value() else queryset

    return CodeFilter
