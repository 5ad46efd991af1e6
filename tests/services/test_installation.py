"""Promise B5: a restored copy plans, claims, sends, polls and tells nothing until it is adopted (design)."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django.fixtures import Settings

from ampout.accounts import installation
from ampout.accounts.models import Installation
from ampout.accounts.row_security import behind_wall
from ampout.events.services import claim as webhook_claim
from ampout.events.services import loops
from ampout.events.services.fan_out import fan_out
from ampout.lib import clock
from ampout.lib.errors import Unprocessable
from campaigns.models import Campaign, Enrollment
from dispatch.management.commands.adopt import Command
from dispatch.models import Message
from dispatch.rules.message_state import MessageState as S
from dispatch.services import lifecycle, mailboxes
from dispatch.services.conservation import conservation_of
from dispatch.services.explain import explain_enrollment
from dispatch.services.installation import adopt, sending_is_off
from dispatch.services.plan import TickResult
from dispatch.services.tallied import tallied_conservation_of
from dispatch.services.test_send import send_test
from tests import factories
from tests.events.conftest import tell
from tests.services.desk import Desk

pytestmark = pytest.mark.django_db


def restore() -> None:
    """What a restore comes to: the row names a database that this is not."""
    Installation.objects.update(database="a server that is gone/5")


def states() -> list[tuple[str, str]]:
    return list(Message.everywhere.order_by("created_at", "pk").values_list("state", "reason"))


def test_the_first_tick_takes_a_database_that_is_nobodys(desk: Desk, settings: Settings) -> None:
    settings.INSTALLATION_ID = "production"
    desk.tick()
    assert Installation.objects.get().name == "production"
    assert sending_is_off() is None


def test_a_later_tick_changes_nothing(desk: Desk) -> None:
    desk.tick()
    taken = Installation.objects.get()
    desk.wait(minutes=1)
    desk.tick()
    assert Installation.objects.get().adopted_at == taken.adopted_at


def test_the_sentence_names_both_installations(desk: Desk, settings: Settings) -> None:
    settings.INSTALLATION_ID = "production"
    desk.tick()
    settings.INSTALLATION_ID = "staging"
    assert sending_is_off() == (
        'Sending is off: this database belongs to the installation "production", and AMPOUT_INSTALLATION_ID is '
        '"staging". Once you are sure that nothing else sends from it, run manage.py adopt.'
    )


def test_a_missing_id_is_another_one(desk: Desk, settings: Settings) -> None:
    settings.INSTALLATION_ID = "production"
    desk.tick()
    settings.INSTALLATION_ID = ""
    assert "AMPOUT_INSTALLATION_ID is not set" in (sending_is_off() or "")
    assert desk.tick() == TickResult()


def test_a_restored_copy_knows_without_any_setting(desk: Desk) -> None:
    desk.tick()
    restore()
    assert (sending_is_off() or "").startswith("Sending is off: this database was restored from a copy of another one.")


def test_a_restored_copy_plans_nothing(desk: Desk) -> None:
    desk.tick()
    desk.released(3)
    restore()
    assert desk.tick() == TickResult()
    assert states() == []


def test_a_restored_copy_claims_nothing(desk: Desk) -> None:
    desk.released(3)
    desk.tick()
    restore()
    assert desk.claim() == []
    assert states() == [("planned", "")] * 3


def test_the_wire_itself_refuses_in_a_restored_copy(desk: Desk) -> None:
    desk.released(2)
    desk.tick()
    claims = desk.claim()
    restore()
    assert desk.wire(*claims) == set()
    installation.take(desk.now)
    assert desk.wire(*claims) == {claimed.message_id for claimed in claims}


def test_a_restored_copy_polls_nothing(desk: Desk) -> None:
    desk.tick()
    campaign = desk.released(1)
    credential = campaign.credentials.get()
    credential.imap_host, credential.imap_port, credential.imap_username = "imap.example", 993, "user"
    credential.imap_password = "word"
    credential.save()
    mailboxes.sync_mailboxes(now=desk.now)
    later = desk.now + timedelta(days=1)
    restore()
    assert mailboxes.lease_due(desk.worker_id, now=later, room=5) == []
    installation.take(desk.now)
    assert [lease.credential_id for lease in mailboxes.lease_due(desk.worker_id, now=later, room=5)] == [credential.pk]


def test_a_restored_copy_tells_nobody(desk: Desk) -> None:
    desk.tick()
    endpoint = factories.make_webhook(account=desk.account, created_at=desk.now)
    tell(desk.account)
    fan_out(now=clock.utc_now())
    loop_id = loops.start_loop("loop")
    assert loop_id is not None
    restore()
    ask: dict[str, Any] = {"now": clock.utc_now(), "limit": 5}
    assert webhook_claim.claim_endpoints(loop_id, failing=False, **ask) == []
    installation.take(desk.now)
    assert webhook_claim.claim_endpoints(loop_id, failing=False, **ask) == [endpoint.pk]
    assert len(webhook_claim.next_turn(loop_id, endpoint.pk, **ask).calls) == 1
    restore()
    assert webhook_claim.next_turn(loop_id, endpoint.pk, **ask).calls == []


def test_a_dispatch_in_a_restored_copy_warns(desk: Desk) -> None:
    desk.tick()
    restore()
    campaign = desk.campaign()
    desk.enroll(campaign)
    warnings = lifecycle.release(desk.account, campaign.pk, now=desk.now).warnings
    assert "sending_is_off" in [warning["code"] for warning in warnings]


def test_a_test_send_in_a_restored_copy_is_refused(desk: Desk) -> None:
    desk.tick()
    restore()
    campaign = desk.campaign()
    with pytest.raises(Unprocessable, match="Sending is off"):
        send_test(desk.account, campaign.pk, ["me@example.com"], now=desk.now)
    assert states() == []


def test_adoption_heals_pauses_and_lets_send_what_never_went(desk: Desk) -> None:
    campaign = desk.released(3, credentials=3)
    desk.tick()
    claims = desk.claim()
    desk.wire(claims[0])
    restore()
    done = adopt(moved=False, now=desk.now)
    assert (done.unknown, done.paused) == (1, 1)
    assert sorted(state for state, _ in states()) == ["planned", "planned", "unknown"]
    paused = Campaign.everywhere.get()
    assert (paused.status, paused.pause_reason) == ("paused", "operator")
    lifecycle.resume_campaign(desk.account, campaign.pk, by_operator=True, now=desk.now)
    successor = Desk(account=desk.account, now=desk.now)
    successor.wait(hours=1)
    successor.tick()
    assert len(successor.claim()) == 2


def test_the_loops_of_the_copy_move_nothing_after_its_adoption(desk: Desk) -> None:
    desk.released(1)
    desk.tick()
    (claimed,) = desk.claim()
    restore()
    adopt(moved=True, now=desk.now)
    assert desk.wire(claimed) == set()


def test_what_only_moved_goes_on(desk: Desk) -> None:
    desk.released(2, credentials=2)
    desk.tick()
    restore()
    assert adopt(moved=True, now=desk.now).paused == 0
    assert Campaign.everywhere.get().status == "active"
    assert len(Desk(account=desk.account, now=desk.now).claim()) == 2


def test_tests_of_the_copy_are_cancelled_as_nobody_resumes_them(desk: Desk) -> None:
    desk.tick()
    send_test(desk.account, desk.campaign().pk, ["me@example.com"], now=desk.now)
    restore()
    assert adopt(moved=False, now=desk.now).tests_cancelled == 1
    assert states() == [(S.CANCELLED.value, "restored")]


def test_a_database_of_our_own_is_not_adopted(desk: Desk) -> None:
    desk.released(1)
    desk.tick()
    before = states()
    output = StringIO()
    call_command(Command(), stdout=output)
    assert output.getvalue() == "This database is this installation's own already: nothing to do.\n"
    assert (states(), Campaign.everywhere.get().status) == (before, "active")


def test_the_command_tells_what_became_of_the_copy(desk: Desk) -> None:
    desk.released(1)
    desk.tick()
    restore()
    output = StringIO()
    call_command(Command(), stdout=output)
    was, adopted = output.getvalue().splitlines()
    assert was.startswith("It was: Sending is off: this database was restored from a copy of another one.")
    assert adopted == (
        "Adopted. 1 campaigns paused, 0 test messages cancelled, 0 messages unknown. From now on this database sends."
    )
    assert sending_is_off() is None


def test_other_campaigns_than_active_ones_stay_as_they_are(desk: Desk) -> None:
    desk.tick()
    factories.make_campaign(desk.account)
    restore()
    assert adopt(moved=False, now=desk.now).paused == 0
    assert Campaign.everywhere.get().status == "pending"


def test_what_would_go_now_waits_for_the_adoption_in_the_account_of_the_steps(desk: Desk) -> None:
    campaign = desk.released(4, steps=2)
    desk.tick()
    desk.enroll(campaign, 3)
    desk.release(campaign)
    restore()
    counted = conservation_of([campaign.pk], now=desk.now)[campaign.pk]
    assert counted.waiting == {"sending_off": 7, "earlier_step": 7}
    assert tallied_conservation_of([campaign.pk], now=desk.now)[campaign.pk].as_dict() == counted.as_dict()


def test_the_explanation_names_the_copy(desk: Desk) -> None:
    campaign = desk.released(1)
    desk.tick()
    restore()
    enrollment = Enrollment.everywhere.get(campaign=campaign)
    told = explain_enrollment(desk.account, enrollment.pk, now=desk.now).explanation
    assert (told.reason, told.earliest_at) == ("sending_off", None)
    assert told.sentence == "The database was restored from a backup: nothing is sent until its operator adopts it."


def test_a_call_of_an_account_learns_it_behind_the_wall(desk: Desk) -> None:
    desk.tick()
    with behind_wall(desk.account.pk):
        assert not installation.is_off()
    restore()
    with behind_wall(desk.account.pk):
        assert installation.is_off()
