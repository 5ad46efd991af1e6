"""The page about the sandbox says what the code does."""

import csv
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

import ampout.sandbox
from ampout.sandbox.__main__ import DEFAULT_PASSWORD
from ampout.sandbox.dns import ZONES, look_up
from ampout.sandbox.recipients import REWRITTEN_DOMAIN, Behaviour, Pace, Sightings, Stage, behaviour_of, decide
from ampout.sandbox.server import SIZE_LIMIT
from tests.sandbox.running import RunningSandbox, send

PACKAGE = Path(ampout.sandbox.__file__).parent
PAGE = (PACKAGE.parents[1] / "docs" / "explanation" / "sandbox.md").read_text("utf-8")
NOW = datetime(2026, 11, 2, tzinfo=UTC)


def read_table(heading: str) -> list[list[str]]:
    """The cells of the first table under ``heading``, without its head."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\|(.*)\|$", section, re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in rows[2:]]


def test_each_behaviour_has_exactly_one_row() -> None:
    addresses = [row[0].strip("`") for row in read_table("The recipients")]
    assert Counter(map(behaviour_of, addresses)) == Counter(Behaviour)


@pytest.mark.parametrize("row", read_table("The recipients"), ids=lambda row: row[0])
def test_the_answer_in_the_table_is_the_one_given(row: list[str]) -> None:
    behaviour = behaviour_of(row[0].strip("`"))
    answer = decide(behaviour, Sightings(), NOW, Pace())
    told = row[2].replace("accepts; each", "`250` each").strip("`")
    assert answer.reply.startswith(told.partition("`")[0].replace("<id>", "").strip())
    assert ("to RCPT" in row[2]) is (answer.stage is Stage.RCPT)


def test_the_times_in_the_table_are_the_defaults() -> None:
    told = {behaviour_of(row[0].strip("`")): row[2] for row in read_table("The recipients")}
    pace = Pace()
    assert f"until {pace.greylist_seconds:g} seconds after the first try" in told[Behaviour.GREYLIST]
    assert f"for the first {pace.full_tries} tries" in told[Behaviour.FULL]
    assert f"takes {pace.slow_seconds:g} seconds" in told[Behaviour.SLOW]
    assert f"@{REWRITTEN_DOMAIN}>" in told[Behaviour.REWRITE]


def test_every_name_with_a_zone_is_in_the_table_of_the_dns() -> None:
    rows = {row[0].strip("`"): row[1] for row in read_table("Its DNS")}
    assert set(rows) - {"any other name under `.test"} == {name.rstrip(".") for name in ZONES} - {"mx.sandbox.test"}
    for name in set(rows) - {"any other name under `.test"}:
        record = look_up(f"{name}.", "MX").records.get("MX")
        assert rows[name].startswith(f"`{record}`" if record else "none")


def test_every_field_of_the_log_is_explained(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        send(client, "anna@sandbox.test")
    told = [name for row in read_table("What they received") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(told) == sorted(sandbox.accepted[0])


def test_password_and_size_are_the_ones_in_the_code() -> None:
    assert ["password", f"`{DEFAULT_PASSWORD}`"] in read_table("Sending through it")
    assert f"SIZE ({SIZE_LIMIT // 1024**2} MiB)" in PAGE


def test_the_contacts_are_counted_right() -> None:
    lines = (PACKAGE / "contacts.csv").read_text("utf-8").splitlines()
    counts = Counter(behaviour_of(contact["email"]) for contact in csv.DictReader(lines))
    told = [
        int(number)
        for number in re.findall(
            r"\b(\d+) (?:that accept|unknown|refusing|greylisting|with|slow|rew)", PAGE.replace("\n", " ")
        )
    ]
    assert told == [counts[behaviour] for behaviour in Behaviour]
