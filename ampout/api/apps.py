"""Django's description of this app."""

from django.apps import AppConfig


class APIConfig(AppConfig):
    """The app `ampout.api`."""

    name = "ampout.api"
    label = "api"
