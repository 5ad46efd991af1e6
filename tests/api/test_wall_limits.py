"""What the second wall cannot take along, and who steps out of it."""

from pathlib import Path

import pytest
from django.conf import settings
from django.db import ProgrammingError, transaction

from ampout.accounts.models import Account
from ampout.accounts.row_security import behind_wall
from campaigns.models import Contact
from tests import factories

PROJECT = Path(settings.BASE_DIR)


@pytest.mark.django_db(transaction=True)
def test_a_cursor_of_the_server_does_not_slip_by() -> None:
    account = factories.make_account()
    with behind_wall(account.pk), pytest.raises(ProgrammingError, match="iterator"):
        list(Contact.objects.of(account).iterator())


@pytest.mark.django_db(transaction=True)
def test_within_a_transaction_it_is_behind_the_wall(account: Account, other_account: Account) -> None:
    mine, _ = factories.make_contact(account), factories.make_contact(other_account)
    with behind_wall(account.pk), transaction.atomic():
        assert Contact.everywhere.count() == 1
        assert list(Contact.everywhere.iterator()) == [mine]


def test_only_these_step_out() -> None:
    packages = ("ampout", "campaigns", "credentials", "dispatch")
    modules = {path for package in packages for path in (PROJECT / package).rglob("*.py")}
    users = {str(path.relative_to(PROJECT)) for path in modules if "past_the_wall()" in path.read_text("utf-8")}
    # Both name the account in what they ask meanwhile.
    assert users - {"ampout/accounts/row_security.py"} == {
        "dispatch/services/erasure.py",
        "dispatch/services/export.py",
    }
