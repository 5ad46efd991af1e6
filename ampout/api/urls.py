"""Every route of the public API (contract: Resources)."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
