"""Merge tags: one pass, nothing evaluated, nothing expanded twice, and an author told what is wrong."""

import html
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.rules.merge_tags import (
    LARGEST_OUTPUT,
    MOST_PROBLEMS,
    OutputTooLarge,
    check_template,
    compile_template,
    is_field_name,
)

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,63}", fullmatch=True)
printable = st.text(st.characters(exclude_categories=("C", "Zl", "Zp", "Zs")))


def render(text: str, *, html: bool = False, **values: str) -> str:
    return compile_template(text, html=html).render(values)


def messages(text: str, *, multiline: bool = True) -> list[str]:
    return [problem.message for problem in check_template(text, multiline=multiline)]


def test_a_tag_becomes_the_value() -> None:
    assert render("Hi {{first_name}}!", first_name="Ada") == "Hi Ada!"


def test_blanks_and_line_ends_inside_a_tag_do_not_matter() -> None:
    assert render("{{ a }}{{\ta\n}}{{a }}", a="x") == "xxx"


def test_a_missing_value_is_empty() -> None:
    assert render("Hi {{first_name}}{{company}}!") == "Hi !"


def test_custom_fields_are_tags_like_any_other() -> None:
    assert render("{{Job_Title2}} {{_x}}", Job_Title2="CTO", _x="y") == "CTO y"


def test_names_are_compared_by_case() -> None:
    assert render("{{Industry}}", industry="mail") == ""


def test_tags_stand_side_by_side() -> None:
    assert render("{{a}}{{b}}{{a}}", a="1", b="2") == "121"


def test_a_text_without_tags_is_itself() -> None:
    assert render("a { b } {{ }} c") == "a { b } {{ }} c"


def test_the_empty_text_is_itself() -> None:
    assert render("") == ""


def test_a_value_is_never_expanded() -> None:
    assert render("{{a}} {{b}}", a="{{b}}", b="{{a}}") == "{{b}} {{a}}"


def test_values_cannot_join_into_a_tag() -> None:
    assert render("{{a}}{{b}}", a="{{", b="a}}") == "{{a}}"


def test_a_value_in_html_is_escaped() -> None:
    escaped = "&lt;b&gt;&amp;&quot;&#x27;"
    assert render("<p>{{a}}</p>", html=True, a="<b>&\"'") == f"<p>{escaped}</p>"


def test_a_value_in_text_is_not_escaped() -> None:
    assert render("{{a}}", a="<b>&\"'") == "<b>&\"'"


def test_the_template_itself_is_not_escaped() -> None:
    assert render("<b>&amp;</b>", html=True) == "<b>&amp;</b>"


