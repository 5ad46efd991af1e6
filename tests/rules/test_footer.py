"""The lawful footer: what the law asks for is visible in every template, once."""

import html
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.rules.footer import UNSUBSCRIBE_TAG, with_footer
from campaigns.rules.merge_tags import check_template, compile_template

NAME = "Analytical Engines Ltd"
ADDRESS = "12 Dorset Street\nLondon W1U 6QS"
HTML_FOOTER = (
    '<p style="font-size:12px;color:#666666">Analytical Engines Ltd<br>12 Dorset Street<br>London W1U 6QS<br>'
    '<a href="{{unsubscribe_url}}">Unsubscribe</a></p>\n'
)
templates = st.text(alphabet="abc XYZ,.-\n<&>{}é", max_size=60)
# An account's line is empty or has a word in it.
lines = st.just("") | templates.filter(lambda line: any(map(str.isalpha, line)))


def text_footer(body: str, name: str = NAME, address: str = ADDRESS) -> str:
    return with_footer(None, body, name, address)[1]


def html_footer(body: str, name: str = NAME, address: str = ADDRESS) -> str:
    return both_footers(body, "", name, address)[0]


def both_footers(body_html: str, body_text: str, name: str = NAME, address: str = ADDRESS) -> tuple[str, str]:
    body, text = with_footer(body_html, body_text, name, address)
    assert body is not None
    return body, text


def test_a_text_gets_all_three_below_a_signature_mark() -> None:
    expected = "Hi\n\n-- \nAnalytical Engines Ltd\n12 Dorset Street\nLondon W1U 6QS\nUnsubscribe: {{unsubscribe_url}}\n"
    assert text_footer("Hi\n\n") == expected


def test_an_empty_text_is_only_a_footer() -> None:
    assert text_footer("", "", "") == "-- \nUnsubscribe: {{unsubscribe_url}}\n"


def test_html_gets_all_three_before_the_end_of_the_body() -> None:
    assert html_footer("<body><p>Hi</p></body></html>") == f"<body><p>Hi</p>{HTML_FOOTER}</body></html>"


def test_html_without_a_body_gets_them_at_the_end() -> None:
    assert html_footer("<p>Hi</p>") == f"<p>Hi</p>{HTML_FOOTER}"


@pytest.mark.parametrize("closing", ["</BODY>", "</Body >", "</body\n>"])
def test_the_end_of_the_body_is_found_in_any_spelling(closing: str) -> None:
    assert html_footer(f"Hi{closing}") == f"Hi{HTML_FOOTER}{closing}"


def test_the_last_end_of_a_body_counts() -> None:
    assert html_footer("<!-- </body> -->Hi</body>") == f"<!-- </body> -->Hi{HTML_FOOTER}</body>"


def test_letters_that_grow_in_lower_case_do_not_shift_the_place() -> None:
    assert html_footer("İİİ</body>") == f"İİİ{HTML_FOOTER}</body>"


def test_no_html_stays_no_html() -> None:
    assert with_footer(None, "Hi", NAME, ADDRESS)[0] is None


@pytest.mark.parametrize("tag", ["{{unsubscribe_url}}", "{{ unsubscribe_url }}", "{{unsubscribe_url\n}}"])
def test_a_template_with_its_own_link_gets_no_second_one(tag: str) -> None:
    assert text_footer(f"Stop: {tag}").endswith("-- \nAnalytical Engines Ltd\n12 Dorset Street\nLondon W1U 6QS\n")
    assert "Unsubscribe" not in html_footer(f'<a href="{tag}">stop</a>')


def test_a_template_that_has_all_three_is_left_alone() -> None:
    text = f"Hi\n{NAME}, 12 Dorset Street, London W1U 6QS\n{UNSUBSCRIBE_TAG}"
    body = f"<p>{NAME}</p><p>12 Dorset Street<br>\nLondon W1U&nbsp;6QS</p><a href={UNSUBSCRIBE_TAG}>stop</a>"
    assert both_footers(body, text, NAME, ADDRESS) == (body, text)


def test_text_and_html_are_judged_each_by_itself() -> None:
    body, text = both_footers(f"<p>{UNSUBSCRIBE_TAG}</p>", "Hi", NAME, ADDRESS)
    assert body.count(UNSUBSCRIBE_TAG) == 1
    assert text.count(UNSUBSCRIBE_TAG) == 1


def test_a_link_in_a_comment_is_not_visible() -> None:
    assert html_footer(f"<!-- {UNSUBSCRIBE_TAG} --><p>Hi</p>").count(UNSUBSCRIBE_TAG) == 2


def test_a_link_behind_a_comment_that_never_ends_is_not_visible() -> None:
    assert html_footer(f"<p>Hi</p><!-- {UNSUBSCRIBE_TAG}").count(UNSUBSCRIBE_TAG) == 2


