"""Django's description of this app."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    """The app `ampout.events`."""

    name = "ampout.events"
    label = "events"
