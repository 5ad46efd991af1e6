"""The two accounts that generated tests call from and with, made once for each file that asks for them."""

import itertools
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.apps import apps
from django.db import transaction
from pytest_django import DjangoDbBlocker

from ampout.accounts.models import Account, ApiKey
from credentials.models import SmtpCredential
from credentials.rules.hook_provider import HookProvider
from tests import factories
from tests.api.holdings import Holdings, make_holdings
from tests.api.unchanged import every_table, fingerprint
from tests.api.walls import World
from tests.conftest import ApiClient

THEN = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""When Bob made his things; Alice made hers on the days after."""


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """One world for all tests of this file, in a transaction that is never committed."""
    with django_db_blocker.unblock(), transaction.atomic():
        alice, bob = factories.make_account("Alice"), factories.make_account("bob", email="owner@bob.example")
        made = [
            _made_on(THEN + timedelta(days=day), account, name)
            for day, (account, name) in enumerate([(bob, "bob"), (alice, "alice"), (alice, "cousin")])
        ]
        # Bob's mail arrives at every provider that Alice could try.
        credential = SmtpCredential.objects.of(bob).get()
        for provider in set(HookProvider) - {HookProvider.POSTMARK}:
            factories.make_hook(credential, provider=provider.value, secret="bob-hook-secret")
        key = factories.make_key(alice)
        ApiKey.objects.of(alice).filter(pk=key.key.pk).update(is_rate_limited=False)
        with time_machine.travel(THEN + timedelta(days=9), tick=False):
            api = ApiClient(alice, key.plaintext)
            api.get("/account")  # notes the key's use
            rows = fingerprint(every_table())
            yield World(api, made[1], made[2], made[0], ("bob", *_ids_of(bob)), rows)
        transaction.set_rollback(True)


def _made_on(day: datetime, account: Account, name: str) -> Holdings:
    with time_machine.travel(day, tick=False):
        return make_holdings(account, name)


def _ids_of(account: Account) -> list[str]:
    """The ids of all rows of an account, and its own."""
    owned = [model for model in apps.get_models() if {"account", "id"} <= {field.name for field in model._meta.fields}]
    rows = [model._default_manager.filter(account=account).values_list("id", flat=True) for model in owned]
    return [str(account.pk), *(str(row_id) for row_id in itertools.chain(*rows) if isinstance(row_id, uuid.UUID))]
