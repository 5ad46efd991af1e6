"""Every model's pages in the admin: list, search, filters, detail, history."""

import re
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import Client

from ampout.accounts.models import Account, ApiKey
from ampout.api.admin.columns import change_url, list_url
from ampout.api.admin.site import MENU
from ampout.events.models import Event
from campaigns.models import Campaign, Contact, Enrollment, Suppression
from campaigns.rules.suppression import SuppressionReason
from credentials.models import SmtpCredential
from dispatch.models import DeliveryWorker, Feedback, MailboxFolder, Message, MxVerdict, Notice
from tests import factories
from tests.pages import admin_records
from tests.pages.admin_pages import count_queries, history_url, read
from tests.pages.admin_records import ANSWER, BODY, HOSTILE, MAKERS, PASSWORD_HASH

PROJECT = {"ampout", "campaigns", "credentials", "dispatch"}
PROJECT_MODELS = [model for model in apps.get_models() if model.__module__.partition(".")[0] in PROJECT]

pytestmark = pytest.mark.django_db
each_model = pytest.mark.parametrize("model", MAKERS, ids=lambda model: model.__name__)


@pytest.fixture
def operator(client: Client) -> Client:
    """Olga, who may do everything. She has no password: hashing one for each test takes longer than the test."""
    client.force_login(User.objects.create(username="olga", is_staff=True, is_superuser=True))
    return client


# -- Completeness


@pytest.mark.parametrize("model", PROJECT_MODELS, ids=lambda model: model.__name__)
def test_every_model_of_the_project_is_registered(model: type[Model]) -> None:
    assert admin.site.is_registered(model)


def test_every_registered_model_is_tried_here_and_stands_in_the_menu() -> None:
    registered = {model for model in apps.get_models() if admin.site.is_registered(model)}
    assert registered == set(MAKERS)
    assert registered == {model for icons in MENU.values() for model in icons}


@each_model
def test_every_model_can_be_searched_and_filtered(model: type[Model]) -> None:
    of_model = admin.site.get_model_admin(model)
    assert of_model.search_fields
    assert of_model.list_filter


# -- Lists


@each_model
def test_a_list_links_to_its_records(operator: Client, model: type[Model]) -> None:
    record = MAKERS[model]()
    assert f'href="{change_url(record)}"' in read(operator, list_url(model))


@each_model
def test_a_list_costs_as_many_queries_for_five_records_as_for_one(operator: Client, model: type[Model]) -> None:
    MAKERS[model]()
    read(operator, list_url(model))
    for_one = count_queries(operator, list_url(model))
    for _ in range(4):
        MAKERS[model]()
    assert count_queries(operator, list_url(model)) == for_one


@each_model
def test_every_choice_of_every_filter_is_a_page(operator: Client, model: type[Model]) -> None:
    MAKERS[model]()
    changelist: Any = operator.get(list_url(model)).context["cl"]
    choices = [choice for spec in changelist.filter_specs for choice in spec.choices(changelist)]
    assert choices
    for choice in choices:
        read(operator, list_url(model) + choice["query_string"])


@each_model
def test_every_column_that_can_be_sorted_sorts(operator: Client, model: type[Model]) -> None:
    MAKERS[model]()
    for column in range(1, len(admin.site.get_model_admin(model).list_display) + 1):
        read(operator, f"{list_url(model)}?o=-{column}")


# -- Search


@each_model
def test_a_search_for_nonsense_finds_nothing(operator: Client, model: type[Model]) -> None:
    record = MAKERS[model]()
    assert f'href="{change_url(record)}' not in read(operator, f"{list_url(model)}?q=zzz-nonsense")


