"""Calls for many, side by side with each other and with those for one: locks in one order, so nobody is stuck."""

import contextlib
import random
import threading
from collections.abc import Callable

from django.db import connection

from ampout.accounts.models import Account
from ampout.lib import clock
from ampout.lib.errors import NotFound
from campaigns.models import Contact, Enrollment
from campaigns.rules.suppression import SuppressionReason
from campaigns.services.enrolment import enroll_contacts
from dispatch.services import deletion, stops
from dispatch.services.audit import audit
from tests import factories

ROUNDS = 8


def test_nobody_waits_for_each_other_for_ever(transactional_db: None) -> None:
    account = factories.make_account()
    campaigns = [factories.make_campaign(account) for _ in range(ROUNDS)]
    contacts = [factories.make_contact(account) for _ in range(40)]
    calls: list[Callable[[list[Contact], int], object]] = [
        lambda some, _round: stops.unsubscribe_all(account, map(stops.contact_target, some)),
        lambda some, _round: stops.suppress_all(account.pk, map(stops.contact_target, some), SuppressionReason.MANUAL),
        lambda some, round_: enroll_contacts(account, campaigns[round_].pk, [contact.pk for contact in some]),
        lambda some, _round: deletion.delete_contacts(account, [contact.pk for contact in some[:2]]),
    ]
    problems: list[Exception] = []

    def run(call: Callable[[list[Contact], int], object], seed: int) -> None:
        dice = random.Random(seed)
        try:
            for number in range(ROUNDS):
                try_one(call, dice.sample(contacts, 20), number)
        except Exception as error:
            problems.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call, seed)) for seed, call in enumerate(calls * 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert list(audit(clock.utc_now())) == []
    assert not still_going_to_the_unsubscribed(account)


def try_one(call: Callable[[list[Contact], int], object], some: list[Contact], number: int) -> None:
    """A refusal, of a contact that was deleted meanwhile, is an answer too."""
    with contextlib.suppress(NotFound):
        call(some, number)


def still_going_to_the_unsubscribed(account: Account) -> bool:
    """Whether any enrollment of somebody who said no is left open."""
    said_no = Contact.objects.of(account).filter(unsubscribed_at__isnull=False)
    return bool(Enrollment.objects.of(account).filter(contact__in=said_no, stopped_at__isnull=True).exists())
