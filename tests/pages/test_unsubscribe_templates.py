"""The pages behind an unsubscribe link: one form, nothing loaded, nothing believed."""

import base64
import re
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from django.template.loader import render_to_string

PAGES = ["unsubscribe.html", "unsubscribed.html", "unsubscribe_invalid.html"]
NAME = "Harbour & Söhne <script>alert(1)</script>"
CONTEXT = {"sender_name": NAME, "action_url": '/u/token"><img src=x>'}

ALLOWED_TAGS = {"html", "head", "meta", "title", "style", "body", "main", "h1", "p", "bdi", "form", "input", "button"}

Tag = tuple[str, dict[str, str | None]]


class TagCollector(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[Tag] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def read_tags(page: str) -> list[Tag]:
    collector = TagCollector()
    collector.feed(page)
    return collector.tags


def named(tags: list[Tag], name: str) -> list[dict[str, str | None]]:
    return [attributes for tag, attributes in tags if tag == name]


@pytest.mark.parametrize("template", PAGES)
def test_nothing_is_loaded_and_nothing_runs(template: str) -> None:
    tags = read_tags(render_to_string(template, CONTEXT))
    assert {tag for tag, _ in tags} <= ALLOWED_TAGS
    assert [name for _, attributes in tags for name in attributes if name in {"src", "href", "style"}] == []


@pytest.mark.parametrize("template", PAGES)
def test_the_policy_allows_exactly_the_style_block(template: str) -> None:
    page = render_to_string(template, CONTEXT)
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    policy = next(meta["content"] for meta in named(read_tags(page), "meta") if "http-equiv" in meta)
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'"


@pytest.mark.parametrize("template", PAGES)
def test_the_page_is_readable_for_everyone(template: str) -> None:
    page = render_to_string(template, CONTEXT)
    tags = read_tags(page)
    metas = {meta["name"]: meta["content"] for meta in named(tags, "meta") if "name" in meta}
    assert page.startswith("<!DOCTYPE html>")
    assert named(tags, "html") == [{"lang": "en"}]
    assert (len(named(tags, "h1")), len(named(tags, "main")), len(named(tags, "title"))) == (1, 1, 1)
    assert metas["viewport"] == "width=device-width, initial-scale=1"
    assert metas["referrer"] == "no-referrer"


def test_the_form_posts_one_click_to_the_given_address() -> None:
    tags = read_tags(render_to_string("unsubscribe.html", CONTEXT))
    assert named(tags, "form") == [{"method": "post", "action": CONTEXT["action_url"]}]
    assert named(tags, "input") == [{"type": "hidden", "name": "List-Unsubscribe", "value": "One-Click"}]
    assert named(tags, "button") == [{"type": "submit"}]


@pytest.mark.parametrize("template", ["unsubscribed.html", "unsubscribe_invalid.html"])
def test_the_other_pages_have_nothing_to_press(template: str) -> None:
    tags = read_tags(render_to_string(template, CONTEXT))
    assert named(tags, "form") + named(tags, "button") == []


@pytest.mark.parametrize("template", ["unsubscribe.html", "unsubscribed.html"])
def test_the_sender_is_named_and_taken_for_text(template: str) -> None:
    page = render_to_string(template, CONTEXT)
    assert "Harbour &amp; Söhne &lt;script&gt;" in page
    assert "<script" not in page


@pytest.mark.parametrize("template", PAGES)
def test_a_sender_without_a_name_leaves_no_gap(template: str) -> None:
    page = render_to_string(template, {"sender_name": "", "action_url": "/u/token"})
    visible = re.sub(r"<[^>]+>", "", page.partition("<main>")[2])
    assert not re.search(r"from\s*\?|,\s+will|\s{2,}will|None", visible.replace("\n", " "))
    assert "his sender" in visible or template == "unsubscribe_invalid.html"
