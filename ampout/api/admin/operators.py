"""Operators: their logins, their groups, and what they did here."""

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from ampout.api.admin.base import BaseModelAdmin, RecordAdmin
from ampout.api.admin.columns import link, link_to

if TYPE_CHECKING:
    UserAdminBase = DjangoUserAdmin[User]
    GroupAdminBase = DjangoGroupAdmin
else:

    class UserAdminBase(DjangoUserAdmin, BaseModelAdmin):
        """Django's pages of users in unfold's looks."""

    class GroupAdminBase(DjangoGroupAdmin, BaseModelAdmin):
        """Django's pages of groups in unfold's looks."""


admin.site.unregister(User)
admin.site.unregister(Group)


class SuperusersOnly:
    """Only superusers change logins: who may change one could give it every permission, or take it over."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Superusers."""
        return is_superuser(request)

    def has_change_permission(self, request: HttpRequest, _obj: Any = None) -> bool:
        """Superusers."""
        return is_superuser(request)

    def has_delete_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Nobody: deleting a user would delete the record of what they did. Take `active` away instead."""
        return False


def is_superuser(request: HttpRequest) -> bool:
    """Whether an active superuser asks."""
    return bool(request.user.is_active and request.user.is_superuser)


@admin.display(description="password")
def password_link(_user: User) -> SafeString:
    """Where a new password is set; nothing of the old one is shown, not even its hash."""
    return link("../password/", "Set a new password")


@admin.register(User)
class UserAdmin(SuperusersOnly, UserAdminBase):
    """Who may log in here."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    readonly_fields: ClassVar[Any] = (password_link, "last_login", "date_joined")
    list_filter = ("is_staff", "is_superuser", "is_active")
    list_display = ("username", "email", "is_staff", "is_superuser", "is_active", "last_login")
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("username", password_link)}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Permissions", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )


@admin.register(Group)
class GroupAdmin(SuperusersOnly, GroupAdminBase):
    """Permissions that several operators share."""

    list_filter = ("permissions__content_type__app_label",)


@admin.register(LogEntry)
class LogEntryAdmin(RecordAdmin):
    """What operators did, and when."""

    list_display = ("action_time", "user", "object_repr", "content_type", "change_message", "link_to_object")
    list_filter = ("action_flag", "action_time")
    search_fields = ("object_id", "object_repr", "change_message", "user__username")
    related = ("user", "content_type")
    replaced: ClassVar[Any] = {"user": link_to("user")}

    @admin.display(description="open")
    def link_to_object(self, entry: LogEntry) -> SafeString | None:
        """The record that the entry tells of."""
        url = entry.get_admin_url()
        return link(url, "open") if url else None

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By words only: ids of objects are text here."""
        return admin.ModelAdmin.get_search_results(self, request, queryset, search_term)
