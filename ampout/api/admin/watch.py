"""What operators are told about the engine itself, as it is kept."""

from django.contrib import admin

from ampout.api.admin.base import RecordAdmin
from dispatch.models import CountMark, FactCount, Tick


@admin.register(Tick)
class TickAdmin(RecordAdmin):
    """When beat and the planner last moved."""

    list_display = ("name", "ticked_at")
    list_filter = ("ticked_at",)
    search_fields = ("name",)
    search_ids = ()


@admin.register(FactCount)
class FactCountAdmin(RecordAdmin):
    """The counters of /metrics."""

    list_display = ("source", "label", "count")
    list_filter = ("source",)
    search_fields = ("label",)
    search_ids = ()


@admin.register(CountMark)
class CountMarkAdmin(RecordAdmin):
    """How far each table was counted."""

    list_display = ("source", "counted_id", "seen_id", "seen_at")
    list_filter = ("seen_at",)
    search_fields = ("source",)
    search_ids = ()
