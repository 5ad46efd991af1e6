"""Django's description of this app."""

from django.apps import AppConfig


class APIConfig(AppConfig):
    """The app `ampout.api`."""

    name = "ampout.api"
    label = "api"

    def ready(self) -> None:
        """Register the checks."""
        from ampout.api import checks  # noqa: F401, PLC0415  # to be imported is all it needs
