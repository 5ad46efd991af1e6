"""HTML whose links lead through us and which ends in a pixel, prepared once for each step.

Only web links of `<a>` elements are led through us: never `mailto:` and the like, and never the way out of the list,
which must work whatever becomes of this server's other pages. What a link leads to is known only with a contact's
values in it, so it is taken out of the finished template and signed then.
"""

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from campaigns.rules.merge_tags import LARGEST_OUTPUT, CompiledTemplate, OutputTooLarge, compile_template

PIXEL_TAG = "{{open_pixel_url}}"
PIXEL_NAME = "open_pixel_url"
PIXEL = f'<img src="{PIXEL_TAG}" width="1" height="1" alt="" style="border:0">'

LONGEST_TARGET = 2_000
"""Characters. A longer link stays as it is: with its signature it would be more than some servers take."""

_TAG = re.compile(r"<a\s[^<>]{1,20000}>", re.IGNORECASE)
_TARGET = re.compile(r"""(\shref\s{0,20}=\s{0,20})(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_WAY_OUT = re.compile(r"\{\{[ \t\r\n]*unsubscribe_url[ \t\r\n]*\}\}")
_WEB = re.compile(r"https?://[^\s\x00-\x1f]+\Z", re.IGNORECASE)
_END_OF_BODY = re.compile(r"</body", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TrackedTemplate:
    """A template cut at its links: `pieces` are the HTML between them, `targets` what they lead to; one piece more."""

    pieces: tuple[CompiledTemplate, ...]
    targets: tuple[CompiledTemplate, ...]

    def render(self, values: Mapping[str, str], track: Callable[[str], str]) -> str:
        """The HTML with `values` in it, and each web link as `track` gives it. Raises OutputTooLarge."""
        parts = [self.pieces[0].render(values)]
        for target, piece in zip(self.targets, self.pieces[1:], strict=True):
            parts += [_tracked(target.render(values), track), piece.render(values)]
        if sum(map(len, parts)) > LARGEST_OUTPUT:
            raise OutputTooLarge(f"The text would have more than {LARGEST_OUTPUT:,} characters.")
        return "".join(parts)


def with_pixel(body: str) -> str:
    """The HTML with a pixel before the last `</body>`, or at its end."""
    position = len(body)
    for closing in _END_OF_BODY.finditer(body):
        position = closing.start()
    return body[:position] + PIXEL + body[position:]


def compile_links(body: str) -> TrackedTemplate:
    """Cut HTML at the targets of its links."""
    pieces, targets, position = [], [], 0
    for start, end in _target_spans(body):
        pieces.append(body[position:start])
        targets.append(body[start:end])
        position = end
    pieces.append(body[position:])
    return TrackedTemplate(
        tuple(compile_template(piece, html=True) for piece in pieces),
        tuple(compile_template(target, html=True) for target in targets),
    )


def _target_spans(body: str) -> list[tuple[int, int]]:
    """Where the targets of links stand that may be led through us."""
    spans = []
    for tag in _TAG.finditer(body):
        found = _TARGET.search(body, tag.start(), tag.end())
        if found is None:
            continue
        start, end = found.span(2) if found.group(2) is not None else found.span(3)
        if not _WAY_OUT.search(body, start, end):
            spans.append((start, end))
    return spans


def _tracked(target: str, track: Callable[[str], str]) -> str:
    """A link's target as it stands in HTML, led through us where it is one of the web."""
    url = html.unescape(target).strip()
    if len(url) > LONGEST_TARGET or not _WEB.match(url):
        return target
    return html.escape(track(url))
