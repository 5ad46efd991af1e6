"""Every place where a person's data can be is exported and erased, and stays so (GDPR, articles 15 and 17)."""

import base64
import functools
import json
import logging
from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from ampout.accounts.models import IdempotencyRecord
from ampout.lib import clock
from campaigns.models import Contact, Suppression
from dispatch.models import Feedback, Message, Notice
from dispatch.services import deletion, erasure
from dispatch.services.export import export_contact
from dispatch.services.personal_data import NOT_PERSONAL, PLACES
from tests import factories
from tests.conftest import ApiClient
from tests.docs.pages import read, rows
from tests.services.desk import Desk
from tests.services.person import ADDRESS, CANARY, FIELDS, Person

WORDS = (models.CharField, models.TextField, models.JSONField, models.BinaryField, models.GenericIPAddressField)
PAGE = "explanation/personal-data.md"

pytestmark = pytest.mark.django_db


# -- The table


def columns() -> set[tuple[str, str]]:
    """Every column of every model that can hold words of somebody."""
    return {
        (model._meta.label, column.name)
        for model in apps.get_models(include_auto_created=True)
        for column in model._meta.concrete_fields
        if isinstance(column, (*WORDS, ArrayField, models.FileField)) and not column.choices
    }


def in_the_tables() -> list[tuple[str, str]]:
    held = [(place.model, column) for place in PLACES for column in place.columns]
    others = [(model, column) for model, reasons in NOT_PERSONAL.items() for names in reasons for column in names]
    return held + others


def test_every_column_is_exported_and_erased_or_has_a_reason() -> None:
    told = in_the_tables()
    assert len(told) == len(set(told)), "a column is told of twice"
    assert columns() - set(told) == set(), "say in dispatch/services/personal_data.py what becomes of these"
    assert set(told) - columns() == set(), "these are gone"


def test_every_reason_is_a_sentence_or_more() -> None:
    assert all(reason for reasons in NOT_PERSONAL.values() for reason in reasons.values())
    assert [place.model for place in PLACES if not (place.exported or place.instead)] == []


def test_the_page_has_the_same_places() -> None:
    shown = {(row[0], row[1]) for row in rows(read(PAGE)) if len(row) == 6}
    assert shown == {(f"`{place.model}`", ", ".join(f"`{one}`" for one in place.columns)) for place in PLACES}


def test_the_page_says_what_the_code_does() -> None:
    shown = {row[0]: row[2:] for row in rows(read(PAGE)) if len(row) == 6}
    for place in PLACES:
        exported = "; ".join(filter(None, [f"`{place.exported}`" if place.exported else "no", place.instead]))
        assert shown[f"`{place.model}`"] == [place.what, place.kept, exported, place.erased]


def test_the_page_gives_the_same_reasons() -> None:
    shown = {(row[0], row[1]): row[2] for row in rows(read(PAGE)) if len(row) == 3}
    assert shown == {
        (f"`{model}`", ", ".join(f"`{one}`" for one in names)): reason
        for model, reasons in NOT_PERSONAL.items()
        for names, reason in reasons.items()
    }


# -- Looking everywhere


def forms(word: str) -> set[str]:
    """How a word may be written down: as it is, for a link, for JSON, and in base64 wherever it begins there."""
    raw = word.encode()
    shifted = {base64.b64encode(b"\0" * shift + raw).decode()[shift + 1 + (shift > 0) : -4] for shift in range(3)}
    return {word, quote(word), quote(word, safe=""), json.dumps(word)[1:-1], raw.hex(), *shifted} - {""}


@functools.cache
def needles() -> set[str]:
    """Everything of the person, in every form."""
    words = {ADDRESS, ADDRESS.lower(), *FIELDS.values(), *(value.lower() for value in FIELDS.values())}
    return {CANARY, CANARY.capitalize(), *(form for word in words for form in forms(word) if len(form) > 5)}


