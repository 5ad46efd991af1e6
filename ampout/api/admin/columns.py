"""Columns that the lists and detail pages share: links to other records, coloured states, digests in hex."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db import models
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

if TYPE_CHECKING:
    from django.db.models.options import Options

Column = Callable[[Any], Any]

DIGEST_SHOWN = 16
"""Hex digits of a digest that are shown: enough to compare by eye."""


def options_of(model: models.Model | type[models.Model]) -> "Options[Any]":
    """What Django knows of a model: its documented `_meta`."""
    return model._meta  # noqa: SLF001


def permission(model: type[models.Model], action: str) -> str:
    """The name of Django's permission to view or change a model's records."""
    return f"{options_of(model).app_label}.{action}_{options_of(model).model_name}"


def change_url(record: models.Model) -> str:
    """The page of one record."""
    options = options_of(record)
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[quote(str(record.pk))])


def list_url(model: type[models.Model]) -> str:
    """The list of a model's records."""
    options = options_of(model)
    return reverse(f"admin:{options.app_label}_{options.model_name}_changelist")


def link(url: str, text: object) -> SafeString:
    """A link in the admin's looks; `text` is escaped."""
    return format_html('<a href="{}" class="text-link">{}</a>', url, text)


def link_to(path: str, description: str = "", *, text: Callable[[Any], object] = str) -> Column:
    """A column that links to the record at `path` (`enrollment`, `message__credential`); empty where there is none.

    A list that uses it must name the path in its `related`, so that the number of queries does not grow.
    """

    @admin.display(description=description or path.rpartition("__")[2].replace("_", " "))
    def column(record: Any) -> SafeString | None:
        for name in path.split("__"):
            record = getattr(record, name, None)
        return None if record is None else link(change_url(record), text(record))

    column.__name__ = f"link_to_{path}"
    return column


ACCOUNT = link_to("account", text=lambda account: account.name)
CREDENTIAL = link_to("credential", text=lambda credential: credential.from_email)


def colored(field: str, colors: Mapping[str, str]) -> Column:
    """A column that shows a state's words in its color: info, success, warning or danger; others are grey."""

    @admin.display(description=field.replace("_", " "), ordering=field)
    def column(record: Any) -> SafeString | None:
        value = getattr(record, field)
        if not value:
            return None
        return render_to_string("unfold/helpers/label.html", {"type": colors.get(value), "text": spaced(value)})

    column.__name__ = field
    return column


def spaced(code: str) -> str:
    """A code in words: `gave_up` as "gave up"."""
    return code.replace("_", " ")


def hexadecimal(field: str) -> Column:
    """A column that shows the start of a keyed digest."""

    @admin.display(description=capfirst(field.replace("_", " ")))
    def column(record: Any) -> str:
        return f"{bytes(getattr(record, field)).hex()[:DIGEST_SHOWN]}…"

    column.__name__ = field
    return column


def as_written(field: str) -> Column:
    """A column that keeps the line breaks of a text."""

    @admin.display(description=capfirst(field.replace("_", " ")))
    def column(record: Any) -> SafeString:
        return format_html('<div class="break-words" style="white-space: pre-wrap">{}</div>', getattr(record, field))

    column.__name__ = field
    return column


def set_or_not(field: str, description: str) -> Column:
    """A column that tells whether a secret is there. The secret itself is not read: see `RecordAdmin.get_queryset`."""

    @admin.display(description=description)
    def column(record: Any) -> str:
        return "set" if getattr(record, f"{field}_length", 0) else "not set"

    column.__name__ = field
    return column
