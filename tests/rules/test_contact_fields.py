"""Contact fields: what can be stored and written into a mail, and a sentence for everything else."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampout.lib.addresses import parse_address
from ampout.lib.text import find_control_character, looks_like_encoded_word
from campaigns.rules.contact_fields import (
    LONGEST_CUSTOM,
    LONGEST_STANDARD,
    MOST_CUSTOM,
    RESERVED_NAMES,
    ContactFields,
    clean_contact,
)
from campaigns.rules.merge_tags import is_field_name

EMAIL = {"email": "bob@example.com"}
NOT_TEXT = ["It must be text, a number, true or false."]
NOT_A_TIME = ["It is not a time; write it like 2026-01-31T12:00:00Z."]
TAKEN = ["This name is taken; give the custom field another one."]
BAD_NAME = ["A custom field's name is ASCII letters, digits and underscores, at most 64, no digit first."]
MAIL_DECODES = ['It contains "=?…?q?" or "=?…?b?", which mail software decodes; remove it.']

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = scalars | st.lists(scalars) | st.dictionaries(st.text(), scalars)


def parse_email(text: str) -> str:
    """Stands in for the project's parser: the rules do not know it."""
    if "@" not in text:
        raise ValueError("An email address has an @-sign.")
    return text.lower()


def clean(
    fields: Mapping[str, object], *, email_required: bool = True
) -> tuple[ContactFields[str], dict[str, list[str]]]:
    return clean_contact(fields, parse_email=parse_email, email_required=email_required)


def custom_of(value: object) -> str:
    cleaned, errors = clean({**EMAIL, "x": value})
    assert errors == {}
    return cleaned.custom["x"]


def errors_of(**fields: object) -> dict[str, list[str]]:
    return clean({**EMAIL, **fields})[1]


def test_every_field_has_its_place() -> None:
    fields = {
        "email": "Bob@Example.com",
        "first_name": "Bob",
        "last_name": "Stone",
        "company": "Acme",
        "source": "fair",
        "lawful_basis": "legitimate interest",
        "consent_at": "2026-01-31T12:00:00Z",
        "Job_Title": "CTO",
    }
    expected = ContactFields(
        address="bob@example.com",
        standard={
            "first_name": "Bob",
            "last_name": "Stone",
            "company": "Acme",
            "source": "fair",
            "lawful_basis": "legitimate interest",
        },
        custom={"Job_Title": "CTO"},
        consent_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
        has_consent_at=True,
    )
    assert clean(fields) == (expected, {})


def test_an_address_alone_is_a_contact() -> None:
    assert clean(EMAIL) == (ContactFields(address="bob@example.com"), {})


# -- The address


@pytest.mark.parametrize(
    "fields", [{}, {"email": None}, {"email": ""}, {"email": 5}, {"email": ["a@b"]}, {"email": True}]
)
def test_a_contact_needs_an_address(fields: dict[str, object]) -> None:
    assert clean(fields)[1] == {"email": ["An email address is required, as text."]}


def test_the_parser_s_sentence_is_passed_on() -> None:
    assert clean({"email": "bob"})[1] == {"email": ["An email address has an @-sign."]}


def test_a_change_may_leave_the_address_out() -> None:
    cleaned, errors = clean({"first_name": "Bob"}, email_required=False)
    assert (cleaned.address, dict(cleaned.standard), errors) == (None, {"first_name": "Bob"}, {})


@pytest.mark.parametrize("email", [None, ""])
def test_a_change_cannot_take_the_address_away(email: object) -> None:
    assert list(clean({"email": email}, email_required=False)[1]) == ["email"]


# -- Values


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        ("  x \u00a0", "x"),
        ("", ""),
        (None, ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-12, "-12"),
        (1.5, "1.5"),
        (10**20, "1" + "0" * 20),
        ("=1+1", "=1+1"),
        ("Zoë Łukasz 💌 日本", "Zoë Łukasz 💌 日本"),
        ("<b>{{first_name}}</b>", "<b>{{first_name}}</b>"),
        ("https://x.test/?a=?b", "https://x.test/?a=?b"),
        ("👩\u200d🔧", "👩\u200d🔧"),
    ],
)
def test_a_value_is_kept_as_text(value: object, text: str) -> None:
    assert custom_of(value) == text


@pytest.mark.parametrize(
    "value", [[], ["x"], {}, {"a": 1}, float("nan"), float("inf"), pytest.param(10**5_000, id="long"), b"x"]
)
def test_what_is_no_scalar_is_refused(value: object) -> None:
    assert errors_of(x=value) == {"x": NOT_TEXT}
    assert errors_of(first_name=value) == {"first_name": NOT_TEXT}


