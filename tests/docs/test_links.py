"""Every page can be reached, and every link in it leads somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PROJECT

PAGES = sorted([*DOCS.rglob("*.md"), *PROJECT.glob("*.md")])
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_MACHINE = re.compile(r"/root\b|/work\b|/home/|/tmp/|/Users/|[A-Z]:\\")


def name_of(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def prose(path: Path) -> str:
    """A page without its blocks of code, in which brackets are no links."""
    return re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def relative_links(path: Path) -> Iterator[tuple[Path, str]]:
    """The file and the heading that each link to this project means."""
    for target in _LINK.findall(prose(path)):
        if not re.match(r"[a-z]+:", target):
            file, _, heading = target.partition("#")
            yield ((path.parent / file).resolve() if file else path), heading


def anchors(path: Path) -> set[str]:
    """The headings of a page as its web addresses name them: small letters, no punctuation, hyphens for blanks."""
    titles = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in titles]
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_link_is_dead(page: Path) -> None:
    dead = [
        f"{name_of(file) if file.is_relative_to(PROJECT) else file}#{heading}"
        for file, heading in relative_links(page)
        if not file.exists() or (heading and heading not in anchors(file))
    ]
    assert dead == []


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=name_of)
def test_the_index_links_every_page(page: Path) -> None:
    index = DOCS / "index.md"
    assert page == index or page in [file for file, _ in relative_links(index)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_names_a_path_of_some_machine(page: Path) -> None:
    assert _MACHINE.findall(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_page_has_one_title(page: Path) -> None:
    assert len(re.findall(r"^# ", prose(page), re.MULTILINE)) == 1


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_have_no_comments_because_zsh_reads_them_as_words(page: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert [line for block in blocks for line in block.splitlines() if re.search(r"(^|\s)#", line)] == []
