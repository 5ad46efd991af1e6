"""Enrolment: batches, who is left out and why, what a released batch means, and rivals."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ampout.accounts.models import Account
from ampout.lib import clock
from ampout.lib.addresses import ROLE_NAMES, is_role_address, parse_address
from ampout.lib.errors import NotFound, Unprocessable
from campaigns.models import Batch, Campaign, Contact, ContactImport, Enrollment, Outreach, SkipCount
from campaigns.rules.skips import SkipReason
from campaigns.rules.suppression import SuppressionReason
from campaigns.services import enrolment
from campaigns.services.digests import address_digest, domain_digest
from campaigns.services.enrolment import ContactAlreadyEnrolled, enroll_contact, enroll_import
from dispatch.services.deletion import delete_campaign, delete_contact, delete_import
from dispatch.services.lifecycle import release
from dispatch.services.stops import unsubscribe_contact
from tests import factories
from tests.services.rival import Held, Waiting


@pytest.fixture
def campaign(account: Account) -> Campaign:
    """A pending campaign of one step."""
    return factories.make_campaign(account)


def make_import(account: Account, size: int = 0, *emails: str) -> ContactImport:
    """An import of so many fresh people, and of these."""
    made = factories.make_import(account)
    for email in [*([None] * size), *emails]:
        factories.make_contact(account, email, contact_import=made)
    return made


def skipped(campaign: Campaign, contact_import: ContactImport, **options: Any) -> list[tuple[str, SkipReason]]:
    result = enroll_import(campaign.account, campaign.pk, contact_import.pk, **options)
    return [(skip.email, skip.reason) for skip in result.skipped]


def numbers_of(campaign: Campaign) -> list[int]:
    """The batch number of each enrollment, in the order in which the contacts were made."""
    found = Enrollment.objects.of(campaign.account).filter(campaign=campaign)
    return list(found.order_by("contact__created_at", "contact").values_list("batch_number", flat=True))


# -- Batches


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("size", "numbers"),
    [(None, [1, 1, 1, 1, 1]), (5, [1, 1, 1, 1, 1]), (2, [1, 1, 2, 2, 3]), (1, [1, 2, 3, 4, 5]), (9, [1, 1, 1, 1, 1])],
)
def test_an_import_is_cut_into_batches_in_its_order(campaign: Campaign, size: int | None, numbers: list[int]) -> None:
    result = enroll_import(campaign.account, campaign.pk, make_import(campaign.account, 5).pk, batch_size=size)
    assert (result.enrolled, result.batch_numbers, result.batch_size) == (5, sorted(set(numbers)), size or 5)
    assert numbers_of(campaign) == numbers
    assert sorted(campaign.batches.values_list("number", flat=True)) == sorted(set(numbers))


@pytest.mark.django_db
def test_batches_are_filled_across_chunks(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolment, "CHUNK", 3)
    emails = ["abuse@recipient.example", "noc@recipient.example"]
    result = enroll_import(campaign.account, campaign.pk, make_import(campaign.account, 8, *emails).pk, batch_size=3)
    assert (result.enrolled, len(result.skipped)) == (8, 2)
    assert numbers_of(campaign) == [1, 1, 1, 2, 2, 2, 3, 3]


@pytest.mark.django_db
@pytest.mark.parametrize(("taken", "expected"), [([], 1), ([0], 1), ([0, 1, 7], 8)])
def test_batches_are_numbered_after_the_highest(campaign: Campaign, taken: list[int], expected: int) -> None:
    for number in taken:
        factories.make_batch(campaign, number)
    result = enroll_import(campaign.account, campaign.pk, make_import(campaign.account, 1).pk)
    assert result.batch_numbers == [expected]


@pytest.mark.django_db
def test_an_import_of_nobody_makes_no_batch(campaign: Campaign) -> None:
    result = enroll_import(campaign.account, campaign.pk, make_import(campaign.account, 0, "abuse@a.example").pk)
    assert (result.enrolled, result.batch_numbers, result.batch_size) == (0, [], 0)
    assert not campaign.batches.exists()


@pytest.mark.django_db
def test_ten_thousand_are_enrolled_in_seconds_and_few_queries(campaign: Campaign) -> None:
    contact_import = factories.make_import(campaign.account)
    domain = "recipient.example"
    Contact.objects.bulk_create(
        Contact(
            account=campaign.account,
            contact_import=contact_import,
            email=f"p{number}@{domain}",
            identity=f"p{number}@{domain}",
            domain=domain,
            address_digest=address_digest(f"p{number}@{domain}"),
            domain_digest=domain_digest(domain),
        )
        for number in range(10_000)
    )
    started = time.monotonic()
    with CaptureQueriesContext(connection) as captured:
        result = enroll_import(campaign.account, campaign.pk, contact_import.pk, batch_size=500)
    assert (result.enrolled, len(result.batch_numbers), result.skipped) == (10_000, 20, [])
    assert len(captured) <= 16
    assert time.monotonic() - started < 10


# -- Who is left out


@pytest.mark.django_db
def test_each_reason_is_told_and_counted(account: Account, campaign: Campaign) -> None:
    contact_import = make_import(account, 0, "security+x@a.example", "out@a.example", "in@a.example")
    make = {"contact_import": contact_import}
    factories.make_contact(account, "left@a.example", unsubscribed_at=clock.utc_now(), **make)
    factories.make_contact(account, "x@closed.example", **make)
    factories.make_contact(account, "gone@a.example", deleted_at=clock.utc_now(), **make)
    factories.enroll(campaign, Contact.objects.of(account).get(email="in@a.example"))
    factories.make_suppression(account, "out@a.example")
    factories.make_suppression(account, "closed.example", SuppressionReason.COMPLAINT)
    assert sorted(skipped(campaign, contact_import)) == [
        ("in@a.example", SkipReason.ALREADY_ENROLLED),
        ("left@a.example", SkipReason.UNSUBSCRIBED),
        ("out@a.example", SkipReason.SUPPRESSED),
        ("security+x@a.example", SkipReason.ROLE_ADDRESS),
        ("x@closed.example", SkipReason.SUPPRESSED),
    ]
    counted = dict(SkipCount.objects.filter(campaign=campaign).values_list("reason", "count"))
    assert counted == {"already_enrolled": 1, "unsubscribed": 1, "suppressed": 2, "role_address": 1}


@pytest.mark.django_db
def test_an_address_that_unsubscribed_before_it_was_imported_again_is_known(campaign: Campaign) -> None:
    factories.make_suppression(campaign.account, "left@a.example", SuppressionReason.UNSUBSCRIBED)
    contact_import = make_import(campaign.account, 0, "Left@A.example")
    assert skipped(campaign, contact_import) == [("Left@A.example", SkipReason.UNSUBSCRIBED)]


@pytest.mark.django_db
def test_a_suppression_that_was_lifted_or_is_another_accounts_stops_nobody(
    campaign: Campaign, other_account: Account
) -> None:
    row = factories.make_suppression(campaign.account, "back@a.example")
    row.scope = ""
    row.save()
    factories.make_suppression(other_account, "fine@a.example")
    assert skipped(campaign, make_import(campaign.account, 0, "back@a.example", "fine@a.example")) == []


@pytest.mark.django_db
def test_role_addresses_are_those_of_the_rule(campaign: Campaign) -> None:
    names = [*sorted(ROLE_NAMES), "ABUSE+case", "noc+tag", "abused", "sales", "info", "my.abuse", "post.master"]
    emails = [f"{name}@a.example" for name in names]
    expected = sorted(email for email in emails if is_role_address(parse_address(email).identity))
    found = skipped(campaign, make_import(campaign.account, 0, *emails))
    assert sorted(email for email, _ in found) == expected
    assert {reason for _, reason in found} == {SkipReason.ROLE_ADDRESS}


@pytest.mark.django_db
def test_a_role_address_may_be_forced_and_a_suppressed_one_not(campaign: Campaign) -> None:
    factories.make_suppression(campaign.account, "noc@a.example")
    contact_import = make_import(campaign.account, 0, "abuse@a.example", "noc@a.example")
    assert skipped(campaign, contact_import, force=True) == [("noc@a.example", SkipReason.SUPPRESSED)]


@pytest.fixture
def siblings(account: Account) -> tuple[Campaign, Campaign]:
    """Two campaigns of an outreach whose contacts are unique."""
    outreach = factories.make_outreach(account, unique_contacts=True)
    return factories.make_campaign(account, outreach=outreach), factories.make_campaign(account, outreach=outreach)


@pytest.mark.django_db
def test_unique_contacts_are_in_one_campaign_of_the_outreach(siblings: tuple[Campaign, Campaign]) -> None:
    first, second = siblings
    contact_import = make_import(first.account, 0, "shared@a.example")
    assert skipped(first, contact_import) == []
    assert skipped(second, contact_import) == [("shared@a.example", SkipReason.CROSS_CAMPAIGN_DUPLICATE)]


@pytest.mark.django_db
def test_an_outreach_that_shares_its_contacts_skips_nobody(siblings: tuple[Campaign, Campaign]) -> None:
    first, second = siblings
    Outreach.objects.of(first.account).update(unique_contacts=False)
    contact_import = make_import(first.account, 1)
    assert (skipped(first, contact_import), skipped(second, contact_import)) == ([], [])


@pytest.mark.django_db
def test_a_deleted_sibling_holds_only_those_it_has_written_to(siblings: tuple[Campaign, Campaign]) -> None:
    first, second = siblings
    contact_import = make_import(first.account, 0, "untouched@a.example", "written@a.example")
    enroll_import(first.account, first.pk, contact_import.pk)
    written = Enrollment.objects.of(first.account).filter(contact__email="written@a.example")
    written.update(sent_at=clock.utc_now())
    delete_campaign(first.account, first.pk)
    assert skipped(second, contact_import) == [("written@a.example", SkipReason.CROSS_CAMPAIGN_DUPLICATE)]


@pytest.mark.django_db
@pytest.mark.parametrize("reason", list(SkipReason))
def test_a_single_contact_is_refused_for_the_same_reasons(
    siblings: tuple[Campaign, Campaign], reason: SkipReason
) -> None:
    campaign, other = siblings
    account = campaign.account
    contact = factories.make_contact(account, "abuse@a.example" if reason is SkipReason.ROLE_ADDRESS else None)
    if reason is SkipReason.ALREADY_ENROLLED:
        factories.enroll(campaign, contact)
    elif reason is SkipReason.CROSS_CAMPAIGN_DUPLICATE:
        factories.enroll(other, contact)
    elif reason is SkipReason.SUPPRESSED:
        factories.make_suppression(account, contact.identity)
    elif reason is SkipReason.UNSUBSCRIBED:
        unsubscribe_contact(contact)
    expected = ContactAlreadyEnrolled if reason is SkipReason.ALREADY_ENROLLED else Unprocessable
    with pytest.raises(expected) as caught:
        enroll_contact(account, campaign.pk, contact.pk)
    if expected is Unprocessable:
        assert caught.value.details == {"reason": reason.value}
    assert campaign.enrollments.count() == int(reason is SkipReason.ALREADY_ENROLLED)


# -- What a batch means


@pytest.mark.django_db
def test_in_a_batch_that_is_not_released_nothing_is_due(campaign: Campaign) -> None:
    contact = factories.make_contact(campaign.account)
    enrollment = enroll_contact(campaign.account, campaign.pk, contact.pk, batch_number=4, priority=7)
    assert (enrollment.next_due_at, enrollment.priority, enrollment.batch_number) == (None, 7, 4)
    assert Batch.objects.get(campaign=campaign, number=4).released_at is None


@pytest.mark.django_db
def test_in_a_released_batch_it_is_due_at_once(campaign: Campaign) -> None:
    factories.enroll(campaign, batch_number=2)
    release(campaign.account, campaign.pk, 2)
    now = clock.utc_now() + timedelta(hours=1)
    contact = factories.make_contact(campaign.account)
    enrollment = enroll_contact(campaign.account, campaign.pk, contact.pk, batch_number=2, now=now)
    assert enrollment.next_due_at == now


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "released", "expected"),
    [
        ("completed", True, "active"),
        ("completed", False, "completed"),
        ("paused", True, "paused"),
        ("active", True, "active"),
        ("pending", False, "pending"),
    ],
)
def test_a_completed_campaign_goes_on_when_the_batch_was_released(
    account: Account, status: str, released: bool, expected: str
) -> None:
    now = clock.utc_now()
    campaign = factories.make_campaign(account, status=status, completed_at=now if status == "completed" else None)
    factories.make_batch(campaign, 1, released_at=now if released else None)
    enroll_contact(account, campaign.pk, factories.make_contact(account).pk, batch_number=1)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.completed_at is None) == (expected, expected != "completed")


@pytest.mark.django_db
def test_an_import_into_a_completed_campaign_waits_for_dispatch(account: Account) -> None:
    campaign = factories.make_campaign(account, status="completed")
    enroll_import(account, campaign.pk, make_import(account, 1).pk)
    campaign.refresh_from_db()
    assert campaign.status == "completed"
    assert release(account, campaign.pk).released == 1


@pytest.mark.django_db
def test_a_deleted_campaign_enrolls_nobody(account: Account, campaign: Campaign) -> None:
    contact_import = make_import(account, 1)
    delete_campaign(account, campaign.pk)
    with pytest.raises(NotFound, match="No such campaign"):
        enroll_import(account, campaign.pk, contact_import.pk)


# -- Rivals


@pytest.mark.django_db(transaction=True)
def test_an_unsubscription_that_commits_while_we_wait_is_seen() -> None:
    campaign = factories.make_campaign(factories.make_account())
    contact_import = make_import(campaign.account, 1)
    contact = Contact.objects.of(campaign.account).get()
    with Held(lambda: unsubscribe_contact(contact)) as rival:
        late = Waiting(lambda: skipped(campaign, contact_import))
        rival.commit_once_waited_for()
        assert late.outcome() == [(contact.email, SkipReason.UNSUBSCRIBED)]


@pytest.mark.django_db(transaction=True)
def test_an_unsubscription_that_waits_for_us_stops_whom_we_enrolled() -> None:
    campaign = factories.make_campaign(factories.make_account())
    contact_import = make_import(campaign.account, 1)
    contact = Contact.objects.of(campaign.account).get()
    with Held(lambda: enroll_import(campaign.account, campaign.pk, contact_import.pk)) as rival:
        late = Waiting(lambda: unsubscribe_contact(contact))
        rival.commit_once_waited_for()
        assert late.outcome() is None
    assert Enrollment.objects.of(campaign.account).get().stop_reason == "unsubscribed"


@pytest.mark.django_db(transaction=True)
def test_a_campaign_deleted_while_we_enroll_leaves_nothing_open() -> None:
    campaign = factories.make_campaign(factories.make_account())
    contact_import = make_import(campaign.account, 2)
    with Held(lambda: enroll_import(campaign.account, campaign.pk, contact_import.pk)) as rival:
        late = Waiting(lambda: delete_campaign(campaign.account, campaign.pk))
        rival.commit_once_waited_for()
        assert late.outcome() is None
    assert not Enrollment.objects.of(campaign.account).filter(stopped_at__isnull=True).exists()


@pytest.mark.django_db(transaction=True)
def test_a_deletion_that_commits_while_we_wait_enrolls_nobody() -> None:
    campaign = factories.make_campaign(factories.make_account())
    contact_import = make_import(campaign.account, 2)
    with Held(lambda: delete_campaign(campaign.account, campaign.pk)) as rival:
        late = Waiting(lambda: enroll_import(campaign.account, campaign.pk, contact_import.pk))
        rival.commit_once_waited_for()
        assert isinstance(late.outcome(), NotFound)
    assert not Enrollment.objects.of(campaign.account).exists()


@pytest.mark.django_db(transaction=True)
def test_two_siblings_never_share_a_unique_contact() -> None:
    account = factories.make_account()
    outreach = factories.make_outreach(account, unique_contacts=True)
    first, second = (factories.make_campaign(account, outreach=outreach) for _ in range(2))
    contact_import = make_import(account, 3)
    with Held(lambda: enroll_import(account, first.pk, contact_import.pk)) as rival:
        late = Waiting(lambda: skipped(second, contact_import))
        rival.commit_once_waited_for()
        assert {reason for _, reason in late.outcome()} == {SkipReason.CROSS_CAMPAIGN_DUPLICATE}
    assert Enrollment.objects.of(account).count() == 3


@pytest.mark.django_db(transaction=True)
def test_two_enrolments_at_once_take_different_batches() -> None:
    campaign = factories.make_campaign(factories.make_account())
    one, other = make_import(campaign.account, 2), make_import(campaign.account, 2)
    with Held(lambda: enroll_import(campaign.account, campaign.pk, one.pk)) as rival:
        late = Waiting(lambda: enroll_import(campaign.account, campaign.pk, other.pk))
        rival.commit_once_waited_for()
        assert late.outcome().batch_numbers == [2]


@pytest.mark.django_db(transaction=True)
def test_a_batch_released_while_we_enroll_takes_us_along() -> None:
    campaign = factories.make_campaign(factories.make_account())
    factories.enroll(campaign, batch_number=1)
    contact = factories.make_contact(campaign.account)
    with Held(lambda: release(campaign.account, campaign.pk, 1)) as rival:
        late = Waiting(lambda: enroll_contact(campaign.account, campaign.pk, contact.pk, batch_number=1))
        rival.commit_once_waited_for()
        assert late.outcome().next_due_at is not None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("whole_import", [False, True])
def test_a_contact_deleted_while_we_enroll_leaves_nothing_open(whole_import: bool) -> None:
    campaign = factories.make_campaign(factories.make_account())
    account, contact_import = campaign.account, make_import(campaign.account, 1)
    contact = Contact.objects.of(account).get()
    with Held(lambda: enroll_import(account, campaign.pk, contact_import.pk)) as rival:
        late = Waiting(
            lambda: delete_import(account, contact_import.pk) if whole_import else delete_contact(account, contact.pk)
        )
        rival.commit_once_waited_for()
        assert late.outcome() is None
    assert Enrollment.objects.of(account).get().stop_reason == "owner_deleted"
