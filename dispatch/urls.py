"""The pages that recipients see, and where providers report."""

from django.urls import path

from dispatch import pages
from dispatch.intake.views import take_call

urlpatterns = [
    path("u/<str:token>", pages.unsubscribe, name="unsubscribe"),
    path("o/<str:token>", pages.open_pixel, name="open_pixel"),
    path("c/<str:token>", pages.follow_link, name="follow_link"),
    path("hooks/in/<str:provider>/<str:credential_id>", take_call, name="provider_call"),
]