@pytest.mark.parametrize("name", ["first_name", "last_name", "company", "source", "lawful_basis"])
def test_a_standard_field_has_its_limit(name: str) -> None:
    assert errors_of(**{name: "x" * LONGEST_STANDARD}) == {}
    assert errors_of(**{name: "x" * 201}) == {name: ["It has 201 characters; at most 200 are allowed."]}


def test_a_custom_field_has_a_wider_limit() -> None:
    assert errors_of(x="x" * LONGEST_CUSTOM) == {}
    assert errors_of(x="x" * 5_001) == {"x": ["It has 5,001 characters; at most 5,000 are allowed."]}


@pytest.mark.parametrize("name", ["first_name", "last_name", "company", "source", "lawful_basis", "custom"])
@pytest.mark.parametrize(
    "character", ["\r\n", "\n", "\r", "\t", "\0", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"]
)
def test_a_control_character_is_refused_by_its_name(name: str, character: str) -> None:
    (message,) = errors_of(**{name: f"x{character}Bcc: evil@example.com"})[name]
    assert message.startswith(f"It contains the control character U+{ord(character[0]):04X} (")


@pytest.mark.parametrize(
    "mark", ["\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"]
)
def test_marks_that_reorder_text_are_refused(mark: str) -> None:
    (message,) = errors_of(company=f"Acme{mark}")["company"]
    assert message == f"It contains U+{ord(mark):04X}, which reorders text invisibly; remove it."


@pytest.mark.parametrize("value", ["=?utf-8?q?x?=", "A 💩 s=?UTF-8?Q?=0A?=Bcc: x@example.com", "=?utf-8?B?"])
@pytest.mark.parametrize("name", ["first_name", "last_name", "company", "custom"])
def test_what_mail_software_decodes_is_refused(name: str, value: str) -> None:
    assert errors_of(**{name: value}) == {name: MAIL_DECODES}


# -- Names of custom fields


@pytest.mark.parametrize("name", ["Job_Title", "_x", "a1", "x" * 64, "ZIP"])
def test_a_name_a_merge_tag_can_bear_is_taken(name: str) -> None:
    assert errors_of(**{name: "x"}) == {}


@pytest.mark.parametrize("name", ["", "Job Title", "1st", "a-b", "a.b", "{{a}}", "a\n"])
def test_a_name_no_merge_tag_can_bear_is_refused(name: str) -> None:
    assert list(errors_of(**{name: "x"}).values()) == [BAD_NAME]


def test_a_hostile_name_is_shown_short_and_in_ascii() -> None:
    (shown,) = errors_of(**{"\r\n\u2028é" + "x" * 1_000_000: "x"})
    assert shown.isascii()
    assert len(shown) < 100


@pytest.mark.parametrize("name", [*sorted(RESERVED_NAMES), "ID", "Unsubscribe_URL"])
def test_a_name_with_another_meaning_is_refused(name: str) -> None:
    assert errors_of(**{name: "x"}) == {name: TAKEN}


def test_a_bad_name_and_a_bad_value_are_both_told() -> None:
    assert errors_of(**{"a b": []}) == {"a b": [*NOT_TEXT, *BAD_NAME]}


def test_a_contact_has_so_many_custom_fields_and_no_more() -> None:
    fields = {f"x{number}": "y" for number in range(MOST_CUSTOM)}
    assert errors_of(**fields) == {}
    message = "There are 101 custom fields; at most 100 are allowed."
    assert errors_of(**fields, another="y") == {"custom_fields": [message]}


# -- Consent


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31 12:00:00.5-01:00", datetime(2026, 1, 31, 13, 0, 0, 500_000, tzinfo=UTC)),
        (datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)),
        (None, None),
        ("", None),
    ],
)
def test_consent_is_kept_in_utc(value: object, moment: datetime | None) -> None:
    cleaned, errors = clean({**EMAIL, "consent_at": value})
    assert (cleaned.consent_at, cleaned.has_consent_at, errors) == (moment, True, {})


def test_consent_that_is_not_given_is_left_alone() -> None:
    assert clean(EMAIL)[0].has_consent_at is False


@pytest.mark.parametrize(
    "value", ["yes", "31.1.2026", 5, [], "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+23:00", "\ud800"]
)
def test_what_is_no_time_is_refused(value: object) -> None:
    assert errors_of(consent_at=value) == {"consent_at": NOT_A_TIME}


