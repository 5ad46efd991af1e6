"""Django's description of this app."""

from django.apps import AppConfig


class CredentialsConfig(AppConfig):
    """The app `credentials`."""

    name = "credentials"
