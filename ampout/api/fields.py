"""The kinds of values that request bodies hold: strict JSON types, and a sentence for whatever does not fit.

A field reads one value and returns it as the services want it. A schema is a mapping of names to fields; `read_fields`
reads a whole object by one and reports every problem at once, by dotted path: `sequence_steps.0.subject`.
"""

import math
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ampout.lib import addresses, text
from ampout.lib.addresses import InvalidAddress
from ampout.lib.errors import ValidationFailed

MOST_PROBLEMS = 100
"""Problems reported of one body; more would be an answer that nobody reads."""
MOST_UNKNOWN_NAMES = 20
"""Unknown fields that are reported, each with a search for the nearest known name."""
LARGEST_INTEGER = 2_147_483_647
NO_OBJECT = uuid.UUID(int=0)
"""The id of nothing: what an id that is not a UUID is read as, so that it is answered like a missing object's."""

NOT_AN_INSTANT = "Must be a time in ISO 8601 with its zone, such as 2026-01-31T09:00:00Z."

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)

Problems = dict[str, list[str]]
JsonSchema = dict[str, Any]


class Invalid(Exception):
    """A value that does not fit: problems by path within the value; the value itself has the empty path."""

    def __init__(self, problems: str | Problems) -> None:
        super().__init__("invalid value")
        self.problems: Problems = {"": [problems]} if isinstance(problems, str) else problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(ABC):
    """One value. `required` is asked for at creation, not in a PATCH; `null` lets null through as None."""

    required: bool = False
    null: bool = False

    def read(self, value: object) -> Any:
        """The value for a service. Raises Invalid."""
        if value is None:
            return self.read_null()
        return self.read_value(value)

    def read_null(self) -> Any:
        """What null means here. Raises Invalid."""
        if not self.null:
            raise Invalid("May not be null.")

    @abstractmethod
    def read_value(self, value: object) -> Any:
        """The value for a service, null aside. Raises Invalid."""

    def describe(self) -> JsonSchema:
        """What may be given here, as a JSON Schema (draft 2020-12, as OpenAPI 3.1 has it)."""
        described = self.describe_value()
        return _or_null(described) if self.takes_null else described

    @property
    def takes_null(self) -> bool:
        """Whether null may be given."""
        return self.null

    @abstractmethod
    def describe_value(self) -> JsonSchema:
        """What may be given here but null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Field):
    """Text without control characters. `longest` counts characters; null is the empty text where that is allowed.

    A single line may end up in a header, so what looks like an encoded-word is refused there (CVE-2024-6923).
    """

    longest: int = 200
    blank: bool = True
    multiline: bool = False

    def read_null(self) -> str:
        """The empty text. Raises Invalid where that is not allowed."""
        if not self.blank:
            raise Invalid("May not be null.")
        return ""

    def read_value(self, value: object) -> str:
        """The text as it was given. Raises Invalid."""
        if not isinstance(value, str):
            raise Invalid("Must be text.")
        if len(value) > self.longest:
            raise Invalid(f"Is too long: at most {self.longest} characters are allowed.")
        if not self.blank and not value.strip():
            raise Invalid("May not be empty.")
        character = text.find_control_character(value, multiline=self.multiline)
        if character is not None:
            raise Invalid(f"Holds the control character {character}. Remove it.")
        if not self.multiline and text.looks_like_encoded_word(value):
            raise Invalid("Looks like an encoded header (=?…?=). Write the text itself.")
        return value

    @property
    def takes_null(self) -> bool:
        """Null is the empty text."""
        return self.blank

    def describe_value(self) -> JsonSchema:
        """Text of a length."""
        return describe_text(self.longest, blank=self.blank)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret(Field):
    """A password: any characters but control characters, never trimmed, never repeated in an error."""

    longest: int = 1_000
    blank: bool = False

    def read_null(self) -> str:
        """The empty text, which removes an optional password. Raises Invalid where that is not allowed."""
        if not self.blank:
            raise Invalid("May not be null.")
        return ""

    def read_value(self, value: object) -> str:
        """The password. Raises Invalid."""
        if not isinstance(value, str):
            raise Invalid("Must be text.")
        if len(value) > self.longest:
            raise Invalid(f"Is too long: at most {self.longest} characters are allowed.")
        if not self.blank and not value:
            raise Invalid("May not be empty.")
        if text.find_control_character(value) is not None:
            raise Invalid("Holds a control character. Remove it.")
        return value

    @property
    def takes_null(self) -> bool:
        """Null is the empty text."""
        return self.blank

    def describe_value(self) -> JsonSchema:
        """Text that is never shown again."""
        return describe_text(self.longest, blank=self.blank) | {"format": "password", "writeOnly": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Integer(Field):
    """A whole number within bounds, both included."""

    minimum: int = 0
    maximum: int = LARGEST_INTEGER

    def read_value(self, value: object) -> int:
        """The number. Raises Invalid."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise Invalid("Must be a whole number.")
        if not self.minimum <= value <= self.maximum:
            raise Invalid(f"Must be between {self.minimum} and {self.maximum}.")
        return value

    def describe_value(self) -> JsonSchema:
        """A whole number within its bounds."""
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Field):
    """A number within bounds, both included, with at most `places` decimals; read as a Decimal."""

    minimum: Decimal
    maximum: Decimal
    places: int = 2

    def read_value(self, value: object) -> Decimal:
        """The number. Raises Invalid."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise Invalid("Must be a number.")
        if not self.minimum <= value <= self.maximum:
            raise Invalid(f"Must be between {self.minimum} and {self.maximum}.")
        number = Decimal(str(value))
        if number != round(number, self.places):
            raise Invalid(f"May have at most {self.places} decimals.")
        return number

    def describe_value(self) -> JsonSchema:
        """A number within its bounds."""
        return {
            "type": "number",
            "minimum": float(self.minimum),
            "maximum": float(self.maximum),
            "multipleOf": 10.0**-self.places,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Boolean(Field):
    """true or false."""

    def read_value(self, value: object) -> bool:
        """The flag. Raises Invalid."""
        if not isinstance(value, bool):
            raise Invalid("Must be true or false.")
        return value

    def describe_value(self) -> JsonSchema:
        """A flag."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Field):
    """One of a few words."""

    words: tuple[str, ...]

    def read_value(self, value: object) -> str:
        """The word. Raises Invalid."""
        if not isinstance(value, str) or value not in self.words:
            raise Invalid(f"Must be one of: {', '.join(self.words)}.")
        return value

    def describe_value(self) -> JsonSchema:
        """One of the words."""
        return {"type": "string", "enum": [str(word) for word in self.words]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Id(Field):
    """The id of another object. A text that is no UUID names nothing, so its answer is that of a missing object."""

    def read_value(self, value: object) -> uuid.UUID:
        """The id, or NO_OBJECT. Raises Invalid for what is not text."""
        if not isinstance(value, str):
            raise Invalid("Must be an id, as text.")
        return parse_uuid(value) or NO_OBJECT

    def describe_value(self) -> JsonSchema:
        """A UUID."""
        return {"type": "string", "format": "uuid"}


MOST_ITEMS = 1_000
"""Items of a call that does to many what others do to one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailAddress(Field):
    """An email address; read as an `Address`."""

    def read_value(self, value: object) -> addresses.Address:
        """The address. Raises Invalid."""
        if not isinstance(value, str):
            raise Invalid("Must be an email address, as text.")
        try:
            return addresses.parse_address(value)
        except InvalidAddress as error:
            raise Invalid(str(error)) from None

    def describe_value(self) -> JsonSchema:
        """An address; RFC 6531 allows letters beyond ASCII."""
        return {"type": "string", "format": "email", "maxLength": addresses.LONGEST_ADDRESS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant(Field):
    """A time in ISO 8601 with its zone; read as an aware datetime in UTC."""

    def read_value(self, value: object) -> datetime:
        """The time. Raises Invalid."""
        instant = _parse_instant(value)
        if instant is None:
            raise Invalid(NOT_AN_INSTANT)
        return instant

    def describe_value(self) -> JsonSchema:
        """A time of RFC 3339, which is a part of ISO 8601."""
        return {"type": "string", "format": "date-time"}


def _parse_instant(value: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
        return instant.astimezone(UTC) if instant and instant.tzinfo else None
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked(Field):
    """A value that a function reads: what a rule knows better. It raises ValueError with a sentence."""

    function: Callable[[object], Any]
    described: Mapping[str, Any] = field(default_factory=dict)
    """What the function takes, as a JSON Schema."""

    def read_value(self, value: object) -> Any:
        """What the function makes of it. Raises Invalid."""
        try:
            return self.function(value)
        except ValueError as error:
            raise Invalid(str(error)) from None

    def describe_value(self) -> JsonSchema:
        """What it was made with."""
        return dict(self.described)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything(Field):
    """Any value, null included: for what a rule reads as a whole, with the fields beside it."""

    described: Mapping[str, Any] = field(default_factory=dict)
    """What the rule takes, as a JSON Schema."""

    def read(self, value: object) -> object:
        """The value."""
        return value

    read_value = read

    def describe_value(self) -> JsonSchema:
        """What it was made with."""
        return dict(self.described)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonObject(Field):
    """An object of any members, with at most `most` of them."""

    most: int = 1_000
    described: Mapping[str, Any] = field(default_factory=dict)
    """What is known of its members' values, as a JSON Schema."""

    def read_value(self, value: object) -> dict[str, object]:
        """The object. Raises Invalid."""
        if not isinstance(value, dict):
            raise Invalid("Must be an object.")
        if len(value) > self.most:
            raise Invalid(f"Holds too many fields: at most {self.most} are allowed.")
        return value

    def describe_value(self) -> JsonSchema:
        """An object of members of one kind."""
        return {"type": "object", "maxProperties": self.most, "additionalProperties": dict(self.described)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested(Field):
    """An object, read by its own schema into a dictionary of what was given."""

    schema: "Schema"

    def read_value(self, value: object) -> dict[str, Any]:
        """The object's values. Raises Invalid."""
        if not isinstance(value, dict):
            raise Invalid("Must be an object.")
        values, problems = _read(self.schema, value, partial=False)
        if problems:
            raise Invalid(problems)
        return values

    def describe_value(self) -> JsonSchema:
        """The object of its schema."""
        return describe_fields(self.schema)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf(Field):
    """An array of values of one kind."""

    item: Field
    fewest: int = 0
    most: int = 1_000
    empty_message: str = field(default="May not be empty.")

    def read_value(self, value: object) -> list[Any]:
        """The values. Raises Invalid."""
        if not isinstance(value, list):
            raise Invalid("Must be an array.")
        if len(value) < self.fewest:
            raise Invalid(self.empty_message)
        if len(value) > self.most:
            raise Invalid(f"Holds too many: at most {self.most} are allowed.")
        return self._read_items(value)

    def _read_items(self, items: list[object]) -> list[Any]:
        values: list[Any] = []
        problems: Problems = {}
        for index, item in enumerate(items):
            try:
                values.append(self.item.read(item))
            except Invalid as error:
                problems |= _below(str(index), error.problems)
            if len(problems) >= MOST_PROBLEMS:
                break
        if problems:
            raise Invalid(problems)
        return values

    def describe_value(self) -> JsonSchema:
        """An array of the item's kind."""
        return {"type": "array", "items": self.item.describe(), "minItems": self.fewest, "maxItems": self.most}


Schema = Mapping[str, Field]


def describe_fields(schema: Schema, *, partial: bool = False) -> JsonSchema:
    """An object as `read_fields` takes it, as a JSON Schema."""
    required = [name for name, kind in schema.items() if kind.required and not partial]
    described = {
        "type": "object",
        "properties": {name: kind.describe() for name, kind in schema.items()},
        "additionalProperties": False,
    }
    return described | ({"required": required} if required else {})


def describe_text(longest: int, *, blank: bool) -> JsonSchema:
    """Text of at most so many characters."""
    return {"type": "string", "maxLength": longest} | ({} if blank else {"minLength": 1})


def _or_null(described: JsonSchema) -> JsonSchema:
    """The same, or null: `type` holds both, and so does `enum`."""
    if "type" not in described:
        return {"anyOf": [described, {"type": "null"}]}
    or_null = described | {"type": [described["type"], "null"]}
    return or_null | {"enum": [*described["enum"], None]} if "enum" in described else or_null


def read_fields(schema: Schema, given: Mapping[str, object], *, partial: bool = False) -> dict[str, Any]:
    """The values that were given, by name. Raises ValidationFailed with every problem (at most 100).

    `partial` is for PATCH: nothing is required.
    """
    values, problems = _read(schema, given, partial=partial)
    if problems:
        raise ValidationFailed(dict(list(problems.items())[:MOST_PROBLEMS]))
    return values


def _read(schema: Schema, given: Mapping[str, object], *, partial: bool) -> tuple[dict[str, Any], Problems]:
    values: dict[str, Any] = {}
    problems = _unknown_names(schema, given)
    for name, kind in schema.items():
        if name in given:
            try:
                values[name] = kind.read(given[name])
            except Invalid as error:
                problems |= _below(name, error.problems)
        elif kind.required and not partial:
            problems[name] = ["This field is required."]
    return values, problems


def _unknown_names(schema: Schema, given: Mapping[str, object]) -> Problems:
    unknown = [name for name in given if name not in schema][:MOST_UNKNOWN_NAMES]
    return {name[:100]: [_unknown_sentence(name, schema)] for name in unknown}


def _unknown_sentence(name: str, schema: Schema) -> str:
    nearest = text.nearest_name(name, schema)
    return f"Unknown field. Did you mean `{nearest}`?" if nearest else "Unknown field."


def _below(name: str, problems: Problems) -> Problems:
    return {f"{name}.{path}" if path else name: messages for path, messages in problems.items()}


def parse_uuid(value: str) -> uuid.UUID | None:
    """The UUID in its one canonical spelling; None for anything else."""
    return uuid.UUID(value) if _UUID.fullmatch(value) else None
