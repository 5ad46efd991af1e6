"""Deleting: what has not started is cancelled, the proof and the suppressions stay (design: Deleting)."""

import json

import pytest
from django.apps import apps

from ampout.lib.errors import NotFound
from campaigns.models import Campaign, Contact, Suppression
from campaigns.rules.suppression import SuppressionReason
from dispatch.models import Attempt, Message
from dispatch.services import deletion, erasure, senders, stops, test_send
from dispatch.services.unsubscribe import make_token, unsubscribe_by_token
from tests import factories
from tests.services.desk import Desk, S, fresh, message_of

CANARY = "canary.person"


def everything() -> str:
    """All rows of all tables, as text."""
    models = [model for model in apps.get_models() if model._meta.app_label != "contenttypes"]
    return json.dumps([list(model._base_manager.values()) for model in models], default=str)


def canary(desk: Desk) -> Contact:
    return factories.make_contact(desk.account, f"{CANARY}@recipient.example", first_name=CANARY)


# -- A contact


def test_deleting_a_contact_stops_it_everywhere_and_cancels_what_has_not_started(desk: Desk) -> None:
    contact = canary(desk)
    planned, deferred = (factories.enroll(desk.campaign(steps=2), contact) for _ in range(2))
    for enrollment in (deferred, planned):
        desk.release(enrollment.campaign)
        if enrollment is deferred:
            desk.tick()
            [claimed] = desk.claim()
            desk.settle(claimed, S.DEFERRED)
    desk.tick()
    deletion.delete_contact(desk.account, contact.pk, now=desk.now)
    assert {(message_of(one).state, message_of(one).reason) for one in (planned, deferred)} == {
        (S.CANCELLED, "owner_deleted")
    }
    assert [fresh(one).stop_reason for one in (planned, deferred)] == ["owner_deleted"] * 2
    desk.wait(days=1)
    assert desk.send_due() == []
    assert desk.violations() == []


def test_the_ledger_stays_without_the_person(desk: Desk) -> None:
    contact = canary(desk)
    enrolled = factories.enroll(desk.campaign(), contact)
    desk.release(enrolled.campaign)
    [claimed] = desk.send_due(subject=f"Hello {CANARY}", reply_text=f"250 Ok for {CANARY}", reply_code=250)
    deletion.delete_contact(desk.account, contact.pk, now=desk.now)
    assert CANARY not in everything()
    message = message_of(claimed)
    assert (message.state, message.wire_at, message.reply_code) == (S.ACCEPTED, desk.now, 250)
    assert Attempt.everywhere.count() == 1
    assert bytes(message.recipient_digest) == bytes(contact.address_digest)
    assert desk.violations() == []


def test_nothing_is_cleared_while_something_is_on_the_wire(desk: Desk) -> None:
    contact = canary(desk)
    enrolled = factories.enroll(desk.campaign(), contact)
    desk.release(enrolled.campaign)
    desk.tick()
    [claimed] = desk.claim()
    desk.wire(claimed)
    deletion.delete_contact(desk.account, contact.pk, now=desk.now)
    erasure.clear_late_ones()
    assert message_of(claimed).recipient == contact.email
    desk.settle(claimed, subject=f"Hello {CANARY}", reply_text=f"250 Ok for {CANARY}")
    erasure.clear_late_ones()
    assert CANARY not in everything()
    assert desk.violations() == []


def test_test_messages_to_the_address_are_cleared_too(desk: Desk) -> None:
    contact, campaign = canary(desk), desk.campaign()
    test_send.send_test(desk.account, campaign.pk, [contact.email], now=desk.now)
    desk.tick()
    desk.send(*desk.claim(), reply_text=f"250 Ok for {CANARY}")
    deletion.delete_contact(desk.account, contact.pk, now=desk.now)
    assert CANARY not in everything()


def test_the_same_address_in_another_account_stays(desk: Desk) -> None:
    other = Desk()
    contact, elsewhere = canary(desk), canary(other)
    test_send.send_test(other.account, other.campaign().pk, [elsewhere.email], now=other.now)
    deletion.delete_contact(desk.account, contact.pk, now=desk.now)
    assert Contact.everywhere.get(pk=elsewhere.pk).first_name == CANARY
    assert Message.everywhere.get().recipient == elsewhere.email


def test_a_contact_that_came_back_is_another_one(desk: Desk) -> None:
    deletion.delete_contact(desk.account, canary(desk).pk, now=desk.now)
    again = canary(desk)
    enrolled = factories.enroll(desk.campaign(), again)
    desk.release(enrolled.campaign)
    desk.tick()
    erasure.clear_late_ones()
    assert message_of(enrolled).recipient == again.email
    desk.send(*desk.claim())
    assert fresh(enrolled).status == "sent"


# -- What survives