@pytest.mark.parametrize("character", ["\r\n", "\n", "\r", "\x00", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"])
def test_control_characters_in_a_value_become_a_blank(character: str) -> None:
    assert render("{{a}}", a=f"x{character}Bcc: y") == "x Bcc: y"


def test_other_blanks_and_letters_of_all_scripts_are_kept() -> None:
    value = "Zoë\u00a0Łukasz 💌 \u200d"
    assert render("{{a}}", a=value) == value


@pytest.mark.parametrize(
    "text",
    [
        "{{ x|upper }}",
        "{{ x.y }}",
        "{{ x['y'] }}",
        "{{ 7*7 }}",
        "{{ settings.SECRET_KEY }}",
        "{{ x.__class__.__mro__ }}",
        "{% for i in x %}{{",
        "{% include '/etc/passwd' %}",
        "${x}",
        "#{x}",
        "{{Prénom}}",
        "{{first name}}",
        "{{1st}}",
        "{{}}",
        "{{x}",
        "{{" + "a" * 65 + "}}",
    ],
)
def test_what_is_not_a_tag_is_left_as_written(text: str) -> None:
    assert render(text, x="EVALUATED", first="EVALUATED") == text


def test_a_compiled_template_tells_its_names() -> None:
    assert compile_template("{{a}} {{b}} {{ a }} {{c d}}", html=False).names == {"a", "b"}


def test_a_compiled_template_is_used_many_times() -> None:
    template = compile_template("{{a}}-{{a}}", html=False)
    assert [template.render({"a": value}) for value in "xy"] == ["x-x", "y-y"]


def test_output_up_to_the_cap_is_rendered() -> None:
    assert len(render("{{a}}" * 1_000, a="x" * 1_000)) == LARGEST_OUTPUT


def test_output_above_the_cap_is_refused() -> None:
    with pytest.raises(OutputTooLarge, match="more than 1,000,000 characters"):
        render("{{a}}" * 1_000 + "!", a="x" * 1_000)


def test_escaping_counts_towards_the_cap() -> None:
    with pytest.raises(OutputTooLarge):
        render("{{a}}" * 500, html=True, a='"' * 1_000)


def test_a_bomb_is_refused_before_it_is_built() -> None:
    template = compile_template("{{a}}" * 200_000, html=False)
    started = time.process_time()
    with pytest.raises(OutputTooLarge):
        template.render({"a": "x" * 1_000_000})
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("piece", ["{", "{{", "{{ ", "{{a", "{{a ", "}}", "{{a}}", "{{" + "a" * 60, "{%", "{{{a}}}"])
def test_every_step_is_linear_in_a_megabyte(piece: str) -> None:
    text = piece * (LARGEST_OUTPUT // len(piece))
    started = time.process_time()
    check_template(text)
    compile_template(text, html=True)
    assert time.process_time() - started < 2.0


def test_a_good_template_has_no_problems() -> None:
    assert check_template("Hi {{ first_name }},\n\tsee {{company}}.\r\n") == []


@pytest.mark.parametrize(
    ("text", "excerpt"),
    [
        ("{{ x|upper }} y", "{{ x|upper }}"),
        ("{% if x %} y", "{% if x %}"),
        ("{{first name}}", "{{first name}}"),
        ("{{}}", "{{}}"),
        ("{{{x}}}", "{{{x}}"),
        ("{{x} and on", "{{x} and on"),
        ("{{x\nand on", "{{x"),
        ("{{" + "a" * 100, "{{" + "a" * 38),
    ],
)
def test_a_malformed_tag_is_quoted_to_its_author(text: str, excerpt: str) -> None:
    (problem,) = check_template(text)
    assert problem.excerpt == excerpt
    assert problem.message.startswith(f'"{excerpt}" is not a merge tag; write {{{{first_name}}}}')


def test_a_problem_names_its_line() -> None:
    assert [problem.line for problem in check_template("{{a}}\n{{b|c}}\n\n{{d e}}")] == [2, 4]


def test_good_tags_beside_a_bad_one_are_not_reported() -> None:
    assert len(check_template("{{a}}{{b c}}{{d}}")) == 1


def test_style_sheets_are_not_taken_for_tags() -> None:
    assert check_template("<style>@media print { a { color: red }}</style>") == []


def test_problems_are_reported_up_to_a_number() -> None:
    assert len(check_template("{{!}}" * 1_000)) == MOST_PROBLEMS


def test_a_template_too_long_to_render_is_refused() -> None:
    assert messages("x" * (LARGEST_OUTPUT + 1)) == ["It has more than 1,000,000 characters; make it shorter."]


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\u2028", "\ud800"])
def test_a_control_character_in_a_body_is_named(character: str) -> None:
    (message,) = messages(f"a{character}b")
    assert message.startswith(f"It contains the control character U+{ord(character):04X}")


@pytest.mark.parametrize("text", ["a\r\nBcc: b", "a\nb", "a\rb", "a\tb", "a\x00b"])
def test_a_subject_is_one_line(text: str) -> None:
    assert len(check_template(text, multiline=False)) == 1


def test_line_ends_belong_in_a_body() -> None:
    assert check_template("a\r\nb\nc\td") == []


def test_an_encoded_word_has_no_place_in_a_subject() -> None:
    (message,) = messages("Hi =?UTF-8?Q?=0A?=Bcc: x@example.com 💩", multiline=False)
    assert "mail software decodes" in message


def test_an_encoded_word_in_a_body_is_just_text() -> None:
    assert check_template("=?utf-8?q?x?=") == []


@pytest.mark.parametrize("name", ["a", "_", "A1_", "x" * 64])
def test_names_a_tag_can_bear(name: str) -> None:
    assert is_field_name(name)


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "é", "a\n", "x" * 65, "a.b"])
def test_names_no_tag_can_bear(name: str) -> None:
    assert not is_field_name(name)


@given(st.text())
def test_any_text_can_be_checked_compiled_and_rendered(text: str) -> None:
    check_template(text)
    compile_template(text, html=True).render({})


@given(st.text(alphabet="ab{}|% \n\u00e9").filter(lambda text: "{{" not in text))
def test_a_text_without_double_braces_never_changes(text: str) -> None:
    assert render(text, a="EVALUATED", b="EVALUATED") == text


@given(names, printable)
def test_any_name_takes_any_value(name: str, value: str) -> None:
    assert compile_template(f"<{{{{{name}}}}}>", html=False).render({name: value}) == f"<{value}>"


@given(st.lists(st.tuples(names, st.text(alphabet="ab{}% ")), min_size=1))
def test_rendering_is_the_literals_and_values_in_order(pairs: list[tuple[str, str]]) -> None:
    literals = [f"[{literal}]".replace("{{", "") for _, literal in pairs]
    template = "".join(f"{literal}{{{{{name}}}}}" for literal, (name, _) in zip(literals, pairs, strict=True))
    values = dict(pairs)
    expected = "".join(literal + values[name] for literal, (name, _) in zip(literals, pairs, strict=True))
    assert compile_template(template, html=False).render(values) == expected


@given(st.text())
def test_an_escaped_value_reads_as_the_plain_one(value: str) -> None:
    plain = compile_template("{{a}}", html=False).render({"a": value})
    escaped = compile_template("{{a}}", html=True).render({"a": value})
    assert html.unescape(escaped) == plain
    assert not set(escaped) & set("<>\"'")


@given(st.text())
def test_no_value_brings_a_control_character(value: str) -> None:
    rendered = compile_template("{{a}}", html=False).render({"a": value})
    assert check_template(rendered.replace("{", "").replace("=?", ""), multiline=False) == []


@given(st.text(alphabet="{}% ax|\n"))
def test_a_checked_template_renders_without_braces_left(text: str) -> None:
    if not check_template(text):
        assert "{{" not in compile_template(text, html=False).render({})


def test_problems_of_a_whole_text_stand_on_its_first_line() -> None:
    too_long, control = check_template("x" * 1_000_001), check_template("x\ny\x00")
    assert [(problem.line, problem.excerpt) for problem in (*too_long, *control)] == [(1, ""), (1, "")]
    assert [(problem.line, problem.excerpt) for problem in check_template("=?utf-8?q?", multiline=False)] == [(1, "")]


def test_a_template_of_a_million_characters_is_the_longest() -> None:
    assert check_template("x" * 1_000_000) == []


def test_a_tag_on_the_first_line_is_said_to_be_there() -> None:
    assert [problem.line for problem in check_template("{{a b}}\n{{c d}}\n")] == [1, 2]


def test_twenty_problems_are_reported() -> None:
    assert len(check_template("{{!}}" * 21)) == 20


def test_a_control_character_and_a_bad_tag_are_both_told() -> None:
    assert len(check_template("\x00{{a b}}")) == 2


def test_a_compiled_template_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        compile_template("x", html=True).escaped = False  # type: ignore[misc]
