"""Whose retries are hurried: the sandbox's, never those of real servers."""

from datetime import timedelta

from pytest_django.fixtures import Settings

from dispatch.rules.retry import RetryPolicy
from dispatch.services.verdicts import retry_policy


def test_hurried_times_hold_for_the_hosts_they_are_meant_for(settings: Settings) -> None:
    settings.RETRY_FIRST_SECONDS, settings.RETRY_CEILING_SECONDS, settings.RETRY_GIVE_UP_SECONDS = 10, 60, 900
    settings.RETRY_ONLY_FOR_HOSTS = ["127.0.0.1"]
    assert retry_policy("127.0.0.1").first == timedelta(seconds=10)
    assert retry_policy("smtp.example.com") == RetryPolicy()


def test_an_operators_times_hold_for_every_host_where_none_is_named(settings: Settings) -> None:
    settings.RETRY_FIRST_SECONDS, settings.RETRY_ONLY_FOR_HOSTS = 3_600, []
    assert retry_policy("smtp.example.com").first == timedelta(hours=1)
