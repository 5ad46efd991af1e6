"""CSV uploads: hostile files cost a sentence, never a fault, and never half an import (promise 3.7)."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import override_settings

from campaigns.models import Contact, ContactImport
from tests import factories
from tests.api.hostile import assert_refused
from tests.conftest import ApiClient

PEOPLE = "email,First Name,city\nanna@x.example,Anna,Ulm\nbert@x.example,Bert,\n"


def upload(api: ApiClient, content: str | bytes, *, file_name: str = "people.csv", **fields: Any) -> Any:
    data = content.encode() if isinstance(content, str) else content
    return api.upload("/contact_imports", {"file": SimpleUploadedFile(file_name, data), **fields})


def emails(api: ApiClient) -> list[str]:
    return list(Contact.objects.of(api.account).order_by("created_at").values_list("email", flat=True))


def test_a_file_becomes_contacts(api: ApiClient) -> None:
    answer = upload(api, PEOPLE).json()
    assert (answer["name"], answer["record_count"], answer["skipped"]) == ("people.csv", 2, 0)
    assert (answer["error_count"], answer["errors"]) == (0, [])
    anna = Contact.objects.of(api.account).get(email="anna@x.example")
    assert (anna.first_name, anna.custom_fields) == ("Anna", {"city": "Ulm"})


def test_it_may_be_named_and_wrapped(api: ApiClient) -> None:
    assert upload(api, PEOPLE, name="Fair 2026").json()["name"] == "Fair 2026"
    file = SimpleUploadedFile("b.csv", b"email\nc@x.example")
    wrapped = {"contact_import[file]": file, "contact_import[name]": "Wrapped"}
    assert api.upload("/contact_imports", wrapped).json()["name"] == "Wrapped"


def test_rows_that_cannot_be_used_are_told_by_line_and_the_others_imported(api: ApiClient) -> None:
    answer = upload(
        api, "email,company\nanna@x.example,ACME\na@b@c,X\n,Y\nbert@x.example,a\tb\ncleo@x.example,\n"
    ).json()
    assert (answer["record_count"], answer["error_count"]) == (2, 3)
    assert [(error["line"], error["field"]) for error in answer["errors"]] == [
        (3, "email"),
        (4, "email"),
        (5, "company"),
    ]
    assert all(error["message"].endswith(".") for error in answer["errors"])
    assert emails(api) == ["anna@x.example", "cleo@x.example"]


def test_the_errors_stay_with_the_import(api: ApiClient) -> None:
    made = upload(api, "email\nanna@x.example\nnobody\n").json()
    assert api.get(f"/contact_imports/{made['id']}").json()["errors"] == made["errors"]


def test_only_the_first_hundred_errors_are_kept_but_all_are_counted(api: ApiClient) -> None:
    answer = upload(api, "email\nanna@x.example\n" + "nobody\n" * 250).json()
    assert (answer["error_count"], len(answer["errors"])) == (250, 100)


def test_the_same_file_twice_inserts_once(api: ApiClient) -> None:
    first, second = upload(api, PEOPLE).json(), upload(api, PEOPLE).json()
    assert (second["record_count"], second["skipped"], second["skipped_reasons"]) == (0, 2, {"known": 2})
    digests = set(ContactImport.objects.of(api.account).values_list("digest", flat=True))
    assert (first["record_count"], len(digests)) == (2, 1)


def test_suppressed_addresses_are_skipped_with_their_reason(api: ApiClient) -> None:
    factories.make_suppression(api.account, "anna@x.example")
    assert upload(api, PEOPLE).json()["skipped_reasons"] == {"manual": 1}
    assert emails(api) == ["bert@x.example"]


@pytest.mark.parametrize(
    "content",
    [
        PEOPLE.encode("utf-8-sig"),
        PEOPLE.encode("utf-16"),
        PEOPLE.encode("utf-16-le"),
        PEOPLE.replace("\n", "\r\n").encode(),
        PEOPLE.replace("\n", "\r").encode(),
        PEOPLE.replace("\n", "\r\n", 1).encode(),
        PEOPLE.replace(",", ";").encode(),
        PEOPLE.replace(",", "\t").encode(),
        PEOPLE.rstrip().encode(),
        ("\n\n" + PEOPLE).encode(),
        PEOPLE.replace("Ulm", "Köln").encode("cp1252"),
    ],
    ids=lambda content: repr(content)[:30],
)
def test_files_are_read_as_people_have_them(api: ApiClient, content: bytes) -> None:
    assert upload(api, content).json()["record_count"] == 2
    assert emails(api) == ["anna@x.example", "bert@x.example"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("email,a\ngood@x.example,1\nnul\x00@x.example,1\n", 3),
        ("email,a\ngood@x.example,1\nbad@x.example,nul\x00\n", 3),
        ('email,a\ngood@x.example,1\nbad@x.example,"never closed\n', 3),
        ("email,a\ngood@x.example,1\nbad@x.example,1,2,3\n", 3),
        ("email,a\ngood@x.example,1\nbad@x.example," + "x" * 200_000 + "\n", 3),
        ('email,a\ngood@x.example,1\nbad@x.example,"two\nlines"\n', 3),
        ("email,a\ngood@x.example,1\nb@x.example,=?utf-8?q?=0ABcc:?=\n", 3),
        ("email,a\ngood@x.example,1\nb@x.example,line\u2028separator\n", 3),
        ("email,a\ngood@x.example,1\nb@x.example,rtl\u202eoverride\n", 3),
        ('email,a\ngood@x.example,1\n"x\r\nBcc: y"@x.example,1\n', 3),
        ("email,a\ngood@x.example,1\n" + "l" * 320 + "@x.example,1\n", 3),
        ('email,a\ngood@x.example,1\n"""x""@[127.0.0.1]",1\n', 3),
        ("email,a\ngood@x.example,1\nx@y.example.,1\n", 3),
        ("email,a\ngood@x.example,1\n'=1+1'@x..example,1\n", 3),
    ],
    ids=lambda value: repr(value)[24:60],
)
def test_a_hostile_row_is_left_out_and_told(api: ApiClient, content: str, line: int) -> None:
    answer = upload(api, content).json()
    assert answer["errors"][0]["line"] == line
    assert emails(api) == ["good@x.example"]


