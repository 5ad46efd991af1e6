"""A campaign, made by the services that the API calls."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ampout.accounts.services import create_account, issue_key, update_account
from ampout.lib.addresses import parse_address
from campaigns.services.campaigns import create_campaign
from campaigns.services.enrolment import enroll_import
from campaigns.services.imports import NewContact, import_contacts
from credentials.services import CredentialEntry, CredentialValues
from dispatch.services.lifecycle import release
from tests.faults.lab import Lab


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was made. `recipients` are the addresses, whose local part says how the SMTP server treats them."""

    key: str
    recipients: Sequence[str]
    credentials: int
    steps: int


def people(count: int, *, first: int = 0, **shares: int) -> list[str]:
    """So many addresses; `shares` gives behaviours of the SMTP server (`_` for `-`), each to every n-th person."""
    names = []
    for number in range(first, first + count):
        odd = next((name for name, every in shares.items() if number % every == every - 1), "ok")
        names.append(f"{odd.replace('_', '-')}+{number}@chaos.example")
    return names


def seed(
    lab: Lab, recipients: Sequence[str], *, credentials: int = 5, steps: int = 1, daily_limit: int = 10_000
) -> Seeded:
    """Make an account with one campaign without gaps, and release it."""
    with lab.django():
        account = create_account("owner@tenant.example", "Fault Lab")
        update_account(account, sender_name="Fault Lab", postal_address="1 Loopback Lane, Nowhere")
        imported = import_contacts(account, "everybody", _contacts(recipients))
        created = create_campaign(
            account,
            # The lab's many strange recipients are no matter of health here.
            {"name": "faults", "min_wait_seconds": 0, "max_wait_seconds": 0, "bounce_rate_min_sends": 1_000_000},
            [
                {"subject": f"Step {n}", "body_html": f"<p>Step {n}</p>", "delay_minutes": 0}
                for n in range(1, steps + 1)
            ],
            [CredentialEntry(_mailbox(lab, number, daily_limit)) for number in range(credentials)],
        )
        enroll_import(account, created.campaign.pk, imported.contact_import.pk)
        release(account, created.campaign.pk)
        key = issue_key(account).plaintext
    return Seeded(key, recipients, credentials, steps)


def _contacts(recipients: Iterable[str]) -> Iterable[NewContact]:
    return (NewContact(parse_address(text)) for text in recipients)


def _mailbox(lab: Lab, number: int, daily_limit: int) -> CredentialValues:
    return {
        "label": f"sender {number}",
        "smtp_host": "127.0.0.1",
        "smtp_port": lab.smtp_port,
        "smtp_username": f"sender{number}",
        "smtp_password": "a password for loopback",
        "from_name": "Fault Lab",
        "from_email": f"sender{number}@sender.example",
        "daily_limit": daily_limit,
    }
