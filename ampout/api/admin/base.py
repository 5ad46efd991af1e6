"""What every page of the admin has in common: records are looked at, and moved only by actions that call a service."""

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.db import models
from django.db.models import Q, QuerySet
from django.db.models.functions import Length
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.paginator import InfinitePaginator

from ampout.api.admin.columns import Column, link, list_url, options_of, permission
from ampout.lib.fields import EncryptedTextField

if TYPE_CHECKING:
    BaseModelAdmin = admin.ModelAdmin[Any]
    BaseTabularInline = admin.TabularInline[Any, Any]
else:
    from unfold.admin import ModelAdmin as BaseModelAdmin
    from unfold.admin import TabularInline as BaseTabularInline

PAGE_SIZE = 100
"""Rows a page, and so the most that one action is run for."""

RelatedList = tuple[str, type[models.Model], str]
"""A list of records that point here: its name, their model, and the field that points."""


class ViewOnly:
    """No adding, changing or deleting; who may view may look."""

    def has_add_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Records are made by the API and the engine."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Records are changed by services only."""
        return False

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Deletion goes by the API's services, which keep the ledger."""
        return False


class RecordAdmin(ViewOnly, BaseModelAdmin):
    """A model whose records are shown in full, except for secrets, and changed by nobody here.

    `related` names the records that a page shows with this one: they are read by the same query. `replaced` gives other
    columns for fields that are unreadable as they are; `hidden` ones are nobody's business. `related_lists` are linked
    from the detail page. `search_ids` are the ids that a pasted id is compared with.
    """

    related: Sequence[str] = ()
    replaced: ClassVar[Mapping[str, Column]] = {}
    extra_columns: Sequence[Column] = ()
    related_lists: ClassVar[Sequence[RelatedList]] = ()
    search_ids: Sequence[str] = ("pk",)
    hidden: Sequence[str] = ()

    list_per_page = PAGE_SIZE
    list_max_show_all = PAGE_SIZE
    list_disable_select_all = True
    list_fullwidth = True
    # Counting a ledger of millions for each page would cost more than the page.
    show_full_result_count = False
    paginator = InfinitePaginator
    change_form_outer_before_template = "admin/record_actions.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """All accounts' rows. Secrets stay in the database: only their length is read."""
        own = {f"{name}_length": Length(name) for name in secret_fields(self.model)}
        rows: QuerySet[Any] = (
            super().get_queryset(request).annotate(**own).defer(*secret_paths(self.model, self.related))
        )
        return rows.select_related(*self.related) if self.related else rows

    def get_fields(self, _request: HttpRequest, _obj: models.Model | None = None) -> list[Any]:
        """Every field of the model but secrets, then what `extra_columns` add."""
        names = [
            field.name
            for field in self.opts.fields
            if field.name in self.replaced or (is_shown(field) and field.name not in self.hidden)
        ]
        lists: list[Any] = [related_links] if self.related_lists else []
        return [*(self.replaced.get(name, name) for name in names), *self.extra_columns, *lists]

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> list[Any]:
        """All of them."""
        return self.get_fields(request, obj)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """A pasted id finds by the indexes of ids; other words look into `search_fields`."""
        wanted = read_uuid(search_term)
        if wanted is None:
            return super().get_search_results(request, queryset, search_term)
        any_id = Q()
        for name in self.search_ids:
            any_id |= Q(**{name: wanted})
        return queryset.filter(any_id), False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may run this model's actions: whoever has Django's permission to change it."""
        return request.user.has_perm(permission(self.model, "change"))

    def offered(self, _record: Any) -> Sequence[str]:
        """The actions that the detail page of this record has a button for."""
        return [name for name in self.actions or () if isinstance(name, str)]

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,  # Django's signature
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """The detail page, with its buttons."""
        if obj is not None:
            allowed: Any = self.get_actions(request)
            context["record_actions"] = [(name, allowed[name][2]) for name in self.offered(obj) if name in allowed]
            context["list_url"] = list_url(self.model)
        return super().render_change_form(request, context, add, change, form_url, obj)


class RecordInline(ViewOnly, BaseTabularInline):
    """Records that belong to the one on the page, as a table to look at."""

    extra = 0
    per_page = 20
    hide_title = True
    show_change_link = True

    def get_readonly_fields(self, _request: HttpRequest, _obj: models.Model | None = None) -> list[Any]:
        """All that are shown."""
        return list(self.fields or ())


def is_shown(field: "models.Field[Any, Any]") -> bool:
    """Whether a field may be shown as it is: no secret, no raw bytes."""
    return not isinstance(field, EncryptedTextField | models.BinaryField)


def secret_fields(model: type[models.Model]) -> list[str]:
    """The names of a model's encrypted fields."""
    return [field.name for field in options_of(model).fields if isinstance(field, EncryptedTextField)]


def secret_paths(model: type[models.Model], related: Sequence[str]) -> list[str]:
    """The encrypted fields of a model and of those it is read together with, as paths for `defer`."""
    paths = list(secret_fields(model))
    for path in related:
        target = model
        for name in path.split("__"):
            target = options_of(target).get_field(name).related_model  # type: ignore[assignment]  # a foreign key has one
        paths += [f"{path}__{name}" for name in secret_fields(target)]
    return paths


def read_uuid(text: str) -> uuid.UUID | None:
    """The id that somebody pasted, or None."""
    try:
        return uuid.UUID(text.strip())
    except ValueError:
        return None


@admin.display(description="related")
def related_links(record: models.Model) -> SafeString:
    """Links to the lists of what belongs to a record."""
    lists = getattr(admin.site.get_model_admin(type(record)), "related_lists", ())
    links = [(link(f"{list_url(model)}?{field}__exact={record.pk}", name),) for name, model, field in lists]
    return format_html_join(" · ", "{}", links)
