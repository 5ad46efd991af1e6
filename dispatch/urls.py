"""The pages that recipients see."""

from django.urls import path

from dispatch import pages

urlpatterns = [
    path("u/<str:token>", pages.unsubscribe, name="unsubscribe"),
]