@pytest.mark.parametrize(
    "cell", ['=HYPERLINK("http://x.example")', "+1", "-1", "@SUM(A1)", "{{first_name}}", "<b>x</b>"]
)
def test_formulas_and_markup_are_plain_text_to_us(api: ApiClient, cell: str) -> None:
    quoted = cell.replace('"', '""')
    upload(api, f'email,company\nanna@x.example,"{quoted}"\n')
    assert Contact.objects.of(api.account).get().company == cell


@pytest.mark.parametrize(
    "email",
    ["anna+tag@x.example", "Ünïcode@x.example", "\U0001f600@x.example", "o'neil@x.example", "a@münchen.example"],
)
def test_unusual_addresses_are_kept_as_spelt(api: ApiClient, email: str) -> None:
    assert upload(api, f"email\n{email}\n").status_code == 201
    assert emails(api) == [email]


def test_an_address_and_its_punycode_are_one_contact(api: ApiClient) -> None:
    answer = upload(api, "email\na@münchen.example\nA@xn--mnchen-3ya.example\n").json()
    assert (answer["record_count"], answer["skipped_reasons"]) == (1, {"repeated": 1})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"\x00" * 5_000,
        "name\nAnna\n",
        "email,E-Mail\na@x.example,b@x.example\n",
        ",".join(f"c{number}" for number in range(1_000_000)),
        "email,id\r\n".encode("utf-32"),
        b"PK\x03\x04" + b"\x00\xff" * 500,
    ],
    ids=lambda content: repr(content)[:30],
)
def test_a_file_that_is_no_list_imports_nothing(api: ApiClient, content: str | bytes) -> None:
    response = upload(api, content)
    assert response.status_code == 422
    assert response.json()["code"] in {"validation_failed", "no_contacts_provided"}
    assert (emails(api), ContactImport.objects.of(api.account).count()) == ([], 0)


