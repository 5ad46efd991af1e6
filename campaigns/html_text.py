"""The plain-text part of a message, made from its HTML once for each step.

Merge tags come through as they stand. Tables are read as rows and not drawn as columns: in mail they carry layout, and
columns would be as wide as the tags rather than the values.
"""

import re
from typing import Any

LARGEST_HTML = 1_000_000
"""Characters; also of the text that comes out, and no more than one rendered template may have."""

_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all", re.IGNORECASE)
_SHOWN_TARGET = re.compile(r"(?:https?|mailto|tel):.|\{\{", re.IGNORECASE)
_LINE_END = re.compile("[\r\x0b\x0c\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_EMPTY_LINES = re.compile(r"\n{3,}")


class HtmlRefused(ValueError):
    """The HTML cannot be read as text; the message says what its author can do about it."""


def html_to_text(body: str) -> str:
    """`body` as text without a line end at its end: links as `text <target>`, no pictures, nothing that is hidden.

    Raises HtmlRefused when it has, or would give, more than LARGEST_HTML characters, or is nested too deeply.
    """
    if len(body) > LARGEST_HTML:
        raise HtmlRefused(f"The HTML has more than {LARGEST_HTML:,} characters; make it shorter.")
    tree = _parse(body)
    if tree is None:
        return ""
    _prepare(tree)
    text = _tidy(_draw(tree))
    if len(text) > LARGEST_HTML:
        raise HtmlRefused(f"The text of the HTML has more than {LARGEST_HTML:,} characters; use fewer nested lists.")
    return text


def _tidy(text: str) -> str:
    """`text` without what entities may have brought (`&#1;` is a control character) and without blanks at line ends."""
    text = _CONTROL.sub("", _LINE_END.sub("\n", text)).replace("\u00a0", " ")
    # Not by a regular expression: its search for blanks at a line's end is quadratic in blanks that are elsewhere.
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return _EMPTY_LINES.sub("\n\n", lines).strip()


def _parse(body: str) -> Any:
    """The document's root element, None when there is nothing to show.

    libxml2 stops at a depth of 256 and keeps what it has read; a text without its end would be sent, so it is refused.
    """
    from lxml import etree  # type: ignore[import-untyped]  # noqa: PLC0415  # heavy, and needed by few processes

    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    tree = etree.fromstring(body.encode("utf-8", "replace"), parser)
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
        raise HtmlRefused("The HTML is nested too deeply (more than 250 elements in each other); make it flatter.")
    return tree


def _prepare(tree: Any) -> None:
    """Take out what is hidden and all other styling, and write each link's target behind its text."""
    for element in list(tree.iter()):
        style = element.attrib.pop("style", "")
        if ("hidden" in element.attrib or _HIDDEN.search(style)) and element.getparent() is not None:
            _take_out(element)
        elif element.tag == "a":
            _append(element, _target_of(element))


def _take_out(element: Any) -> None:
    """Empty `element` but leave it in its place, so that the text behind it stays."""
    tail = element.tail
    element.clear()
    element.tail = tail


def _target_of(link: Any) -> str:
    target = " ".join(link.get("href", "").split())
    shown = "".join(link.itertext()).strip()
    if not _SHOWN_TARGET.match(target) or target.removeprefix("mailto:") == shown or target == shown:
        return ""
    return f" <{target}>" if shown else f"<{target}>"


def _append(element: Any, text: str) -> None:
    """Put `text` behind all that `element` holds."""
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def _draw(tree: Any) -> str:
    from inscriptis.css_profiles import STRICT_CSS_PROFILE  # noqa: PLC0415  # as above
    from inscriptis.html_engine import Inscriptis  # noqa: PLC0415
    from inscriptis.html_properties import Display  # noqa: PLC0415
    from inscriptis.model.config import ParserConfig  # noqa: PLC0415
    from inscriptis.model.html_element import HtmlElement  # noqa: PLC0415
    from inscriptis.model.tag import CustomHtmlTagHandlerMapping  # noqa: PLC0415

    row, cell = HtmlElement(display=Display.block), HtmlElement(suffix=" ")
    undrawn = dict.fromkeys(("table", "tr", "td", "th"), _ignore)
    config = ParserConfig(
        css=STRICT_CSS_PROFILE | {"tr": row, "td": cell, "th": cell, "table": row},
        custom_html_tag_handler_mapping=CustomHtmlTagHandlerMapping(start_tag_mapping=undrawn, end_tag_mapping=undrawn),
    )
    return str(Inscriptis(tree, config).get_text())


def _ignore(*_arguments: Any) -> None:
    """Stand in for the handlers that draw tables."""
