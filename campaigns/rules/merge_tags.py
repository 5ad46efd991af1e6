"""Merge tags: `{{first_name}}` in a template becomes the contact's value.

Nothing is evaluated. A tag is a name between double braces, with or without blanks; a value that is missing is empty;
a value that looks like a tag stays as it is, because a template is cut apart once, before any value is known. Both
steps take time linear in the size of the text.
"""

import html
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ampout.lib.text import find_control_character, looks_like_encoded_word

LARGEST_OUTPUT = 1_000_000
"""Characters of one rendered template, and of the template itself."""

LONGEST_NAME = 64
"""Characters of a tag's name, hence of a custom field's."""

MOST_PROBLEMS = 20
"""A text that is no template at all is not listed brace by brace."""

_NAME = rf"[A-Za-z_][A-Za-z0-9_]{{0,{LONGEST_NAME - 1}}}"
_FIELD_NAME = re.compile(_NAME)
_TAG = re.compile(rf"\{{\{{[ \t\r\n]*({_NAME})[ \t\r\n]*\}}\}}")
_OPENING = re.compile(r"\{\{|\{%")
# What find_control_character refuses in one line: the second wall, should a value have come in by another door.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class OutputTooLarge(ValueError):
    """A template with these values in it would be longer than LARGEST_OUTPUT."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a template cannot be saved: the `line` (from 1), the `excerpt` meant, and a sentence for its author."""

    line: int
    excerpt: str
    message: str


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A template cut at its tags.

    `parts` are the literals, with an empty one where each tag stood; `slots` say which name belongs into which part;
    `counts` how often each name occurs; `literal_size` is the number of characters in all literals.
    """

    parts: tuple[str, ...]
    slots: tuple[tuple[int, str], ...]
    counts: tuple[tuple[str, int], ...]
    literal_size: int
    escaped: bool

    @property
    def names(self) -> frozenset[str]:
        """The names of the tags that occur."""
        return frozenset(name for name, _ in self.counts)

    def render(self, values: Mapping[str, str]) -> str:
        """The text with `values` in place of the tags. Raises OutputTooLarge before any of it is built."""
        prepare = _escaped if self.escaped else _one_line
        ready = {name: prepare(values.get(name, "")) for name, _ in self.counts}
        if self.literal_size + sum(len(ready[name]) * count for name, count in self.counts) > LARGEST_OUTPUT:
            raise OutputTooLarge(f"The text would have more than {LARGEST_OUTPUT:,} characters.")
        parts = list(self.parts)
        for index, name in self.slots:
            parts[index] = ready[name]
        return "".join(parts)


def compile_template(text: str, *, html: bool) -> CompiledTemplate:
    """Cut `text` at its tags; with `html`, values will be escaped. What is not a well-formed tag stays as written."""
    pieces = _TAG.split(text)
    names = pieces[1::2]
    literals = ("" if index % 2 else piece for index, piece in enumerate(pieces))
    return CompiledTemplate(
        parts=tuple(literals),
        slots=tuple((2 * index + 1, name) for index, name in enumerate(names)),
        counts=tuple(Counter(names).items()),
        literal_size=sum(map(len, pieces[::2])),
        escaped=html,
    )


def is_field_name(name: str) -> bool:
    """Whether a merge tag can bear this name: ASCII letters, digits and underscores, no digit first, at most 64."""
    return _FIELD_NAME.fullmatch(name) is not None


def check_template(text: str, *, multiline: bool = True) -> list[Problem]:
    """What an author must mend before `text` can be saved; empty when nothing is wrong.

    `multiline` is for bodies; a subject is one line, and must not hold what mail software could decode (RFC 2047).
    """
    if len(text) > LARGEST_OUTPUT:
        return [Problem(1, "", f"It has more than {LARGEST_OUTPUT:,} characters; make it shorter.")]
    return [*_unusable_characters(text, multiline=multiline), *_malformed_tags(text)]


def _unusable_characters(text: str, *, multiline: bool) -> list[Problem]:
    problems = []
    if found := find_control_character(text, multiline=multiline):
        problems.append(Problem(1, "", f"It contains the control character {found}; remove it."))
    if not multiline and looks_like_encoded_word(text):
        problems.append(Problem(1, "", 'It contains "=?…?q?" or "=?…?b?", which mail software decodes; remove it.'))
    return problems


def _malformed_tags(text: str) -> list[Problem]:
    """One problem for each `{{` or `{%` that does not begin a tag. `}}` alone is no tag: style sheets end so."""
    problems: list[Problem] = []
    position = 0
    while len(problems) < MOST_PROBLEMS and (opening := _OPENING.search(text, position)):
        tag = _TAG.match(text, opening.start())
        position = tag.end() if tag else opening.end()
        if tag is None:
            problems.append(_malformed(text, opening.start()))
    return problems


def _malformed(text: str, start: int) -> Problem:
    excerpt = text[start : start + 40].split("\n", 1)[0].rstrip()
    closing = excerpt.find("%}" if excerpt.startswith("{%") else "}}")
    if closing != -1:
        excerpt = excerpt[: closing + 2]
    message = f'"{excerpt}" is not a merge tag; write {{{{first_name}}}}, with letters, digits and underscores only.'
    return Problem(text.count("\n", 0, start) + 1, excerpt, message)


def _one_line(value: str) -> str:
    return value if value.isprintable() else _CONTROL.sub(" ", value)


def _escaped(value: str) -> str:
    return html.escape(_one_line(value))
