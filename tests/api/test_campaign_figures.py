"""What a campaign's lists and its page show: pages, totals, rates, and as many queries for much as for little."""

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext

from ampout.accounts.models import Account
from ampout.lib import clock
from dispatch.models import DailyUsage
from tests import factories
from tests.conftest import ApiClient


def test_the_list_is_newest_first_and_bare(api: ApiClient, account: Account) -> None:
    campaigns = [factories.make_campaign(account) for _ in range(3)]
    shown = api.get("/campaigns").json()
    assert [campaign["id"] for campaign in shown] == [str(campaign.pk) for campaign in reversed(campaigns)]


def test_the_list_has_pages(api: ApiClient, account: Account) -> None:
    for _ in range(3):
        factories.make_campaign(account)
    first = api.get("/campaigns", limit=2)
    following = api.get(first["Link"].partition("testserver")[2].partition(">")[0])
    assert (len(first.json()), len(following.json()), "Link" in following) == (2, 1, False)


def queries_of(api: ApiClient, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert api.get(path).status_code == 200
    return len(captured)


def test_the_list_takes_as_many_queries_for_many_as_for_one(api: ApiClient, account: Account) -> None:
    factories.make_campaign(account)
    api.get("/campaigns")
    few = queries_of(api, "/campaigns")
    for _ in range(5):
        factories.make_campaign(account, steps=2, credentials=2)
    assert queries_of(api, "/campaigns") == few


def test_a_campaign_takes_as_many_queries_however_much_it_holds(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account)
    path = f"/campaigns/{campaign.pk}"
    api.get(path)
    few = queries_of(api, path)
    big = factories.make_campaign(account, steps=3, credentials=4)
    for number in range(6):
        factories.make_message(factories.enroll(big, batch_number=number), state="accepted")
    assert queries_of(api, f"/campaigns/{big.pk}") == few


def test_the_totals_are_exclusive_and_the_funnel_is_cumulative(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account)
    now = clock.utc_now()
    factories.enroll(campaign)
    factories.enroll(campaign, status="sent", sent_at=now)
    factories.enroll(campaign, status="opened", sent_at=now, opened_at=now)
    factories.enroll(campaign, status="replied", sent_at=now, replied_at=now)
    factories.enroll(campaign, status="bounced", sent_at=now, bounced_at=now, bounce_reason="550 no such user")
    factories.enroll(campaign, status="unsubscribed", sent_at=now, opened_at=now, unsubscribed_at=now)
    shown = api.get(f"/campaigns/{campaign.pk}").json()
    assert set(shown["totals"].values()) == {1}
    assert shown["funnel"] == {
        "enrolled": 6,
        "sent": 5,
        "opened": 3,
        "replied": 1,
        "bounced": 1,
        "unsubscribed": 1,
    }
    assert shown["rates"] == {"bounce_rate": 0.0, "open_rate": 60.0, "reply_rate": 20.0}
    assert [bounce["bounce_reason"] for bounce in shown["recent_bounces"]] == ["550 no such user"]


def test_each_batch_is_shown_by_its_number(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account)
    released_at = clock.utc_now()
    factories.make_batch(campaign, 2, released_at=released_at)
    for number in (2, 1, 2):
        factories.enroll(campaign, batch_number=number)
    shown = api.get(f"/campaigns/{campaign.pk}").json()["per_batch"]
    assert [(batch["batch_number"], batch["enrolled"], batch["pending"]) for batch in shown] == [(1, 1, 1), (2, 2, 2)]
    assert shown[0]["released_at"] is None
    assert shown[1]["released_at"] == released_at.isoformat().replace("+00:00", "Z")


def test_a_bounce_counts_in_the_rate_and_a_content_refusal_does_not(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account)
    credential = campaign.credentials.get()
    now = clock.utc_now()
    ended = [("accepted", ""), ("unknown", ""), ("refused", "address_refused"), ("refused", "content_refused")]
    for state, reason in [*ended, ("deferred", ""), ("gave_up", ""), ("cancelled", "mx_absent")]:
        factories.make_message(
            factories.enroll(campaign),
            state=state,
            reason=reason,
            credential=credential,
            settled_at=now,
            usage_day=now.date(),
        )
    DailyUsage.objects.create(credential=credential, day=now.date(), used=9, highest_limit=50)
    shown = api.get(f"/campaigns/{campaign.pk}").json()
    assert shown["rates"]["bounce_rate"] == 25.0
    figures = shown["credentials"][0]
    assert (figures["sends"], figures["bounces"], figures["bounce_rate"]) == (4, 1, 25.0)
    assert (figures["sends_today"], figures["reserved_today"], figures["daily_limit"]) == (4, 9, 50)
    assert figures["disabled_at"] is None


def test_the_judged_rate_counts_since_the_credential_was_enabled(api: ApiClient, account: Account) -> None:
    now = clock.utc_now()
    credential = factories.make_credential(account, enabled_since=now)
    campaign = factories.make_campaign(account, credentials=[credential])
    before, after = now - timedelta(hours=1), now + timedelta(hours=1)
    for at, state, reason in [(before, "refused", "address_refused"), (after, "accepted", "")]:
        factories.make_message(
            factories.enroll(campaign), state=state, reason=reason, credential=credential, settled_at=at
        )
    figures = api.get(f"/campaigns/{campaign.pk}").json()["credentials"][0]
    assert (figures["bounce_rate"], figures["bounce_rate_since_enabled"]) == (50.0, 0.0)


def test_test_messages_are_in_no_figure(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account)
    message = factories.make_message(factories.enroll(campaign), state="accepted", stream="test")
    message.credential = campaign.credentials.get()
    message.save()
    assert api.get(f"/campaigns/{campaign.pk}").json()["credentials"][0]["sends"] == 0


def test_what_was_skipped_is_counted_by_reason(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account)
    contact_import = factories.make_import(account)
    factories.make_contact(account, "abuse@recipient.example", contact_import=contact_import)
    factories.enroll(campaign, status="bounced", stop_reason="mx_absent", stopped_at=clock.utc_now())
    for _ in range(2):
        api.post(f"/campaigns/{campaign.pk}/enroll", {"contact_import_id": str(contact_import.pk)})
    assert api.get(f"/campaigns/{campaign.pk}").json()["skipped"] == {
        "mx_invalid": 1,
        "already_enrolled": 0,
        "unsubscribed": 0,
        "suppressed": 0,
        "role_address": 2,
        "cross_campaign_duplicate": 0,
    }


def test_every_due_step_is_accounted_for(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account, steps=2)
    factories.enroll(campaign)
    shown = api.get(f"/campaigns/{campaign.pk}").json()["conservation"]
    assert (shown["due"], shown["balanced"]) == (2, True)
    assert shown["waiting"] == {"not_released": 1, "earlier_step": 1}
