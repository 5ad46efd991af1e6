"""`manage.py seed_sandbox`: the demo, once; and where its senders find the sandbox, at every start."""

import pytest
from django.core.management import CommandError, call_command

from campaigns.models import Campaign, Enrollment
from credentials.models import SmtpCredential
from tests.factories import make_account

pytestmark = pytest.mark.django_db


def seed(port: int = 8025, imap_port: int = 8093) -> None:
    call_command("seed_sandbox", host="127.0.0.1", port=port, imap_port=imap_port)


def test_the_demo_is_released_with_senders_whose_replies_are_seen() -> None:
    account = make_account()
    seed()
    campaign = Campaign.objects.of(account).get()
    assert (campaign.status, campaign.track_opens, campaign.track_clicks) == ("active", True, True)
    assert Enrollment.objects.of(account).count() == 200
    senders = SmtpCredential.objects.of(account).order_by("smtp_username")
    assert [(one.imap_host, one.imap_port, one.imap_username) for one in senders] == [
        ("127.0.0.1", 8093, f"sender{number}@sandbox.test") for number in (1, 2, 3)
    ]
    assert all(one.detects_replies and one.plus_addressing for one in senders)


def test_later_starts_only_tell_the_senders_where_the_sandbox_is() -> None:
    account = make_account()
    seed()
    seed(port=9025, imap_port=9093)
    assert Campaign.objects.of(account).count() == 1
    senders = SmtpCredential.objects.of(account)
    assert {(one.smtp_port, one.imap_port) for one in senders} == {(9025, 9093)}


def test_senders_of_an_earlier_release_get_their_imap_login() -> None:
    account = make_account()
    seed()
    SmtpCredential.objects.of(account).update(imap_host="", imap_port=None, imap_username="", imap_password="")
    seed()
    assert all(one.detects_replies for one in SmtpCredential.objects.of(account))
    assert {one.imap_password for one in SmtpCredential.objects.of(account)} == {"sandbox"}


def test_without_an_account_it_says_what_to_do() -> None:
    with pytest.raises(CommandError, match="issue_key"):
        seed()