@pytest.mark.parametrize("value", ["2026-01-31", "2026-01-31T12:00:00"])
def test_a_time_without_a_zone_is_refused(value: str) -> None:
    message = "It has no time zone; write it like 2026-01-31T12:00:00Z."
    assert errors_of(consent_at=value) == {"consent_at": [message]}


# -- Properties


@given(st.dictionaries(st.text() | st.sampled_from(["email", "first_name", "consent_at", "x"]), values))
def test_any_json_is_cleaned_without_an_exception(fields: dict[str, object]) -> None:
    cleaned, errors = clean(fields)
    assert (cleaned.address is None) == ("email" in errors)
    assert all(messages and all(messages) for messages in errors.values())


@given(st.dictionaries(st.text(), values))
def test_what_is_accepted_is_fit_for_a_subject(fields: dict[str, object]) -> None:
    cleaned, errors = clean({**EMAIL, **fields})
    for name, value in cleaned.custom.items():
        if name not in errors:
            assert find_control_character(value) is None
            assert not looks_like_encoded_word(value)
    if not errors:
        assert all(is_field_name(name) for name in cleaned.custom)


@given(st.dictionaries(st.from_regex(r"[a-z]{5,8}x", fullmatch=True), st.text(alphabet="abc é"), max_size=5))
def test_cleaning_twice_changes_nothing(fields: dict[str, str]) -> None:
    once, _ = clean({**EMAIL, **fields})
    assert clean({**EMAIL, **once.custom}) == (once, {})


# -- Exactly at the limits


def test_an_address_is_required_unless_said_otherwise() -> None:
    assert clean_contact({}, parse_email=parse_email)[1] == {"email": ["An email address is required, as text."]}


def test_a_whole_number_has_at_most_128_bits() -> None:
    assert custom_of(2**128 - 1) == str(2**128 - 1)
    assert custom_of(1 - 2**128) == str(1 - 2**128)
    assert errors_of(x=2**128) == {"x": NOT_TEXT}


@pytest.mark.parametrize("value", [0.1, -0.0, 1e300, 5e-324])
def test_a_number_reads_back_as_itself(value: float) -> None:
    assert float(custom_of(value)) == value


def test_the_result_cannot_be_changed_by_accident() -> None:
    with pytest.raises(AttributeError):
        clean(EMAIL)[0].address = "eve@example.com"  # type: ignore[misc]


# -- The addresses that imports are attacked with (promises 3.7), by the project's own parser


@pytest.mark.parametrize(
    ("spelt", "identity"),
    [
        ("Bob@Example.COM", "bob@example.com"),
        ("bob+tag@example.com", "bob+tag@example.com"),
        ("bob@bücher.example", "bob@xn--bcher-kva.example"),
        ("bob@xn--bcher-kva.example", "bob@xn--bcher-kva.example"),
        ("zoë@example.com", "zoë@example.com"),
        ("o'brien@example.com", "o'brien@example.com"),
        ("=cmd@example.com", "=cmd@example.com"),
    ],
)
def test_odd_but_real_addresses_are_kept(spelt: str, identity: str) -> None:
    fields, errors = clean_contact({"email": spelt}, parse_email=parse_address)
    assert errors == {}
    assert fields.address is not None
    assert (fields.address.original, fields.address.identity) == (spelt, identity)


@pytest.mark.parametrize(
    "spelt",
    [
        "a@b@c.example",
        '"x y"@example.com',
        '"x"@[127.0.0.1]',
        "x@[127.0.0.1]",
        "x@127.0.0.1",
        "x" * 65 + "@example.com",
        "x@" + "y" * 310 + ".example",
        "\u202eevil@example.com",
        "evil@exam\u202eple.com",
        ".bob@example.com",
        "bob.@example.com",
        "bo..b@example.com",
        "bob@example..com",
        "bob@.example.com",
        "bob@example",
        "bob@exa mple.com",
        "bob@example.com\r\nBcc: eve@example.com",
        "bob@example.com\0",
        "Bob <bob@example.com>",
        "bob@example.com, eve@example.com",
        "bob@example.com;eve@example.com",
        "@example.com",
        "bob@",
        "=?utf-8?q?x?=@example.com\n",
        "x" * 1_000_000,
    ],
)
def test_hostile_addresses_are_an_error_of_their_field(spelt: str) -> None:
    fields, errors = clean_contact({"email": spelt}, parse_email=parse_address)
    assert fields.address is None
    assert list(errors) == ["email"]
    assert errors["email"][0].endswith(".")
    assert len(errors["email"][0]) < 300
