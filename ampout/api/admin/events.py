"""The log of facts."""

from django.contrib import admin

from ampout.api.admin.base import RecordAdmin
from ampout.api.admin.columns import link_to
from ampout.events.models import Event


@admin.register(Event)
class EventAdmin(RecordAdmin):
    """What happened, newest first."""

    list_display = ("sequence", "type", "fact", link_to("account"), "created_at")
    list_filter = ("type", "created_at")
    search_fields = ("fact", "type", "account__name", "account__email")
    search_ids = ("id", "account_id")
    related = ("account",)