def test_a_file_without_rows_has_no_contacts(api: ApiClient) -> None:
    response = upload(api, "email\n")
    assert (response.status_code, response.json()["code"]) == (422, "no_contacts_provided")


def test_a_file_of_which_no_row_can_be_used_says_why(api: ApiClient) -> None:
    assert_refused(upload(api, "email\nnobody\nno one\n"), "file", "line 2", "line 3")
    assert ContactImport.objects.of(api.account).count() == 0


def test_what_is_wrong_at_the_end_of_a_file_undoes_its_beginning(api: ApiClient) -> None:
    rows = "".join(f"p{number}@x.example\r\n" for number in range(20_000))
    broken = ("email\r\n" + rows).encode("utf-16-le")[:-1]
    response = upload(api, broken)
    assert (response.status_code, list(response.json()["details"])) == (422, ["file"])
    assert (emails(api), ContactImport.objects.of(api.account).count()) == ([], 0)


# -- The form around the file


def test_the_file_is_required(api: ApiClient) -> None:
    assert_refused(api.upload("/contact_imports", {"name": "list"}), "file")


def test_the_file_is_a_file(api: ApiClient) -> None:
    assert_refused(api.upload("/contact_imports", {"file": "email\na@x.example"}), "file")


@pytest.mark.parametrize("name", ["a\x00b", "a\nb", "", " ", "n" * 201, "=?utf-8?q?x?="])
def test_its_name_is_a_line_of_text(api: ApiClient, name: str) -> None:
    assert_refused(upload(api, PEOPLE, name=name), "name")
    assert emails(api) == []


def test_unknown_parts_are_refused(api: ApiClient) -> None:
    assert_refused(upload(api, PEOPLE, nmae="x"), "nmae")
    extra = SimpleUploadedFile("b.csv", b"email\nb@x.example")
    assert_refused(upload(api, PEOPLE, second=extra), "second")
    assert emails(api) == []


@pytest.mark.parametrize("file_name", ["../../etc/passwd", "a" * 500 + ".csv", "\u202egpj.csv", "=?utf-8?q?x?=.csv"])
def test_a_files_own_name_is_a_label_and_nothing_else(api: ApiClient, file_name: str) -> None:
    answer = upload(api, PEOPLE, file_name=file_name).json()
    assert answer["record_count"] == 2
    assert "/" not in answer["name"]
    assert len(answer["name"]) <= 200


@override_settings(CSV_MAX_BYTES=1_000)
def test_a_file_that_is_too_large_is_refused(api: ApiClient) -> None:
    response = upload(api, "email\n" + "x" * 1_000)
    assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")
    assert upload(api, PEOPLE + "#" * 100_000).status_code == 413


@pytest.mark.parametrize(
    ("content_type", "status"),
    [("multipart/form-data", 400), ("multipart/form-data; boundary=" + "b" * 500, 400), ("multipart/mixed", 415)],
)
def test_a_form_that_cannot_be_read_is_refused(api: ApiClient, content_type: str, status: int) -> None:
    response = api.send("POST", "/contact_imports", b"--x\r\n\r\nhello", content_type=content_type)
    assert response.status_code == status
    assert emails(api) == []


def test_other_endpoints_take_no_forms(api: ApiClient) -> None:
    assert api.upload("/suppressions", {"email": "a@x.example"}).status_code == 415


def test_an_upload_can_be_repeated_by_its_idempotency_key(api: ApiClient) -> None:
    boundary = "multipart/form-data; boundary=b"
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="p.csv"\r\n\r\nemail\na@x.example\r\n--b--\r\n'
    )
    first = api.send("POST", "/contact_imports", body, content_type=boundary, idempotency_key="one")
    second = api.send("POST", "/contact_imports", body, content_type=boundary, idempotency_key="one")
    other = api.send(
        "POST", "/contact_imports", body.replace(b"a@x", b"b@x"), content_type=boundary, idempotency_key="one"
    )
    assert (first.status_code, second.content, other.status_code) == (201, first.content, 422)
    assert ContactImport.objects.of(api.account).count() == 1
