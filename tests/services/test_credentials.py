"""Credentials: one mailbox is one credential, however it is spelled and whoever comes at the same time."""

from typing import Any

import pytest
from django.db import connection

from ampout.accounts.models import Account
from ampout.lib import clock
from ampout.lib.errors import NotFound, ValidationFailed
from campaigns.services.campaigns import attach_credential
from credentials.models import SmtpCredential
from credentials.services import (
    REQUIRED,
    CredentialEntry,
    CredentialValues,
    admit_credential,
    admit_credentials,
    update_credential,
)
from dispatch.services.senders import detach_credential
from tests import factories
from tests.services.rival import Held, Waiting

CANARY = "smtp-canary-19ee"


def values(**changes: Any) -> CredentialValues:
    """A whole mailbox."""
    given: CredentialValues = {
        "smtp_host": "smtp.sender.example",
        "smtp_port": 587,
        "smtp_username": "alice",
        "smtp_password": CANARY,
        "from_email": "alice@sender.example",
        "daily_limit": 40,
    }
    return given | changes  # type: ignore[return-value]


def without(*names: str) -> CredentialValues:
    return {name: value for name, value in values().items() if name not in names}  # type: ignore[return-value]


@pytest.mark.django_db
def test_a_new_mailbox_becomes_a_credential(account: Account) -> None:
    admission = admit_credential(account, CredentialEntry(values()))
    assert (admission.created, admission.new_limit, admission.credential.daily_limit) == (True, None, 40)
    assert admission.credential.account_id == account.pk


@pytest.mark.django_db
@pytest.mark.parametrize("email", ["alice@sender.example", "ALICE@Sender.Example"])
def test_a_known_mailbox_takes_the_fields_given(account: Account, email: str) -> None:
    first = admit_credential(account, CredentialEntry(values(label="old", from_name="Kept"))).credential
    admission = admit_credential(account, CredentialEntry(values(from_email=email, label="new", daily_limit=5)))
    assert (admission.credential.pk, admission.created, admission.new_limit) == (first.pk, False, 5)
    kept = SmtpCredential.objects.of(account).get()
    assert (kept.label, kept.from_name, kept.daily_limit) == ("new", "Kept", 40)


@pytest.mark.django_db
def test_the_same_limit_is_no_change(account: Account) -> None:
    admit_credential(account, CredentialEntry(values()))
    assert admit_credential(account, CredentialEntry(values())).new_limit is None


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["smtp_host", "smtp_port", "smtp_username", "from_email"])
def test_another_server_login_or_address_is_another_mailbox(account: Account, field: str) -> None:
    other = {"smtp_host": "other.example", "smtp_port": 465, "smtp_username": "bob", "from_email": "bob@a.example"}
    admit_credential(account, CredentialEntry(values()))
    assert admit_credential(account, CredentialEntry(values(**{field: other[field]}))).created


@pytest.mark.django_db
def test_another_accounts_mailbox_is_not_ours(account: Account, other_account: Account) -> None:
    admit_credential(other_account, CredentialEntry(values()))
    assert admit_credential(account, CredentialEntry(values())).created


@pytest.mark.django_db
def test_a_retired_one_stays_retired(account: Account) -> None:
    first = admit_credential(account, CredentialEntry(values())).credential
    SmtpCredential.everywhere.filter(pk=first.pk).update(retired_at=clock.utc_now())
    assert admit_credential(account, CredentialEntry(values())).credential.pk != first.pk
    with pytest.raises(NotFound):
        admit_credential(account, CredentialEntry({}, first.pk))


@pytest.mark.django_db
@pytest.mark.parametrize("field", REQUIRED)
def test_a_new_one_needs_its_whole_login(account: Account, field: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        admit_credential(account, CredentialEntry(without(field)))
    assert caught.value.details == {field: ["This field is required."]}


@pytest.mark.django_db
def test_a_known_one_needs_no_password(account: Account) -> None:
    admit_credential(account, CredentialEntry(values()))
    credential = admit_credential(account, CredentialEntry(without("smtp_password", "daily_limit"))).credential
    assert credential.smtp_password == CANARY


@pytest.mark.django_db
def test_two_entries_of_one_new_mailbox_are_one_credential(account: Account) -> None:
    entries = [CredentialEntry(values(label="first")), CredentialEntry(without("smtp_password") | {"label": "second"})]
    first, second = admit_credentials(account, entries)
    assert first.credential.pk == second.credential.pk
    assert SmtpCredential.objects.of(account).get().label == "second"


@pytest.mark.django_db
def test_a_problem_is_named_by_its_entry(account: Account) -> None:
    with pytest.raises(ValidationFailed) as caught:
        admit_credentials(account, [CredentialEntry(values()), CredentialEntry(without("smtp_host"))])
    assert list(caught.value.details) == ["1.smtp_host"]
    assert not SmtpCredential.objects.of(account).exists()


@pytest.mark.django_db
def test_a_change_does_not_turn_it_into_anothers_mailbox(account: Account) -> None:
    admit_credential(account, CredentialEntry(values()))
    other = admit_credential(account, CredentialEntry(values(smtp_username="bob"))).credential
    with pytest.raises(ValidationFailed, match="not valid"):
        update_credential(account, other.pk, {"smtp_username": "alice"})


@pytest.mark.django_db
def test_the_password_is_encrypted_in_the_database_and_in_no_repr(account: Account) -> None:
    entry = CredentialEntry(values())
    credential = admit_credential(account, entry).credential
    with connection.cursor() as cursor:
        cursor.execute("SELECT smtp_password FROM credentials_smtpcredential WHERE id = %s", [credential.pk])
        assert CANARY not in cursor.fetchone()[0]
    assert CANARY not in repr(entry) + repr(credential) + str(credential)


@pytest.mark.django_db(transaction=True)
def test_one_mailbox_named_twice_at_once_is_one_credential() -> None:
    account = factories.make_account()
    with Held(lambda: admit_credential(account, CredentialEntry(values()))) as rival:
        late = Waiting(lambda: admit_credential(account, CredentialEntry(values(from_email="Alice@sender.example"))))
        rival.commit_once_waited_for()
        assert late.outcome().created is False
    assert SmtpCredential.objects.of(account).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_mailbox_retired_while_we_wait_is_made_anew() -> None:
    account = factories.make_account()
    first, second = factories.make_campaign(account), factories.make_campaign(account)
    known = attach_credential(account, first.pk, CredentialEntry(values())).credential
    with Held(lambda: detach_credential(account, first.pk, known.pk)) as rival:
        late = Waiting(lambda: attach_credential(account, second.pk, CredentialEntry(values())))
        rival.commit_once_waited_for()
        assert late.outcome().credential.pk != known.pk


@pytest.mark.django_db(transaction=True)
def test_a_mailbox_attached_while_another_campaign_lets_go_stays_in_use() -> None:
    account = factories.make_account()
    first, second = factories.make_campaign(account), factories.make_campaign(account)
    known = attach_credential(account, first.pk, CredentialEntry(values())).credential
    with Held(lambda: attach_credential(account, second.pk, CredentialEntry({}, known.pk))) as rival:
        late = Waiting(lambda: detach_credential(account, first.pk, known.pk))
        rival.commit_once_waited_for()
        assert late.outcome() is None
    assert SmtpCredential.objects.of(account).get(pk=known.pk).retired_at is None
