"""The page about the sandbox says what the code does."""

import csv
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

import ampout.sandbox
from ampout.sandbox.__main__ import DEFAULT_PASSWORD
from ampout.sandbox.absences import DAYS_AWAY
from ampout.sandbox.dns import ZONES, look_up
from ampout.sandbox.mailboxes import LARGEST_MAIL, MOST_BOUNDARIES, SPECIAL_USE
from ampout.sandbox.reactions import JUNK_SHARE, react
from ampout.sandbox.recipients import REWRITTEN_DOMAIN, Behaviour, Pace, Sightings, Stage, behaviour_of, decide
from ampout.sandbox.server import SIZE_LIMIT
from tests.sandbox.deliveries import make_delivered
from tests.sandbox.running import RunningSandbox, send

PACKAGE = Path(ampout.sandbox.__file__).parent
PAGE = (PACKAGE.parents[1] / "docs" / "explanation" / "sandbox.md").read_text("utf-8")
NOW = datetime(2026, 11, 2, tzinfo=UTC)


def read_table(heading: str) -> list[list[str]]:
    """The cells of the first table under ``heading``, without its head."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\|(.*)\|$", section, re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in rows[2:]]


def all_rows() -> list[tuple[Behaviour, list[str]]]:
    """The rows of both tables of recipients, with the behaviour of the address that each begins with."""
    rows = [*read_table("The recipients"), *read_table("What they do afterwards")]
    return [(behaviour_of(row[0].strip("`")), row) for row in rows]


def test_each_behaviour_has_exactly_one_row() -> None:
    assert Counter(behaviour for behaviour, _ in all_rows()) == Counter(Behaviour)


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
        send(client, "anna+ooo-de@sandbox.test")
    [act] = sandbox.await_behaviours(1)
    for heading, line in (("What they received", sandbox.accepted[0]), ("What they did", act)):
        told = [name for row in read_table(heading) for name in re.findall(r"`(\w+)`", row[0])]
        assert sorted(told) == sorted(line)


@pytest.mark.parametrize("row", read_table("What they do afterwards"), ids=lambda row: row[0])
def test_what_an_act_counts_as_is_told(row: list[str]) -> None:
    behaviour = behaviour_of(row[0].strip("`"))
    thread = ("<a@x>", "<b@x>") if behaviour is Behaviour.OOO_LATER else ()
    kinds = dict.fromkeys(str(reaction.kind) for reaction in react(behaviour, make_delivered(behaviour, thread)))
    assert row[3] == ", ".join(f"`{kind}`" for kind in kinds)


def test_password_and_size_are_the_ones_in_the_code() -> None:
    assert ["password", f"`{DEFAULT_PASSWORD}`"] in read_table("Sending through it")
    assert f"SIZE ({SIZE_LIMIT // 1024**2} MiB)" in PAGE


def test_the_contacts_are_counted_right() -> None:
    lines = (PACKAGE / "contacts.csv").read_text("utf-8").splitlines()
    counts = Counter(behaviour_of(contact["email"]) for contact in csv.DictReader(lines))
    assert {behaviour: int(row[-1]) for behaviour, row in all_rows()} == {one: counts[one] for one in Behaviour}


def test_the_limits_of_the_mailboxes_are_the_ones_in_the_code() -> None:
    assert f"{LARGEST_MAIL // 1024} KiB or\nwith more than {MOST_BOUNDARIES} parts" in PAGE
    assert [f"`{name}`" in PAGE for name in SPECIAL_USE] == [True] * 3
    assert JUNK_SHARE == 6
    assert f"{DAYS_AWAY[0]} to {DAYS_AWAY[1]} days" in PAGE
    assert f"within {Pace().answer_seconds:g} seconds" in PAGE
