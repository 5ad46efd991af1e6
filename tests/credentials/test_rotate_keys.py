"""Rotating the keys that encrypt secrets (promise F6)."""

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import FieldError
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from ampout.lib.crypto import DecryptionFailed
from credentials.models import SmtpCredential
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Account:
    return factories.make_account()


def _stored(credential: SmtpCredential) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT smtp_password FROM credentials_smtpcredential WHERE id = %s", [credential.pk])
        return str(cursor.fetchone()[0])


def test_a_password_is_never_stored_as_it_is(alice: Account) -> None:
    credential = factories.make_credential(alice, smtp_password="canary-7d1f")
    assert "canary-7d1f" not in _stored(credential)
    assert SmtpCredential.everywhere.get().smtp_password == "canary-7d1f"


def test_rotation_lets_the_old_key_go(alice: Account, settings: Settings) -> None:
    credential = factories.make_credential(alice, smtp_password="canary-7d1f", imap_password="")
    old, new = settings.FIELD_KEYS[0], Fernet.generate_key().decode()
    settings.FIELD_KEYS = [new, old]
    call_command("rotate_keys")
    settings.FIELD_KEYS = [new]
    assert SmtpCredential.everywhere.get(pk=credential.pk).smtp_password == "canary-7d1f"


def test_rotation_reaches_every_row_of_a_long_table(alice: Account, settings: Settings) -> None:
    for number in range(7):
        factories.make_credential(alice, smtp_password=f"canary-{number}")
    settings.FIELD_KEYS = [Fernet.generate_key().decode(), *settings.FIELD_KEYS]
    call_command("rotate_keys")
    settings.FIELD_KEYS = settings.FIELD_KEYS[:1]
    assert {row.smtp_password for row in SmtpCredential.everywhere.all()} == {f"canary-{n}" for n in range(7)}


def test_a_missing_key_is_named_and_changes_nothing(alice: Account, settings: Settings) -> None:
    credential = factories.make_credential(alice)
    before = _stored(credential)
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="FIELD_KEYS"):
        call_command("rotate_keys")
    assert _stored(credential) == before
    with pytest.raises(DecryptionFailed, match="FIELD_KEYS"):
        _ = SmtpCredential.everywhere.get(pk=credential.pk).smtp_password


def test_a_password_cannot_be_searched_for() -> None:
    with pytest.raises(FieldError, match="cannot be searched"):
        list(SmtpCredential.everywhere.filter(smtp_password="canary-7d1f"))
