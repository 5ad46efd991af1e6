"""The admin of everything: records to look at, and the actions of operators. Each action calls one service."""

from django.contrib import admin

from ampout.api.admin import (
    accounts,
    campaigns,
    contacts,
    credentials,
    events,
    feedback,
    ledger,
    mailboxes,
    operators,
    tallies,
    watch,
    webhooks,
)

__all__ = [
    "accounts",
    "campaigns",
    "contacts",
    "credentials",
    "events",
    "feedback",
    "ledger",
    "mailboxes",
    "operators",
    "tallies",
    "watch",
    "webhooks",
]

admin.site.index_title = "Overview"
