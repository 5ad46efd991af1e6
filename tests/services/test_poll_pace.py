"""Whose mailboxes are looked into often: the sandbox's, never those of real servers."""

from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from dispatch.services.mailboxes import USUAL_PAUSE, _every


@pytest.mark.parametrize(
    ("login", "pause"),
    [
        ("127.0.0.1:8093 sender1@sandbox.test", timedelta(seconds=5)),
        ("imap.example.com:993 anna@example.com", USUAL_PAUSE),
        ("imap.example.com:993 127.0.0.1:8093 x", USUAL_PAUSE),
    ],
)
def test_a_hurried_pause_holds_for_the_hosts_it_is_meant_for(settings: Settings, login: str, pause: timedelta) -> None:
    settings.POLL_EVERY_SECONDS, settings.RETRY_ONLY_FOR_HOSTS = 5, ["127.0.0.1"]
    assert _every(login) == pause


def test_an_operators_pause_holds_for_every_host_where_none_is_named(settings: Settings) -> None:
    settings.POLL_EVERY_SECONDS, settings.RETRY_ONLY_FOR_HOSTS = 60, []
    assert _every("imap.example.com:993 anna@example.com") == timedelta(minutes=1)


def test_the_usual_pause_is_the_settings_default() -> None:
    from django.conf import settings as loaded  # noqa: PLC0415

    assert timedelta(seconds=loaded.POLL_EVERY_SECONDS) == USUAL_PAUSE
