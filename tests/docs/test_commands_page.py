"""The page of commands names those that there are, with their options."""

import re

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from tests.docs.pages import PROJECT, bare, read, rows, section

PAGE = read("reference/commands.md")
APPS = ("ampout", "campaigns", "credentials", "dispatch")
OURS = {name: app for name, app in get_commands().items() if str(app).split(".")[0] in APPS}
DJANGOS_OWN = set(BaseCommand().create_parser("manage.py", "any")._option_string_actions)


def told(heading: str) -> dict[str, str]:
    """Each command of a section's table, with the rest of its row."""
    return {bare(row[0]): " | ".join(row[1:]) for row in rows(section(PAGE, heading))}


def test_every_command_of_ours_is_told_and_no_other() -> None:
    assert set(told("## Ours")) == set(OURS)


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_option_is_told_and_no_other(name: str) -> None:
    command = load_command_class(str(OURS[name]), name)
    options = set(command.create_parser("manage.py", name)._option_string_actions) - DJANGOS_OWN
    assert set(re.findall(r"`(--[a-z-]+)`", told("## Ours")[name])) == options


def test_the_commands_of_django_are_there() -> None:
    assert set(told("## Django's, that you will need")) <= set(get_commands())


def test_the_targets_are_those_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(told("## Make")) == sorted(f"make {target}" for target in targets)
