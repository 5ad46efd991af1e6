"""`manage.py seed_sandbox`: the demo of `make run`: 200 people, three senders, three steps, dispatched."""

import csv
import tomllib
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from ampout.accounts.models import Account
from ampout.lib.addresses import parse_address
from ampout.lib.errors import AmpoutError
from campaigns.models import Campaign
from campaigns.services.campaigns import CampaignValues, create_campaign
from campaigns.services.enrolment import enroll_import
from campaigns.services.imports import NewContact, import_contacts
from campaigns.services.outreaches import create_outreach
from credentials.models import SmtpCredential
from credentials.services import CredentialEntry, CredentialValues
from dispatch.services.lifecycle import release

SANDBOX = Path(settings.BASE_DIR) / "ampout" / "sandbox"
OWN_COLUMNS = ("first_name", "last_name", "company")


class Command(BaseCommand):
    """Seed the demo once; later starts only tell its senders where the sandbox listens now, and their IMAP login."""

    help = "Seed the sandbox's demo campaign into the oldest account, or update its senders' host and ports."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where the sandbox's servers listen, and what describes the demo."""
        parser.add_argument("--host", required=True)
        parser.add_argument("--port", type=int, required=True, help="of its SMTP server")
        parser.add_argument("--imap-port", type=int, required=True)
        parser.add_argument("--demo", type=Path, default=SANDBOX / "demo.toml")
        parser.add_argument("--contacts", type=Path, default=SANDBOX / "contacts.csv")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Seed, or update the senders."""
        account = Account.objects.order_by("created_at").first()
        if account is None:
            raise CommandError("There is no account yet: make one with `manage.py issue_key`.")
        demo = tomllib.loads(options["demo"].read_text(encoding="utf-8"))
        server = {"smtp_host": options["host"], "smtp_port": options["port"]}
        server |= {"imap_host": options["host"], "imap_port": options["imap_port"]}
        if Campaign.objects.of(account).filter(name=demo["campaign"]["name"]).exists():
            _tell_senders(account, demo, server)
            return
        try:
            _seed(account, demo, server, options["contacts"])
        except AmpoutError as error:
            raise CommandError(f"The demo cannot be seeded: {error.message} {error.details}") from error


def _tell_senders(account: Account, demo: dict[str, Any], server: dict[str, Any]) -> None:
    for credential in demo["credentials"]:
        # Those that an earlier release seeded have no IMAP login yet.
        login = {name: credential[name] for name in ("imap_username", "imap_password", "plus_addressing")}
        senders = SmtpCredential.objects.of(account).filter(smtp_username=credential["smtp_username"])
        senders.update(**server, **login)


@transaction.atomic
def _seed(account: Account, demo: dict[str, Any], server: dict[str, Any], contacts: Path) -> None:
    for field, value in demo["account"].items():
        setattr(account, field, getattr(account, field) or value)
    account.save(update_fields=list(demo["account"]))
    imported = import_contacts(account, demo["contact_import"]["name"], _people(contacts))
    outreach = create_outreach(account, demo["outreach"])
    values = dict(demo["campaign"])
    batch_size = values.pop("batch_size")
    created = create_campaign(
        account,
        cast("CampaignValues", {**values, "outreach_id": outreach.pk}),
        demo["steps"],
        [CredentialEntry(cast("CredentialValues", credential | server)) for credential in demo["credentials"]],
    )
    enroll_import(account, created.campaign.pk, imported.contact_import.pk, batch_size=batch_size)
    release(account, created.campaign.pk)


def _people(path: Path) -> Iterator[NewContact]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            address = parse_address(row.pop("email"))
            first_name, last_name, company = (row.pop(name, "") for name in OWN_COLUMNS)
            yield NewContact(address, first_name, last_name, company, custom_fields=dict(row))
