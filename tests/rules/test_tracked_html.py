"""HTML whose links lead through us and which ends in a pixel."""

import html
import re
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.rules.merge_tags import LARGEST_OUTPUT, OutputTooLarge
from dispatch.rules.tracked_html import LONGEST_TARGET, PIXEL, compile_links, with_pixel


def track(url: str) -> str:
    return f"https://t.example/?u={url}"


def rendered(body: str, **values: str) -> str:
    return compile_links(body).render(values, track)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<a href="https://x.example/">x</a>', '<a href="https://t.example/?u=https://x.example/">x</a>'),
        ("<a href='http://x.example/'>x</a>", "<a href='https://t.example/?u=http://x.example/'>x</a>"),
        (
            '<A class=b HREF = "HTTPS://X.example">x</A>',
            '<A class=b HREF = "https://t.example/?u=HTTPS://X.example">x</A>',
        ),
        (
            '<a href="https://x.example/?a=1&amp;b=2">x</a>',
            '<a href="https://t.example/?u=https://x.example/?a=1&amp;b=2">x</a>',
        ),
        (
            '<a href="https://x.example/?n={{name}}">x</a>',
            '<a href="https://t.example/?u=https://x.example/?n=A&amp;B&quot;">x</a>',
        ),
        ('<a href="{{link}}">x</a>', '<a href="https://t.example/?u=https://own.example/">x</a>'),
    ],
)
def test_web_links_lead_through_us(before: str, after: str) -> None:
    assert rendered(before, name='A&B"', link="https://own.example/") == after


@pytest.mark.parametrize(
    "body",
    [
        '<a href="mailto:a@b.example">x</a>',
        '<a href="tel:+49">x</a>',
        '<a href="javascript:alert(1)">x</a>',
        '<a href="#top">x</a>',
        '<a href="/relative">x</a>',
        '<a href="">x</a>',
        "<a href=https://unquoted.example/>x</a>",
        '<a name="x">x</a>',
        '<a href="https://two words.example/">x</a>',
        '<img src="https://x.example/a.png">',
        '<link href="https://x.example/a.css">',
        '<area href="https://x.example/">',
        '<abbr href="https://x.example/">',
        "no html at all https://x.example/",
        f'<a href="https://x.example/{"y" * LONGEST_TARGET}">x</a>',
    ],
)
def test_everything_else_stays_as_it_is(body: str) -> None:
    assert rendered(body) == body


@pytest.mark.parametrize("tag", ["{{unsubscribe_url}}", "{{ unsubscribe_url }}"])
def test_the_way_out_never_leads_through_us(tag: str) -> None:
    body = f'<a href="{tag}">out</a> <a href="https://x.example/">x</a>'
    assert rendered(body, unsubscribe_url="https://u.example/u/1").startswith('<a href="https://u.example/u/1">')


def test_what_a_value_leads_to_is_a_web_address_or_stays() -> None:
    assert rendered('<a href="{{link}}">x</a>', link="javascript:alert(1)") == '<a href="javascript:alert(1)">x</a>'


@given(st.text(alphabet="<a href='\">=https://x.{}&;\n\r/", max_size=200))
def test_without_tracking_the_bytes_are_those_of_the_template(body: str) -> None:
    template = compile_links(body)
    joined = "".join(
        "".join(piece.parts)
        for pair in zip(template.pieces, (*template.targets, None), strict=True)
        for piece in pair
        if piece is not None
    )
    assert joined == body


@given(st.text(max_size=100))
def test_a_value_never_breaks_out_of_its_attribute(value: str) -> None:
    body = rendered('<a href="https://x.example/{{v}}">x</a>', v=value)
    assert re.fullmatch(r'<a href="[^"<>]*">x</a>', body, re.DOTALL), body
    assert "t.example" in body or not html.unescape(body).isprintable() or " " in body


def test_what_links_add_counts_towards_the_largest_message() -> None:
    template = compile_links('<a href="https://x.example/">x</a>' * 20_000)
    with pytest.raises(OutputTooLarge):
        template.render({}, lambda url: url + "y" * 60)
    assert LARGEST_OUTPUT == 1_000_000


def test_hostile_html_costs_time_in_proportion() -> None:
    def seconds(size: int) -> float:
        started = perf_counter()
        compile_links("<a " + "href=" * size)
        compile_links("<a href='" * size)
        return perf_counter() - started

    seconds(100)
    assert seconds(20_000) < 40 * seconds(2_000) + 0.05


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<p>x</p>", f"<p>x</p>{PIXEL}"),
        ("<body><p>x</p></body></html>", f"<body><p>x</p>{PIXEL}</body></html>"),
        ("</body><BODY></BODY>", f"</body><BODY>{PIXEL}</BODY>"),
        ("", PIXEL),
    ],
)
def test_the_pixel_stands_at_the_end_of_the_body(body: str, expected: str) -> None:
    assert with_pixel(body) == expected
