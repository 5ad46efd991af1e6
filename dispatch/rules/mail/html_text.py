"""HTML to plain text, in one pass: enough to read what a mail says, never a renderer.

Blocks become lines, cells are parted by a blank, quotations get `> ` in front, and the address of a `mailto:` link is
kept where the link's own words do not show it.
"""

import html
import re

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]{0,30})([^<>]*)>?|<[!?][^<>]*>?")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});?")
_MAILTO = re.compile(r"href\s{0,5}=\s{0,5}[\"']?mailto:([^\"'\s>?]{1,320})", re.IGNORECASE)
_HIDDEN_TAG = re.compile(r"<(script|style|head|template)\b|<!--", re.IGNORECASE)
_BREAKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "br", "center", "dd", "div", "dl", "dt", "fieldset"),
        *("footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "option"),
        *("p", "pre", "section", "table", "tr", "ul"),
    },
)
_DEEPEST_QUOTE = 20


def html_to_text(source: str) -> str:
    """The words of `source` line by line, never two blank lines in a row, none at its ends."""
    page = _Page()
    visible = _without_hidden(source)
    position = 0
    for match in _TAG.finditer(visible):
        page.add_text(visible[position : match.start()])
        position = match.end()
        if match[2]:
            page.add_tag(match[2].lower(), match[3], closing=bool(match[1]))
    page.add_text(visible[position:])
    page.end_line()
    return "\n".join(page.lines).strip("\n")


def decode_entities(text: str) -> str:
    """`text` with its character references replaced; absurdly long ones stay."""
    if "&" not in text:
        return text
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text)


class _Page:
    """The lines so far, and the words of the line that is being filled."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._words: list[str] = []
        self._quotes = 0
        self._link = ""
        self._link_start = 0

    def add_text(self, text: str) -> None:
        if text:
            self._words.append(decode_entities(text))

    def add_tag(self, name: str, attributes: str, *, closing: bool) -> None:
        """A tag: a line may end here, a quotation or link begin or end."""
        if name == "a":
            self._end_link()
            link = None if closing else _MAILTO.search(attributes)
            self._link, self._link_start = (link[1] if link else ""), len(self._words)
        elif name in {"td", "th"}:
            self._words.append(" ")
        elif name in _BREAKS:
            self.end_line()
        if name == "blockquote":
            self._quotes = min(max(self._quotes + (-1 if closing else 1), 0), _DEEPEST_QUOTE)
        elif name == "p" and self.lines and self.lines[-1].strip("> "):
            self.lines.append("> " * self._quotes)

    def end_line(self) -> None:
        """Puts the words on a line of their own; a line of nothing is no line."""
        self._end_link()
        line = " ".join("".join(self._words).replace("\xa0", " ").split())
        self._words = []
        self._link_start = 0
        if line:
            self.lines.append("> " * self._quotes + line)

    def _end_link(self) -> None:
        if self._link and self._link.lower() not in "".join(self._words[self._link_start :]).lower():
            self._words.append(f" <{self._link}> ")
        self._link = ""


def _without_hidden(source: str) -> str:
    """`source` without comments, scripts, styles and its head; what is never closed stays, but for its tag."""
    pieces: list[str] = []
    unclosed: set[str] = set()
    position = 0
    lowered = source.lower() if len(source.lower()) == len(source) else source
    while match := _HIDDEN_TAG.search(source, position):
        pieces.append(source[position : match.start()])
        closing = f"</{match[1].lower()}" if match[1] else "-->"
        # A look for an end that is not there is paid for once.
        end = -1 if closing in unclosed else lowered.find(closing, match.end())
        if end < 0:
            unclosed.add(closing)
        position = match.end() if end < 0 else end + len(closing)
        pieces.append(" <i" if match[1] else " ")
    pieces.append(source[position:])
    return "".join(pieces)