def test_a_suppression_survives_and_keeps_the_address_out(desk: Desk) -> None:
    contact = canary(desk)
    stops.unsubscribe_contact(contact, now=desk.now)
    deletion.delete_contact(desk.account, contact.pk, now=desk.now)
    assert Suppression.objects.of(desk.account).get().scope == "marketing"
    again = factories.enroll(desk.campaign(), canary(desk))
    desk.release(again.campaign)
    assert desk.send_due() == []
    assert fresh(again).stop_reason == "suppressed"


@pytest.mark.parametrize("owner", ["contact", "campaign", "import"])
def test_an_unsubscribe_link_works_after_the_deletion(desk: Desk, owner: str) -> None:
    listed = factories.make_import(desk.account)
    contact = canary(desk)
    Contact.everywhere.update(contact_import=listed)
    enrolled = factories.enroll(desk.campaign(), contact)
    desk.release(enrolled.campaign)
    [claimed] = desk.send_due()
    if owner == "contact":
        deletion.delete_contact(desk.account, contact.pk, now=desk.now)
    elif owner == "campaign":
        deletion.delete_campaign(desk.account, enrolled.campaign_id, now=desk.now)
    else:
        deletion.delete_import(desk.account, listed.pk, now=desk.now)
    assert unsubscribe_by_token(make_token(claimed.message_id), now=desk.now)
    assert Suppression.objects.of(desk.account).get().reason == SuppressionReason.UNSUBSCRIBED


# -- An import


def test_deleting_an_import_deletes_its_contacts_and_no_others(desk: Desk) -> None:
    listed = factories.make_import(desk.account)
    campaign = desk.campaign()
    own = factories.enroll(campaign, factories.make_contact(desk.account, contact_import=listed))
    other = factories.enroll(campaign)
    desk.release(campaign)
    desk.tick()
    deletion.delete_import(desk.account, listed.pk, now=desk.now)
    assert (fresh(own).stop_reason, fresh(other).stop_reason) == ("owner_deleted", "")
    assert Contact.everywhere.get(pk=own.contact_id).email == ""
    assert len(desk.send_due()) == 1
    assert desk.violations() == []


# -- A campaign


def test_deleting_a_campaign_cancels_it_and_lets_its_credentials_go(desk: Desk) -> None:
    shared = desk.credential()
    kept = desk.released(1, credentials=[shared])
    deleted = desk.released(3, credentials=[shared, desk.credential()])
    desk.tick()
    deletion.delete_campaign(desk.account, deleted.pk, now=desk.now)
    assert set(Message.everywhere.filter(campaign=deleted).values_list("state", "reason")) == {
        ("cancelled", "owner_deleted")
    }
    retired = {credential.pk: credential.retired_at for credential in type(shared).everywhere.all()}
    assert retired.pop(shared.pk) is None
    assert list(retired.values()) == [desk.now]
    desk.send_due()
    assert Message.everywhere.filter(campaign=kept, state="accepted").count() == 1
    desk.tick()
    assert desk.used(shared) == 1
    assert desk.violations() == []


def test_what_was_on_the_wire_is_recorded_all_the_same(desk: Desk) -> None:
    campaign = desk.released(1, steps=2)
    desk.tick()
    [claimed] = desk.claim()
    desk.wire(claimed)
    deletion.delete_campaign(desk.account, campaign.pk, now=desk.now)
    assert desk.settle(claimed)
    desk.tick()
    assert (message_of(claimed).state, Message.everywhere.count()) == (S.ACCEPTED, 1)
    assert desk.violations() == []


def test_test_messages_of_a_deleted_campaign_do_not_leave(desk: Desk) -> None:
    campaign = desk.campaign()
    test_send.send_test(desk.account, campaign.pk, ["tester@own.example"], now=desk.now)
    deletion.delete_campaign(desk.account, campaign.pk, now=desk.now)
    desk.tick()
    assert desk.claim() == []
    assert Message.everywhere.get().state == S.CANCELLED


def test_a_paused_and_a_disabled_campaign_can_be_deleted(desk: Desk) -> None:
    campaign = desk.released(2)
    desk.tick()
    senders.disable_credential(campaign.credentials.get().pk, "operator", now=desk.now)
    deletion.delete_campaign(desk.account, campaign.pk, now=desk.now)
    assert Campaign.everywhere.get().deleted_at == desk.now
    desk.tick()
    assert desk.violations() == []


# -- What is not there


@pytest.mark.parametrize(
    ("delete", "make", "code"),
    [
        (deletion.delete_contact, factories.make_contact, "contact_not_found"),
        (deletion.delete_import, factories.make_import, "contact_import_not_found"),
        (deletion.delete_campaign, factories.make_campaign, "campaign_not_found"),
    ],
)
def test_what_is_another_accounts_or_was_deleted_is_not_found(
    desk: Desk, delete: object, make: object, code: str
) -> None:
    assert callable(delete)
    assert callable(make)
    own, other = make(desk.account), make(factories.make_account())
    delete(desk.account, own.pk, now=desk.now)
    for pk in (own.pk, other.pk):
        with pytest.raises(NotFound) as missing:
            delete(desk.account, pk, now=desk.now)
        assert missing.value.code == code
    other.refresh_from_db()
    assert other.deleted_at is None
