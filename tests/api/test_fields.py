"""Fields of request bodies: what each takes, and what it says of the rest."""

import contextlib
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampout.api.fields import (
    NO_OBJECT,
    NOT_AN_INSTANT,
    Boolean,
    Checked,
    Choice,
    EmailAddress,
    Field,
    Id,
    Instant,
    Integer,
    Invalid,
    ListOf,
    Nested,
    Number,
    Secret,
    Text,
    describe_fields,
    parse_uuid,
    read_fields,
)
from ampout.lib.errors import ValidationFailed
from tests.api import hostile

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
EVERY_FIELD: list[Field] = [
    Text(),
    Text(multiline=True),
    Secret(),
    Integer(),
    Number(minimum=Decimal(0), maximum=Decimal(25)),
    Boolean(),
    Choice(words=("a", "b")),
    Id(),
    EmailAddress(),
    Instant(),
    Nested(schema={"name": Text(required=True)}),
    ListOf(item=Text()),
]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (Text(), "Grüße", "Grüße"),
        (Text(), None, ""),
        (Text(multiline=True, longest=20), "two\nlines\tand a tab", "two\nlines\tand a tab"),
        (Secret(), " pa ss ", " pa ss "),
        (Integer(minimum=1, maximum=3), 3, 3),
        (Number(minimum=Decimal("0.5"), maximum=Decimal(25)), 8.25, Decimal("8.25")),
        (Number(minimum=Decimal("0.5"), maximum=Decimal(25)), 8, Decimal(8)),
        (Boolean(), False, False),
        (Choice(words=("a", "b")), "b", "b"),
        (Id(), "9F0FE1B0-8d4e-4f3e-9a5e-0d6f6a1a0000", uuid.UUID("9f0fe1b0-8d4e-4f3e-9a5e-0d6f6a1a0000")),
        (Id(null=True), None, None),
        (Instant(), "2026-01-31T10:00:00+01:00", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        (ListOf(item=Integer()), [1, 2], [1, 2]),
    ],
)
def test_a_field_takes_what_fits(field: Field, value: Any, expected: Any) -> None:
    assert field.read(value) == expected


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        (Text(), 7, "Must be text."),
        (Text(longest=3), "four", "Is too long: at most 3 characters are allowed."),
        (Text(blank=False), "  ", "May not be empty."),
        (Text(blank=False), None, "May not be null."),
        (Text(), "a\nb", "Holds the control character U+000A (line feed). Remove it."),
        (Text(multiline=True), "a\x00b", "Holds the control character U+0000 (NUL). Remove it."),
        (Text(), "=?utf-8?q?x?=", "Looks like an encoded header (=?…?=). Write the text itself."),
        (Secret(), "", "May not be empty."),
        (Secret(), "pass\nword", "Holds a control character. Remove it."),
        (Integer(), True, "Must be a whole number."),
        (Integer(), "7", "Must be a whole number."),
        (Integer(minimum=1, maximum=3), 4, "Must be between 1 and 3."),
        (Number(minimum=Decimal("0.5"), maximum=Decimal(25)), 0.4, "Must be between 0.5 and 25."),
        (Number(minimum=Decimal(0), maximum=Decimal(25)), 1.234, "May have at most 2 decimals."),
        (Number(minimum=Decimal(0), maximum=Decimal(25)), float("inf"), "Must be a number."),
        (Boolean(), "true", "Must be true or false."),
        (Choice(words=("a", "b")), "c", "Must be one of: a, b."),
        (Choice(words=("a", "b")), ["a"], "Must be one of: a, b."),
        (Id(), 7, "Must be an id, as text."),
        (Id(), None, "May not be null."),
        (EmailAddress(), 7, "Must be an email address, as text."),
        (Instant(), "2026-01-31T10:00:00", NOT_AN_INSTANT),
        (Instant(), "0001-01-01T00:00:00+14:00", NOT_AN_INSTANT),
        (ListOf(item=Text()), {}, "Must be an array."),
        (ListOf(item=Text(), fewest=1), [], "May not be empty."),
        (ListOf(item=Text(), most=1), ["a", "b"], "Holds too many: at most 1 are allowed."),
        (Nested(schema={}), [], "Must be an object."),
    ],
)
def test_a_field_says_what_does_not_fit(field: Field, value: Any, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        field.read(value)
    assert caught.value.problems == {"": [sentence]}


@pytest.mark.parametrize("value", hostile.HOSTILE_LINES, ids=hostile.short_id)
def test_a_line_of_text_refuses_whatever_could_become_a_header(value: str) -> None:
    with pytest.raises(Invalid):
        Text(longest=998).read(value)


@pytest.mark.parametrize("value", hostile.NOT_ADDRESSES, ids=hostile.short_id)
def test_an_address_is_one_mailbox_and_nothing_else(value: Any) -> None:
    with pytest.raises(Invalid):
        EmailAddress().read(value)


@pytest.mark.parametrize("field", EVERY_FIELD, ids=lambda field: type(field).__name__)
@given(value=ANY_JSON)
def test_no_value_is_a_fault(field: Field, value: Any) -> None:
    with contextlib.suppress(Invalid):
        field.read(value)


@given(text=st.text())
def test_an_id_that_is_no_uuid_names_nothing(text: str) -> None:
    assert Id().read(text) == (parse_uuid(text) or NO_OBJECT)


@pytest.mark.parametrize(
    "text",
    ["", "x", "{9f0fe1b0-8d4e-4f3e-9a5e-0d6f6a1a0000}", "9f0fe1b08d4e4f3e9a5e0d6f6a1a0000", "9f0fe1b0\n" * 4],
)
def test_a_uuid_has_one_spelling(text: str) -> None:
    assert parse_uuid(text) is None


def test_a_function_may_read_a_field() -> None:
    def refuse(_value: object) -> None:
        raise ValueError("Not this one.")

    assert Checked(function=str).read(7) == "7"
    with pytest.raises(Invalid) as caught:
        Checked(function=refuse).read(7)
    assert caught.value.problems == {"": ["Not this one."]}


CAMPAIGN = {
    "name": Text(required=True, blank=False),
    "steps": ListOf(item=Nested(schema={"subject": Text(required=True), "delay_minutes": Integer()})),
}


def problems_of(given_object: dict[str, Any], *, partial: bool = False) -> dict[str, Any]:
    with pytest.raises(ValidationFailed) as caught:
        read_fields(CAMPAIGN, given_object, partial=partial)
    return caught.value.details


def test_only_what_was_given_is_returned() -> None:
    assert read_fields(CAMPAIGN, {"name": "a"}) == {"name": "a"}
    assert read_fields(CAMPAIGN, {}, partial=True) == {}


def test_every_problem_is_told_at_once_by_its_path() -> None:
    given_object = {"steps": [{"subject": "ok"}, {"subject": 7, "delay_minutes": -1}, "x"]}
    assert problems_of(given_object) == {
        "name": ["This field is required."],
        "steps.1.subject": ["Must be text."],
        "steps.1.delay_minutes": ["Must be between 0 and 2147483647."],
        "steps.2": ["Must be an object."],
    }


def test_an_unknown_field_is_answered_with_the_nearest_known_one() -> None:
    assert problems_of({"name": "a", "stpes": []}) == {"stpes": ["Unknown field. Did you mean `steps`?"]}
    assert problems_of({"name": "a", "qqqqqq": 1}) == {"qqqqqq": ["Unknown field."]}


def test_in_a_nested_object_too() -> None:
    details = problems_of({"name": "a", "steps": [{"subject": "a", "delay_minute": 1}]})
    assert details == {"steps.0.delay_minute": ["Unknown field. Did you mean `delay_minutes`?"]}


def test_a_flood_of_problems_is_cut() -> None:
    assert len(problems_of({"name": "a"} | {f"x{number}": 1 for number in range(100_000)})) == 20
    assert len(problems_of({"name": "a", "steps": [7] * 1_000})) == 100


def test_a_patch_may_not_empty_what_creation_requires() -> None:
    assert problems_of({"name": ""}, partial=True) == {"name": ["May not be empty."]}
    assert problems_of({"name": None}, partial=True) == {"name": ["May not be null."]}


DESCRIBED: list[tuple[Field, Any]] = [
    (Text(), {"type": ["string", "null"], "maxLength": 200}),
    (Text(blank=False), {"type": "string", "maxLength": 200, "minLength": 1}),
    (Integer(minimum=1, maximum=9, null=True), {"type": ["integer", "null"], "minimum": 1, "maximum": 9}),
    (Choice(words=("a", "b"), null=True), {"type": ["string", "null"], "enum": ["a", "b", None]}),
    (Checked(function=str, null=True), {"anyOf": [{}, {"type": "null"}]}),
    (
        ListOf(item=Boolean(), fewest=1, most=2),
        {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 2},
    ),
]


@pytest.mark.parametrize(("kind", "schema"), DESCRIBED, ids=[type(kind).__name__ for kind, _ in DESCRIBED])
def test_a_field_describes_what_it_takes(kind: Field, schema: Any) -> None:
    assert kind.describe() == schema


def test_an_object_is_described_by_its_fields() -> None:
    schema = {"name": Text(required=True, blank=False), "flag": Boolean()}
    described = describe_fields(schema)
    assert (described["required"], sorted(described["properties"])) == (["name"], ["flag", "name"])
    assert described["additionalProperties"] is False
    assert "required" not in describe_fields(schema, partial=True)
