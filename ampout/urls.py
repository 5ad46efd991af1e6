"""Every route of the web process."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from ampout import health
from ampout.api.openapi import views as openapi

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    path("openapi.json", openapi.openapi_json, name="openapi"),
    path("docs", openapi.swagger, name="swagger"),
    path("redoc", openapi.redoc, name="redoc"),
    path("", include("dispatch.urls")),
    path("", include("ampout.api.urls")),
]

handler404 = "ampout.api.errors.page_not_found"
handler500 = "ampout.api.errors.server_error"
handler400 = "ampout.api.errors.bad_request"
handler403 = "ampout.api.errors.permission_denied"
