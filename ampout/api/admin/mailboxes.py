"""Mailboxes that are read: how far, by whom, and what their servers said."""

from django.contrib import admin

from ampout.api.admin.base import RecordAdmin, RecordInline
from ampout.api.admin.columns import CREDENTIAL
from dispatch.models import Mailbox, MailboxFolder


class MailboxFolderInline(RecordInline):
    """How far each folder was read."""

    model = MailboxFolder
    fields = ("name", "role", "uid_validity", "last_uid", "left_out_uids")


@admin.register(Mailbox)
class MailboxAdmin(RecordAdmin):
    """The IMAP mailbox of a credential."""

    list_display = ("login", CREDENTIAL, "polled_at", "next_poll_at", "failures", "problem", "problem_at", "worker_id")
    list_filter = (("problem_at", admin.EmptyFieldListFilter), "polled_at", "next_poll_at")
    search_fields = ("login", "credential__from_email", "problem")
    search_ids = ("pk", "worker_id")
    related = ("credential",)
    inlines = (MailboxFolderInline,)


@admin.register(MailboxFolder)
class MailboxFolderAdmin(RecordAdmin):
    """The cursor of a folder."""

    list_display = ("name", "role", "mailbox", "uid_validity", "last_uid", "left_out_uids")
    list_filter = ("role",)
    search_fields = ("name", "mailbox__login")
    search_ids = ("mailbox_id",)
    related = ("mailbox",)