def test_a_link_after_a_comment_is_visible() -> None:
    assert html_footer(f"<!-- a --><!-- b -->{UNSUBSCRIBE_TAG}").count(UNSUBSCRIBE_TAG) == 1


def test_a_name_inside_another_word_is_not_visible() -> None:
    assert "-- \nAda\n" in text_footer("Canada", name="Ada")


def test_a_name_in_the_signature_is_visible() -> None:
    assert "-- \n12 Dorset" in text_footer("Best, Ada", name="Ada")


def test_an_address_in_attributes_is_not_visible() -> None:
    assert html_footer(f'<p title="{ADDRESS}">Hi</p>').count("12 Dorset Street") == 2


def test_the_account_s_own_tags_are_filled_in() -> None:
    text = text_footer("From {{ sender_name }}, {{postal_address}}")
    assert text.startswith(f"From {NAME}, {ADDRESS}\n\n-- \nUnsubscribe: ")


def test_the_account_s_own_tags_are_escaped_in_html() -> None:
    body = html_footer("<p>{{sender_name}}: {{postal_address}}</p>", name="A & B", address="x\n<y>")
    assert body.startswith("<p>A &amp; B: x<br>&lt;y&gt;</p><p style=")
    assert body.count("A &amp; B") == 1


def test_name_and_address_are_escaped_in_html_alone() -> None:
    body, text = both_footers("<p>Hi</p>", "Hi", '"A" & <B>', "x & y")
    assert "&quot;A&quot; &amp; &lt;B&gt;<br>x &amp; y<br>" in body
    assert '"A" & <B>\nx & y\n' in text


def test_line_ends_of_any_kind_break_the_address() -> None:
    assert "\na\nb\nc\n" in text_footer("Hi", address="a\r\nb \r  c\n")


@pytest.mark.parametrize(("name", "address"), [("", ADDRESS), (NAME, ""), ("  ", "\n"), ("", "")])
def test_what_the_account_has_not_filled_in_leaves_no_empty_line(name: str, address: str) -> None:
    assert "\n\n" not in text_footer("Hi", name, address).removeprefix("Hi\n\n")
    assert "<br><br>" not in html_footer("Hi", name, address)


def test_an_address_cannot_bring_a_merge_tag() -> None:
    body, text = both_footers("<p></p>", "", "{{email}}", "{{first_name}}")
    for template in (body, text):
        assert compile_template(template, html=False).names == {"unsubscribe_url"}


@pytest.mark.parametrize("piece", ["<!--", "<", "</body", "{{", "-->", "<!-- -->", " ", ",", "{{unsubscribe_url"])
def test_the_time_is_linear_in_a_megabyte(piece: str) -> None:
    body = piece * (1_000_000 // len(piece))
    started = time.process_time()
    both_footers(body, body, NAME, ADDRESS)
    assert time.process_time() - started < 3.0


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


@given(templates, templates, lines, lines)
def test_every_template_ends_up_with_all_three(body_html: str, body_text: str, name: str, address: str) -> None:
    body, text = both_footers(body_html, body_text, name, address)
    for template in (body, text):
        assert "unsubscribe_url" in compile_template(template, html=False).names
    shown = " ".join(words_of(text))
    assert " ".join(words_of(name)) in shown
    assert " ".join(words_of(address)) in shown


@given(templates, templates, lines, lines)
def test_a_second_footer_adds_nothing(body_html: str, body_text: str, name: str, address: str) -> None:
    once = both_footers(body_html, body_text, name, address)
    assert both_footers(*once, name, address) == once


@given(templates, lines, lines)
def test_a_footer_makes_no_template_malformed(body: str, name: str, address: str) -> None:
    completed, text = both_footers(body, body, name, address)
    if not check_template(body):
        assert check_template(completed) == []
        assert check_template(text) == []


@pytest.mark.parametrize("comment", ["<!-- a -->", "<!---->", "<!-- > -->", "<!-- -- -->", "<!-- <!-- -->"])
def test_what_stands_right_behind_a_comment_is_visible(comment: str) -> None:
    assert html_footer(f"{comment}{UNSUBSCRIBE_TAG}").count(UNSUBSCRIBE_TAG) == 1
    assert html_footer(f"{UNSUBSCRIBE_TAG}{comment}").count(UNSUBSCRIBE_TAG) == 1


def test_the_text_above_the_footer_is_kept_to_the_letter() -> None:
    assert text_footer("  Hi\n\n  there").startswith("  Hi\n\n  there\n\n-- \n")


def test_braces_in_an_address_stay_readable() -> None:
    assert "\n{ {x}}\n" in text_footer("Hi", address="{{x}}")


@pytest.mark.parametrize("name", ["A.B. & Co", "Å-Werk", "M + M"])
def test_a_name_is_recognised_in_the_markup_around_it(name: str) -> None:
    shown = html.escape(name)
    assert html_footer(f"<p>Yours,<br><b>{shown}</b></p>", name=name).count(shown) == 1
