"""The log of facts."""

from django.contrib import admin

from ampout.api.admin.base import RecordAdmin
from ampout.api.admin.columns import ACCOUNT
from ampout.events.models import Event, EventLog


@admin.register(Event)
class EventAdmin(RecordAdmin):
    """What happened, newest first."""

    list_display = ("sequence", "type", "fact", ACCOUNT, "created_at")
    list_filter = ("type", "created_at")
    search_fields = ("fact", "type", "account__name", "account__email")
    search_ids = ("id", "account_id")
    related = ("account",)


@admin.register(EventLog)
class EventLogAdmin(RecordAdmin):
    """How far each account's events have their places for readers of the log."""

    list_display = (ACCOUNT, "last_position")
    list_filter = ("account__created_at",)
    search_fields = ("account__name", "account__email")
    search_ids = ("account_id",)
    related = ("account",)
