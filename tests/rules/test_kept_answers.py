"""An answer that is given again after an erasure has its shape, and nothing of the person."""

import json
from typing import Any

import pytest

from dispatch.rules.kept_answers import without_person

ANNA = "anna@x.example"


def cleared(answer: Any) -> Any:
    return json.loads(without_person(json.dumps(answer), lambda address: address == ANNA))


CONTACT = {"id": "1", "email": "Anna@X.example", "first_name": "Anna", "custom_fields": {"city": "Ulm"}, "company": ""}
CLEARED = {"id": "1", "email": "", "first_name": "", "custom_fields": {}, "company": ""}
OTHER = {"id": "2", "email": "max@x.example", "first_name": "Max", "custom_fields": {"city": "Ulm"}}

CASES: dict[str, tuple[Any, Any]] = {
    "a contact": (CONTACT, CLEARED),
    "a list of contacts": ([OTHER, CONTACT], [OTHER, CLEARED]),
    "an object within another": ({"name": "x", "rows": [CONTACT]}, {"name": "x", "rows": [CLEARED]}),
    "addresses alone": ({"sent": [ANNA, "max@x.example"]}, {"sent": ["(erased)", "max@x.example"]}),
    "an address in a sentence": ({"message": f"No {ANNA} here."}, {"message": "No (erased) here."}),
    "somebody else": (OTHER, OTHER),
    "no object": (["1", 2, None, True], ["1", 2, None, True]),
}


@pytest.mark.parametrize(("answer", "left"), CASES.values(), ids=CASES)
def test_an_answer_without_the_person(answer: Any, left: Any) -> None:
    assert cleared(answer) == left


def test_what_names_nobody_keeps_its_bytes() -> None:
    answer = '{"email" :  "max@x.example"}'
    assert without_person(answer, lambda _: False) == answer
    assert without_person("", lambda _: True) == ""
