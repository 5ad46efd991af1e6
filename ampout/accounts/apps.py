"""Django's description of this app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """The app `ampout.accounts`."""

    name = "ampout.accounts"
    label = "accounts"