def found(client: Client, record: Model, words: str) -> bool:
    """Whether a list finds a record by these words."""
    page = client.get(list_url(type(record)), {"q": words}).content.decode()
    return f'href="{change_url(record)}' in page


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (Account, "email"),
        (ApiKey, "prefix"),
        (Campaign, "account.email"),
        (Contact, "identity"),
        (Enrollment, "contact.identity"),
        (Event, "fact"),
        (Message, "message_id"),
        (Message, "recipient"),
        (MxVerdict, "domain"),
        (DeliveryWorker, "name"),
        (SmtpCredential, "from_email"),
        (User, "username"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_search_finds_by_what_people_know_a_record_by(operator: Client, model: type[Model], field: str) -> None:
    wanted, other = MAKERS[model](), MAKERS[model]()
    words = wanted
    for name in field.split("."):
        words = getattr(words, name)
    assert found(operator, wanted, str(words))
    assert not found(operator, other, str(words))


@pytest.mark.parametrize("path", ["pk", "campaign_id", "enrollment_id", "contact_id", "credential_id", "account_id"])
def test_a_pasted_id_finds_the_messages_that_carry_it(operator: Client, path: str) -> None:
    wanted, other = admin_records.message(), admin_records.message()
    assert found(operator, wanted, f" {getattr(wanted, path)} ")
    assert not found(operator, other, str(getattr(wanted, path)))


@pytest.mark.parametrize(("listed", "words"), [("ann@b.example", "Ann@B.example"), ("b.example", "B.Example")])
def test_a_suppression_is_found_by_the_address_that_it_keeps_no_copy_of(
    operator: Client, listed: str, words: str
) -> None:
    owner = admin_records.account()
    wanted = factories.make_suppression(owner, listed, SuppressionReason.UNSUBSCRIBED)
    other = factories.make_suppression(owner, "somebody@else.example")
    assert found(operator, wanted, words)
    assert not found(operator, other, words)


@pytest.mark.parametrize("words", ["%", "\x00", "'", '"', "x" * 5_000, "@", "a@", "\u2028", "💌"])
@pytest.mark.parametrize("model", [Message, Suppression, Contact], ids=lambda model: model.__name__)
def test_odd_words_are_searched_for_like_any(operator: Client, model: type[Model], words: str) -> None:
    MAKERS[model]()
    assert operator.get(list_url(model), {"q": words}).status_code == 200


# -- Detail pages


@each_model
def test_a_detail_page_and_its_history_can_be_read(operator: Client, model: type[Model]) -> None:
    record = MAKERS[model]()
    assert str(record.pk) in read(operator, change_url(record))
    read(operator, history_url(record))


@each_model
def test_related_lists_open_and_hold_what_belongs_to_the_record(operator: Client, model: type[Model]) -> None:
    record = MAKERS[model]()
    for name, related, field in getattr(admin.site.get_model_admin(model), "related_lists", ()):
        url = f"{list_url(related)}?{field}__exact={record.pk}"
        assert f'href="{url}"' in read(operator, change_url(record)), name
        read(operator, url)


def test_dates_are_shown_in_utc(operator: Client) -> None:
    event = admin_records.event()
    assert "2026-11-22 06:30:15 UTC" in read(operator, change_url(event))
    assert "2026-11-22 06:30:15 UTC" in read(operator, list_url(Event))


def test_a_message_shows_its_attempts_and_links_to_what_it_belongs_to(operator: Client) -> None:
    message = admin_records.attempt().message
    page = read(operator, change_url(message))
    for related in (message.account, message.campaign, message.enrollment, message.contact, message.credential):
        assert related is not None
        assert f'href="{change_url(related)}"' in page
    assert 'id="attempt_rows-group"' in page


def test_the_mails_that_killed_their_readers_stand_in_the_list_of_folders(operator: Client) -> None:
    folder = MAKERS[MailboxFolder]()
    MailboxFolder.objects.filter(pk=folder.pk).update(left_out_uids=[271_828])
    assert "271828" in read(operator, list_url(MailboxFolder))
    assert "271828" in read(operator, change_url(folder))


def test_a_notice_is_told_in_words_and_its_headers_line_by_line(operator: Client) -> None:
    notice = MAKERS[Notice]()
    Notice.everywhere.filter(pk=notice.pk).update(
        headers="From: ann@example.com\nSubject: Away", verdict={"kind": "auto_reply", "effects": ["wait"]}
    )
    assert "auto reply: wait" in read(operator, list_url(Notice))
    assert "From: ann@example.com\nSubject: Away</div>" in read(operator, change_url(notice))


@pytest.mark.parametrize(("hard", "words"), [(True, ">hard<"), (False, ">soft<"), (None, ">-<")])
def test_only_a_bounce_is_hard_or_soft(operator: Client, hard: bool | None, words: str) -> None:
    feedback = MAKERS[Feedback]()
    Feedback.everywhere.filter(pk=feedback.pk).update(hard=hard)
    cell = re.search(r"field-hard_or_soft[^>]*>.*?</td>", read(operator, list_url(Feedback)), re.DOTALL)
    assert cell is not None
    assert words in re.sub(r"\s+", "", cell.group())


def test_a_campaign_counts_its_messages_by_state(operator: Client) -> None:
    campaign = admin_records.message().campaign
    assert campaign is not None
    url = f"{list_url(Message)}?campaign__exact={campaign.pk}&amp;state__exact=unknown"
    assert re.search(re.escape(url) + r'"[^>]*>unknown</a> 1\b', read(operator, change_url(campaign)))


def test_an_erased_contact_still_has_pages(operator: Client) -> None:
    contact = admin_records.contact()
    Contact.everywhere.filter(pk=contact.pk).update(email="", identity="", first_name="", domain="")
    assert "(erased)" in read(operator, list_url(Contact))
    read(operator, change_url(contact))


# -- The first page


def test_the_first_page_shows_how_much_there_is_to_do(operator: Client) -> None:
    admin_records.message()
    figures: Any = {figure.title: figure.value for figure in operator.get("/admin/").context["figures"]}
    assert figures == {
        "Outstanding": 0,
        "Unknown": 1,
        "Oldest due": None,
        "Active campaigns": 0,
        "Disabled credentials": 3,
        "Deliver loops": 0,
        "Disabled webhooks": 0,
    }


def test_the_first_page_tells_how_late_the_oldest_message_is(operator: Client) -> None:
    message = admin_records.message()
    Message.everywhere.filter(pk=message.pk).update(state="planned")
    oldest: Any = operator.get("/admin/").context["figures"][2]
    assert oldest.value == admin_records.NOW
    assert re.fullmatch(r"[\d,]+ s late|in [\d,]+ s", oldest.note)


def test_every_figure_of_the_first_page_leads_to_a_list(operator: Client) -> None:
    for figure in operator.get("/admin/").context["figures"]:
        read(operator, figure.url)


def test_the_first_page_costs_as_many_queries_whatever_there_is(operator: Client) -> None:
    read(operator, "/admin/")
    for_nothing = count_queries(operator, "/admin/")
    for _ in range(3):
        admin_records.attempt()
    assert count_queries(operator, "/admin/") == for_nothing


# -- What no page may hold


def every_page(client: Client, record: Model) -> str:
    """All pages that show a record."""
    return "".join(read(client, url) for url in (list_url(type(record)), change_url(record), history_url(record)))


@each_model
def test_no_page_shows_a_secret(operator: Client, model: type[Model]) -> None:
    record = MAKERS[model]()
    issued = factories.make_key(admin_records.account())
    pages = every_page(operator, record)
    assert factories.SMTP_PASSWORD not in pages
    assert factories.IMAP_PASSWORD not in pages
    assert factories.WEBHOOK_SECRET not in pages
    assert factories.HOOK_SECRET not in pages
    assert factories.SIGNING_KEY not in pages
    assert "url-canary" not in pages
    assert ANSWER not in pages
    assert BODY not in pages
    assert "gAAAA" not in pages  # how every token of an encrypted field begins
    assert issued.plaintext not in pages
    if isinstance(record, ApiKey):
        assert record.digest not in pages
    if isinstance(record, User):
        assert PASSWORD_HASH not in pages
        assert PASSWORD_HASH[-12:-6] not in pages


@each_model
def test_pages_open_even_where_no_secret_can_be_read(operator: Client, model: type[Model], settings: Any) -> None:
    record = MAKERS[model]()
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    every_page(operator, record)


def test_a_credential_tells_only_whether_its_passwords_are_set(operator: Client) -> None:
    whole, half = admin_records.credential(), factories.make_credential(admin_records.account())
    set_or_not = re.compile(r'(?:SMTP|IMAP) password</label>.*?<div class="readonly[^>]*>([^<]*)</div>', re.DOTALL)
    assert set_or_not.findall(read(operator, change_url(whole))) == ["set", "set"]
    assert set_or_not.findall(read(operator, change_url(half))) == ["set", "not set"]


@each_model
def test_no_page_runs_what_a_tenant_wrote(operator: Client, model: type[Model]) -> None:
    pages = every_page(operator, MAKERS[model]())
    assert "<script>alert" not in pages
    assert HOSTILE not in pages


@each_model
def test_no_page_needs_another_host(operator: Client, model: type[Model]) -> None:
    pages = every_page(operator, MAKERS[model]()) + read(operator, "/admin/")
    assert re.findall(r"""(?:src|href|action|url)\s*[=(]\s*["']?(?:https?:)?//[^"'\s>]*""", pages) == []


def test_the_login_page_needs_no_other_host(client: Client) -> None:
    page = read(client, "/admin/login/")
    assert "Ampout" in page
    assert re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", page) == []


# -- Who may do what


def test_strangers_are_sent_to_the_login_page(client: Client) -> None:
    record = admin_records.message()
    for url in ("/admin/", list_url(Message), change_url(record)):
        assert client.get(url).headers["Location"].startswith("/admin/login/?next=")


def test_an_api_key_opens_no_page_of_the_admin(client: Client) -> None:
    key = factories.make_key(admin_records.account()).plaintext
    answer = client.get("/admin/", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 302


@each_model
def test_staff_without_permissions_see_nothing(client: Client, model: type[Model]) -> None:
    record = MAKERS[model]()
    client.force_login(User.objects.create(username="sam", is_staff=True))
    assert client.get(list_url(model)).status_code == 403
    assert client.get(change_url(record)).status_code == 403
    assert "figures" not in client.get("/admin/").context


@pytest.mark.parametrize("model", sorted(set(MAKERS) - {Account, User, Group}, key=str))
def test_records_can_neither_be_added_nor_changed_nor_deleted(operator: Client, model: type[Model]) -> None:
    record = MAKERS[model]()
    before = type(record)._base_manager.values().get(pk=record.pk)
    assert operator.post(f"{list_url(model)}add/", {}).status_code == 403
    assert operator.post(change_url(record), {"name": "changed"}).status_code == 403
    assert type(record)._base_manager.values().get(pk=record.pk) == before


@each_model
def test_nothing_can_be_deleted(operator: Client, model: type[Model]) -> None:
    record = MAKERS[model]()
    delete_url = change_url(record).replace("/change/", "/delete/")
    chosen = {"action": "delete_selected", "_selected_action": [str(record.pk)], "post": "yes"}
    assert operator.get(delete_url).status_code == 403
    assert operator.post(delete_url, {"post": "yes"}).status_code == 403
    operator.post(list_url(model), chosen)
    assert type(record)._base_manager.filter(pk=record.pk).exists()
