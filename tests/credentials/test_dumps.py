"""`manage.py dumpdata` writes tokens, and `loaddata` takes them back."""

import io
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from ampout.lib.crypto import DecryptionFailed, encrypt
from credentials.models import SmtpCredential
from tests import factories


def dump() -> str:
    written = io.StringIO()
    call_command("dumpdata", "accounts.account", "credentials", stdout=written)
    return written.getvalue()


def test_no_secret_is_dumped(account: Account) -> None:
    factories.make_credential(account, imap_password=factories.IMAP_PASSWORD)
    dumped = dump()
    assert factories.SMTP_PASSWORD not in dumped
    assert factories.IMAP_PASSWORD not in dumped
    assert dumped.count("gAAAA") == 2


def test_what_was_dumped_is_the_same_when_it_is_loaded(account: Account, tmp_path: Path) -> None:
    credential = factories.make_credential(account)
    file = tmp_path / "dump.json"
    file.write_text(dump())
    SmtpCredential.everywhere.all().delete()
    call_command("loaddata", file, verbosity=0)
    loaded = SmtpCredential.everywhere.get(pk=credential.pk)
    assert (loaded.smtp_password, loaded.imap_password) == (factories.SMTP_PASSWORD, "")


def test_a_dump_that_was_loaded_under_other_keys_is_no_secret_of_ours(
    account: Account, tmp_path: Path, settings: Settings
) -> None:
    factories.make_credential(account)
    file = tmp_path / "dump.json"
    file.write_text(dump())
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    call_command("loaddata", file, verbosity=0)
    assert SmtpCredential.everywhere.get().smtp_password.startswith("gAAAA")


def test_a_password_that_looks_like_a_token_is_a_password(account: Account, settings: Settings) -> None:
    foreign = encrypt("x")
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    credential = factories.make_credential(account, smtp_password=foreign)
    credential.refresh_from_db()
    assert credential.smtp_password == foreign


def test_an_unreadable_secret_is_dumped_as_it_is(account: Account, settings: Settings) -> None:
    credential = factories.make_credential(account)
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(DecryptionFailed):
        _ = SmtpCredential.everywhere.get(pk=credential.pk).smtp_password
    assert "gAAAA" in dump()
