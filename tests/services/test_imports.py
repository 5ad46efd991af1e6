"""Imports as a service: streamed, counted, all or nothing, and safe beside each other."""

import threading
import tracemalloc
from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from ampout.accounts.models import Account
from ampout.lib.addresses import parse_address
from ampout.lib.errors import ValidationFailed
from campaigns.models import Contact, ContactImport
from campaigns.rules.contact_fields import ContactFields
from campaigns.services.csv_imports import guess_encoding, import_csv
from campaigns.services.imports import NewContact, NoContactsProvided, import_contacts, new_contact
from dispatch.services import stops
from tests import factories


def people(*emails: str) -> list[NewContact]:
    return [NewContact(parse_address(email)) for email in emails]


def test_empty_custom_fields_are_left_out() -> None:
    fields = ContactFields(address=parse_address("a@x.example"), custom={"city": "Ulm", "zip": ""})
    assert new_contact(fields).custom_fields == {"city": "Ulm"}


def test_a_contact_without_an_address_is_none() -> None:
    with pytest.raises(ValueError, match="needs an address"):
        new_contact(ContactFields())


def test_an_encoding_is_guessed_for_text_and_for_nothing_else() -> None:
    cyrillic = "email,имя\nanna@x.example,Иван Петров приехал вчера вечером\n" * 20
    assert guess_encoding(cyrillic.encode("cp1251")) == "cp1251"
    assert guess_encoding(bytes(range(256)) * 8) is None


@pytest.mark.django_db
def test_what_is_counted_adds_up(account: Account) -> None:
    factories.make_contact(account, "known@x.example")
    factories.make_suppression(account, "blocked.example")
    emails = ["known@x.example", "new@x.example", "NEW@x.example", "a@blocked.example", "A@blocked.example"]
    imported = import_contacts(account, "list", people(*emails))
    assert imported.skipped == {"known": 1, "repeated": 2, "manual": 1}
    assert (imported.contact_import.record_count, imported.contact_import.skipped_count) == (1, 4)


@pytest.mark.django_db
def test_a_suppressed_address_at_a_suppressed_domain_counts_once(account: Account) -> None:
    factories.make_suppression(account, "a@blocked.example")
    factories.make_suppression(account, "blocked.example")
    assert import_contacts(account, "list", people("a@blocked.example")).skipped == {"manual": 1}


@pytest.mark.django_db
def test_a_lifted_suppression_lets_the_address_in(account: Account) -> None:
    suppression = factories.make_suppression(account, "a@x.example")
    stops.lift_suppression(account, suppression.pk)
    assert import_contacts(account, "list", people("a@x.example")).contact_import.record_count == 1


@pytest.mark.django_db
def test_a_failure_in_the_middle_leaves_nothing(account: Account) -> None:
    def breaking() -> Iterator[NewContact]:
        yield from people("a@x.example")
        raise RuntimeError("the file ended in the middle")

    with pytest.raises(RuntimeError), transaction.atomic():
        import_contacts(account, "list", breaking())
    assert not ContactImport.objects.of(account).exists()
    assert not Contact.objects.of(account).exists()


@pytest.mark.django_db
def test_a_csv_file_may_come_in_pieces_of_any_size(account: Account) -> None:
    content = "email,city\r\nanna@x.example,Köln\r\nbert@x.example,Ulm\r\n".encode()
    imported = import_csv(account, "list", (content[at : at + 1] for at in range(len(content))))
    assert imported.contact_import.record_count == 2
    assert Contact.objects.of(account).get(email="anna@x.example").custom_fields == {"city": "Köln"}


@pytest.mark.django_db
def test_a_csv_file_that_is_refused_leaves_nothing(account: Account) -> None:
    for content, error in [
        (b"", ValidationFailed),
        (b"email\n", NoContactsProvided),
        (b"email\nx\n", ValidationFailed),
    ]:
        with pytest.raises(error):
            import_csv(account, "list", [content])
    assert not ContactImport.objects.of(account).exists()


@pytest.mark.django_db
def test_memory_does_not_grow_with_the_file(account: Account) -> None:
    def pieces(count: int) -> Iterator[bytes]:
        """Of 64 KB each, as Django hands an upload on."""
        yield b"email,note\n"
        for number in range(count):
            yield b"".join(b"p%d-%d@x.example,%s\n" % (number, row, b"n" * 4_000) for row in range(16))

    import_csv(account, "warm up", pieces(1))
    tracemalloc.start()
    import_csv(account, "ten megabytes", pieces(160))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_people_at_once_insert_each_person_once() -> None:
    account = factories.make_account()
    emails = [f"p{number}@x.example" for number in range(2_000)]
    inserted: list[int] = []

    def run(order: list[str]) -> None:
        try:
            inserted.append(import_contacts(account, "list", people(*order)).contact_import.record_count)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(order,)) for order in (emails, emails[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(inserted), sum(inserted)) == (2, 2_000)
    assert Contact.objects.of(account).count() == 2_000
