"""What is said of a call beside its code: one Operation a route and method."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ampout.api.fields import JsonSchema, Schema
from ampout.api.pagination import DEFAULT_LIMIT, LARGEST_LIMIT, LONGEST_CURSOR

SAMPLES = uuid.UUID("9d3b6a34-5a2f-4d0c-8a49-7f3f2c1b0e55")
"""The namespace of the ids in examples."""

LIMIT: JsonSchema = {
    "type": "integer",
    "minimum": 1,
    "maximum": LARGEST_LIMIT,
    "default": DEFAULT_LIMIT,
    "description": "How many at most.",
}
CURSOR: JsonSchema = {
    "type": "string",
    "maxLength": LONGEST_CURSOR,
    "description": "Where to go on; it is in the `Link` header of the page before.",
}
PAGES: Mapping[str, JsonSchema] = {"limit": LIMIT, "cursor": CURSOR}


def sample_id(name: str) -> str:
    """The id that stands for an object in the examples, such as `campaign`."""
    return str(uuid.uuid5(SAMPLES, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One call that works. `{campaign}` in a value stands for the id of a campaign, also in `ids` and `query`.

    `answer` holds what is worth showing; what it leaves out is filled in from the answer's shape.
    """

    ids: Mapping[str, str] = field(default_factory=dict)
    """Whose ids the path holds, where that is not the name of its parameter: `{"campaign_id": "active_campaign"}`."""
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    answer: Any = None
    refused: tuple[int, str] | None = None
    """Status and code, of a call that is shown because it is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A call: what it takes, answers and means."""

    method: str
    path: str
    """With its ids in braces, as OpenAPI has them."""
    summary: str
    text: str = ""
    """More about it, in Markdown."""
    status: int = 200
    answer: JsonSchema | None = None
    """None where the answer has no body."""
    answer_type: str = "application/json"
    body: Schema | None = None
    """The fields it takes; None where it takes no body at all."""
    wrapper: str = ""
    """The name that the body may be wrapped in."""
    partial: bool = False
    """Whether no field is required, as in a PATCH."""
    upload: Schema | None = None
    """The parts of the form that it takes instead of a body."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """What each field of the body means; all have one."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, JsonSchema] = field(default_factory=dict)
    paged: bool = False
    codes: tuple[str, ...] = ()
    """The refusals that are its own, beside those of all calls."""
    public: bool = False
    """Whether it needs no key."""
    foreign: bool = False
    """Whether it is called by others' programs, in their own words: with any body, and without an Idempotency-Key."""
    example: Example = field(default_factory=Example)

    @property
    def changes(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"

    @property
    def body_name(self) -> str:
        """The name of its body's schema: `CampaignRequest`, `CampaignPatch`."""
        name = "".join(word.capitalize() for word in self.wrapper.split("_"))
        return f"{name}{'Patch' if self.method == 'PATCH' else 'Request'}" if self.body else "NoFields"

    @property
    def repeatable(self) -> bool:
        """Whether it takes an Idempotency-Key."""
        return self.changes and not self.foreign

    @property
    def is_page(self) -> bool:
        """Whether people see its answer, and are told in HTML what is missing too."""
        return self.answer_type == "text/html" or self.status == 302

    @property
    def parameters(self) -> Mapping[str, JsonSchema]:
        """What its query string may hold."""
        return {**self.query, **PAGES} if self.paged else self.query


@dataclass(frozen=True, slots=True)
class Chapter:
    """The calls of one kind of object, under a heading."""

    name: str
    text: str
    operations: tuple[Operation, ...]
