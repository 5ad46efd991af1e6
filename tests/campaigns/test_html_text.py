"""HTML as text: what a reader sees, with merge tags untouched, and no input that costs more than its size."""

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampout.lib.text import find_control_character
from campaigns.html_text import LARGEST_HTML, HtmlRefused, html_to_text
from campaigns.rules.merge_tags import compile_template

MESSAGE = """<!DOCTYPE html>
<html><head><title>No</title><style>p { color: red }</style></head>
<body style="margin: 0"><div style="display:none">Preheader</div>
<p style="padding-left: 9em">Hi {{ first_name }},</p>
<p>we saw <a href="https://example.com/{{company}}?to={{ email }}">your <b>page</b></a> &amp; liked&nbsp;it.<br>Bye</p>
<!-- {{comment}} --><ul><li>one<li>two</ul>
<script>{{script}}</script><a href="{{unsubscribe_url}}">Unsubscribe</a></body></html>"""


def test_a_whole_message_reads_like_one() -> None:
    assert html_to_text(MESSAGE) == (
        "Hi {{ first_name }},\n\n"
        "we saw your page <https://example.com/{{company}}?to={{ email }}> & liked it.\nBye\n\n"
        "  * one\n  * two\n"
        "Unsubscribe <{{unsubscribe_url}}>"
    )


def test_exactly_the_visible_merge_tags_come_through() -> None:
    tags = compile_template(html_to_text(MESSAGE), html=False).names
    assert tags == {"first_name", "company", "email", "unsubscribe_url"}


@pytest.mark.parametrize("body", ["", "  \n", "<!-- x -->", "<style>a{}</style>", "<p hidden>x</p>", "<img alt=x>"])
def test_nothing_to_see_is_the_empty_text(body: str) -> None:
    assert html_to_text(body) == ""


def test_plain_text_stays_as_it_is() -> None:
    assert html_to_text("Hi {{first_name}}, 1 &lt; 2") == "Hi {{first_name}}, 1 < 2"


def test_paragraphs_are_set_apart_by_one_empty_line() -> None:
    assert html_to_text("<p>a</p><p>&nbsp;</p><p></p><br><br><p>b</p>") == "a\n\nb"


@pytest.mark.parametrize(
    ("link", "text"),
    [
        ('<a href="https://x.test">https://x.test</a>', "https://x.test"),
        ('<a href="mailto:a@x.test">a@x.test</a>', "a@x.test"),
        ('<a href="mailto:a@x.test">write</a>', "write <mailto:a@x.test>"),
        ('<a href="tel:+123">call</a>', "call <tel:+123>"),
        ('<a href="HTTP://x.test">x</a>', "x <HTTP://x.test>"),
        ('<a href="{{website}}">x</a>', "x <{{website}}>"),
        ('<a href="https://x.test"><img src="y"></a>', "<https://x.test>"),
        ('<a href="#top">up</a>', "up"),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ('<a href="">x</a>', "x"),
        ("<a name=y>x</a>", "x"),
        ('<a href="https://x.test/\na">x</a>', "x <https://x.test/ a>"),
        ('<a href="https://x.test?a=1&amp;b=2">x</a>y', "x <https://x.test?a=1&b=2>y"),
    ],
)
def test_a_link_shows_its_target_once(link: str, text: str) -> None:
    assert html_to_text(link) == text


@pytest.mark.parametrize("style", ["display:none", "DISPLAY : NONE;color:red", "visibility:hidden", "mso-hide:all"])
def test_hidden_text_is_left_out_and_what_follows_is_kept(style: str) -> None:
    assert html_to_text(f'<p>a<span style="{style}">b<b>c</b></span>d</p>') == "ad"


def test_rows_of_a_table_are_lines() -> None:
    assert html_to_text("<table><tr><td>a</td><th>{{b}}</th></tr><tr><td>c</td></tr></table>d") == "a {{b}}\nc\nd"


def test_a_table_for_layout_leaves_no_trace() -> None:
    assert html_to_text("<table><tr><td><p>a</p><p>b</p></td></tr></table>") == "a\n\nb"


def test_processing_instructions_and_declarations_are_passed_over() -> None:
    assert html_to_text('<?xml version="1.0" encoding="latin-1"?><p>ä</p><?php x ?>y') == "ä\n\ny"


def test_letters_of_all_scripts_are_kept() -> None:
    assert html_to_text("<p>Zoë Łukasz 日本 💌 &eacute;</p>") == "Zoë Łukasz 日本 💌 é"


def test_control_characters_written_as_entities_are_left_out() -> None:
    assert html_to_text("a&#1;b&#x7f;c&#x2028;d&#x0c;e") == "abc d e"


def test_ten_megabytes_are_refused_at_once() -> None:
    started = time.process_time()
    with pytest.raises(HtmlRefused, match="more than 1,000,000 characters; make it shorter"):
        html_to_text("<p>x</p>" * 1_250_000)
    assert time.process_time() - started < 0.5


def test_the_longest_html_is_read() -> None:
    assert len(html_to_text("x" * LARGEST_HTML)) == LARGEST_HTML


@pytest.mark.parametrize("tag", ["<div>", "<b>", "<ul><li>", "<table><tr><td>", "<span><p>"])
def test_deep_nesting_is_refused_with_a_sentence(tag: str) -> None:
    with pytest.raises(HtmlRefused, match="nested too deeply"):
        html_to_text(tag * 50_000 + "x")


def test_nesting_that_mail_really_has_is_read() -> None:
    assert html_to_text("<table><tr><td>" * 30 + "<div>" * 100 + "x") == "x"


def test_text_that_grows_by_its_indentation_is_refused() -> None:
    with pytest.raises(HtmlRefused, match="use fewer nested lists"):
        html_to_text("<ul><li>" * 100 + "<li>a" * 20_000)


@pytest.mark.parametrize(
    "body",
    [
        '<p style="' + "style:" * 100_000 + '">a</p>',
        '<p style="padding-left:1000000000em;margin-top:1000000000em">a</p>',
        '<table><tr><td colspan="1000000000">a</td></tr></table>',
        "<pre>" + " " * 900_000 + "a",
        "<table><tr><td>" + " " * 100_000 + "a</td></tr>" + "<tr><td></td></tr>" * 20_000,
    ],
)
def test_hostile_styling_costs_nothing(body: str) -> None:
    started = time.process_time()
    assert html_to_text(body) == "a"
    assert time.process_time() - started < 5.0


@pytest.mark.parametrize("piece", ["<", "<a", "&", "</p>", "<br>", "<p>", "<!--", "\u00a0", '<a href="http://x">x</a>'])
def test_the_time_is_linear_in_the_size(piece: str) -> None:
    started = time.process_time()
    html_to_text(piece * (200_000 // len(piece)))
    assert time.process_time() - started < 10.0


def test_the_parser_is_only_loaded_when_it_is_needed() -> None:
    code = "import sys, campaigns.html_text; print('lxml' in sys.modules, 'inscriptis' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


@settings(deadline=None)
@given(st.text())
def test_any_text_is_read_into_text_fit_for_a_body(body: str) -> None:
    text = html_to_text(body)
    assert find_control_character(text, multiline=True) is None
    assert text == text.strip()
    assert "\n\n\n" not in text


@settings(deadline=None)
@given(st.lists(st.sampled_from(["<p>", "</p>", "<b>", "<a href='{{u}}'>", "</a>", "<td>", "<li>", "{{x}}", " ", "y"])))
def test_merge_tags_in_the_text_survive_any_markup(pieces: list[str]) -> None:
    body = "".join(pieces)
    assert html_to_text(body).count("{{x}}") == body.count("{{x}}")
