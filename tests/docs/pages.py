"""Reading the pages of the documentation."""

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
DOCS = PROJECT / "docs"


def read(name: str) -> str:
    """A page by its path below docs/."""
    return (DOCS / name).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """What stands under a heading, down to the next one of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    after = f"\n{page}".split(f"\n{heading}\n")
    assert len(after) == 2, f"the page has {len(after) - 1} headings {heading!r}"
    return re.split(rf"^#{{1,{level}}} ", after[1], flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of every table in a text, without heads and back-ticks."""
    found: list[list[str]] = []
    for table in re.findall(r"(?:^\|.*\|\n?)+", text, re.MULTILINE):
        lines = table.strip().splitlines()
        assert re.fullmatch(r"[|:-]+", lines[1]), f"a table without a head: {lines[0]}"
        found += [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines[2:]]
    return found


def bare(cell: str) -> str:
    """A cell without its back-ticks."""
    return cell.replace("`", "")
