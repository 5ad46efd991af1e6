"""`manage.py issue_key`: make an API key for an account, making the account when there is none."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from ampout.accounts.models import Account
from ampout.accounts.services import create_account, issue_key
from ampout.lib.addresses import InvalidAddress, parse_address


class Command(BaseCommand):
    """Print a new `ak_live_…` key, once."""

    help = "Make an API key. The account is found by its email, and made when there is none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The account's email, its name when it is new, and the key's label."""
        parser.add_argument("--account-email", default="founder@example.com")
        parser.add_argument("--name", default="", help="The account's name, when it is new.")
        parser.add_argument("--label", default="made by issue_key")

    @transaction.atomic
    def handle(self, *_args: Any, **options: Any) -> None:
        """Make the key and print it on a line of its own."""
        try:
            email = parse_address(options["account_email"]).identity
        except InvalidAddress as error:
            raise CommandError(f"--account-email: {error}") from error
        account = Account.objects.filter(email=email).order_by("created_at").first()
        if account is None:
            account = create_account(email, options["name"] or email.partition("@")[2])
        self.stdout.write(issue_key(account, label=options["label"]).plaintext)