def finds() -> list[str]:
    """Where anything of the person stands: in any column of any table, and in what is encrypted."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')  # names of our own tables
            found += [f"{table}: {text[:400]}" for (text,) in cursor.fetchall() if names_them(text)]
    for model in apps.get_models():
        for row in model._base_manager.all():
            for column in model._meta.concrete_fields:
                value = getattr(row, column.attname)
                text = bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
                found += [f"{model._meta.label}.{column.name}: {text[:400]}"] if names_them(text) else []
    return found


def names_them(text: str) -> bool:
    lowered = text.lower()
    return CANARY in lowered or CANARY.encode().hex() in lowered or any(needle in text for needle in needles())


def plain(value: Any) -> str:
    return json.dumps(value, default=str, ensure_ascii=False)


# -- A life


@pytest.fixture
def person(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Person:
    """Somebody who went through everything."""
    monkeypatch.setattr(clock, "utc_now", lambda: desk.now)
    factories.make_webhook(desk.account, created_at=desk.now)
    lived = Person(desk, ApiClient(desk.account, factories.make_key(desk.account).plaintext))
    lived.come_in()
    lived.be_written_to()
    desk.wait(minutes=30)
    lived.answer()
    lived.be_told_of()
    return lived


def erase(person: Person) -> dict[str, Any]:
    answer: dict[str, Any] = person.api.post(f"/contacts/{person.contact.pk}/erase", idempotency_key="erase-1").json()
    return answer


def test_the_canary_is_found_in_every_place(person: Person) -> None:
    """Otherwise the tests below would prove nothing."""
    person.be_looked_at()
    everywhere = "\n".join(finds())
    missing = [place.model for place in PLACES if f"{place.model}." not in everywhere]
    assert missing == ["dispatch.MxVerdict"]


def test_an_export_holds_every_fact(person: Person) -> None:
    exported = plain(export_contact(person.contact))
    assert [fact for fact in sorted(person.facts) if fact not in exported] == []
    shown = person.api.get(f"/contacts/{person.contact.pk}/export")
    assert shown.status_code == 200
    assert {place.exported for place in PLACES if place.exported} <= set(shown.json())


def test_an_erasure_leaves_nothing_anywhere(person: Person) -> None:
    person.be_looked_at()
    assert erase(person)["status"] == "erased"
    assert finds() == []


def test_a_deletion_leaves_as_little(person: Person) -> None:
    assert person.api.delete(f"/contacts/{person.contact.pk}").status_code == 204
    assert finds() == []


def test_what_comes_late_stores_nothing(person: Person) -> None:
    erase(person)
    person.desk.wait(minutes=5)
    person.come_late()
    assert finds() == []
    assert Feedback.everywhere.exclude(text="").values_list("text", flat=True).count() >= 1


def test_the_proof_and_the_suppression_stay(person: Person) -> None:
    contact = person.contact
    before = dict(Message.everywhere.values_list("pk", "state"))
    erase(person)
    assert dict(Message.everywhere.values_list("pk", "state")) == before
    listed = Suppression.objects.of(person.desk.account).get(digest=bytes(contact.address_digest))
    assert listed.scope == "all"
    assert person.desk.violations() == []
    person.desk.wait(days=5)
    assert [claimed for claimed in person.desk.send_due() if bytes_of(claimed) == bytes(contact.address_digest)] == []
    assert person.desk.violations() == []


def bytes_of(claimed: Any) -> bytes:
    return bytes(Message.everywhere.get(pk=claimed.message_id).recipient_digest)


def test_the_others_keep_theirs(person: Person) -> None:
    erase(person)
    assert Contact.objects.of(person.desk.account).get(first_name="Bystander").email == "bystander@elsewhere.example"
    [said] = Feedback.everywhere.filter(message=person.message("bystander"))
    assert said.text == "Write to (erased) instead, please."


def test_a_kept_answer_is_given_again_without_the_person(person: Person) -> None:
    contact = person.contact
    erase(person)
    again = person.api.patch(f"/contacts/{contact.pk}", {"company": FIELDS["company"]}, idempotency_key="patch-1")
    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")
    assert {again.json()[name] for name in ("email", "first_name", "company")} == {""}
    assert IdempotencyRecord.objects.filter(answer__isnull=False).count() == 4


def test_receivers_get_what_was_due_without_the_person(person: Person) -> None:
    erase(person)
    person.desk.wait(days=1)
    bodies = [json.loads(call.body) for call in person.calls()]
    about = [
        body["data"] for body in bodies if body["data"].get("contact_id") == str(person.message("read").contact_id)
    ]
    assert about
    assert {data["contact_email"] for data in about} == {None}


def test_logs_name_people_by_ids(desk: Desk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "utc_now", lambda: desk.now)
    factories.make_webhook(desk.account, created_at=desk.now)
    with caplog.at_level(logging.INFO):
        lived = Person(desk, ApiClient(desk.account, factories.make_key(desk.account).plaintext))
        lived.come_in()
        lived.be_written_to()
        desk.wait(minutes=30)
        lived.answer()
        lived.be_told_of()
        lived.be_looked_at()
        lived.api.get("/contacts", email=ADDRESS)
        erase(lived)
        lived.come_late()
    told = [record.getMessage() + str(record.exc_info) + str(record.__dict__) for record in caplog.records]
    assert [line for line in told if names_them(line)] == []


# -- What is still under way


def test_an_erasure_says_that_something_is_still_on_the_wire(person: Person) -> None:
    desk, api = person.desk, person.api
    other = factories.make_contact(desk.account, f"second.{CANARY}@zieselhaus.example", first_name="Bystander")
    enrolled = factories.enroll(desk.campaign(), other)
    desk.release(enrolled.campaign)
    desk.tick()
    [claimed] = [one for one in desk.claim() if Message.everywhere.get(pk=one.message_id).contact_id == other.pk]
    desk.wire(claimed)
    assert api.post(f"/contacts/{other.pk}/erase").json() == {"id": str(other.pk), "status": "erasing"}
    desk.settle(claimed, subject="Hello Zieselin", reply_text=f"250 <{other.email}>")
    assert api.post(f"/contacts/{other.pk}/erase").json()["status"] == "erased"
    assert api.post(f"/contacts/{other.pk}/erase").json()["status"] == "erased"


def test_a_notice_that_nobody_could_judge_yet_is_waited_for(person: Person) -> None:
    message = person.message("read")
    hook = person._hook(message)
    Notice.everywhere.create(
        account=person.desk.account,
        credential=hook.credential,
        source="smtp2go",
        dedupe=b"x",
        body=ADDRESS.encode(),
        address_digests=[bytes(person.contact.address_digest)],
        next_try_at=person.desk.now,
    )
    assert erase(person)["status"] == "erasing"
    erasure.clear_late_ones(now=person.desk.now)
    assert len({line.split(":")[0] for line in finds()}) > 0
    Notice.everywhere.filter(dedupe=b"x").update(failures=erasure.TRIES)
    assert erasure.clear_late_ones(now=person.desk.now) == 1
    assert finds() == []


def test_notices_of_an_earlier_release_are_looked_through_first(person: Person) -> None:
    Notice.everywhere.update(address_digests=None)
    assert erase(person)["status"] == "erasing"
    assert erasure.clear_late_ones(now=person.desk.now) == 1
    assert finds() == []


def test_more_kept_answers_than_a_call_looks_through_are_left_to_the_next_tick(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "ANSWERS_AT_ONCE", 2)
    assert erase(person)["status"] == "erasing"
    assert erasure.clear_late_ones(now=person.desk.now) == 1
    assert finds() == []


def test_a_contact_that_came_back_under_its_address_keeps_what_is_its_own(person: Person) -> None:
    contact = person.contact
    Contact.everywhere.filter(pk=contact.pk).update(deleted_at=person.desk.now)
    back = factories.make_contact(person.desk.account, ADDRESS, first_name="Bystander")
    erasure.clear_late_ones(now=person.desk.now)
    assert Contact.everywhere.get(pk=back.pk).email == ADDRESS
    assert Contact.everywhere.get(pk=contact.pk).erased_at == person.desk.now
    assert Notice.everywhere.filter(address_digests__contains=[bytes(back.address_digest)]).exists()


def test_the_call_takes_as_many_queries_for_a_long_life_as_for_a_short_one(desk: Desk, person: Person) -> None:
    contact = person.contact
    short = factories.make_contact(desk.account, "short@elsewhere.example", first_name="Bystander")
    # Where there are such, words of others about them are read and written anew, and so are kept answers.
    rewritten = 3
    assert queries_of(desk, contact) <= queries_of(desk, short) + rewritten


def queries_of(desk: Desk, contact: Contact) -> int:
    with CaptureQueriesContext(connection) as asked:
        deletion.erase_contact(desk.account, contact.pk, now=desk.now)
    return len(asked)
