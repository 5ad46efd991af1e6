"""The lawful footer: who writes, from which postal address, and how to hear no more of it.

It works on templates, once for each step, so that no message pays for it. The way out stays a merge tag; the sender's
name and address are put in as they are.
"""

import html
import re

UNSUBSCRIBE_TAG = "{{unsubscribe_url}}"

_UNSUBSCRIBE = re.compile(r"\{\{[ \t\r\n]*unsubscribe_url[ \t\r\n]*\}\}")
_ACCOUNT_TAG = re.compile(r"\{\{[ \t\r\n]*(sender_name|postal_address)[ \t\r\n]*\}\}")
_END_OF_BODY = re.compile(r"</body", re.IGNORECASE)
_LINE_END = re.compile(r"[ \t]*(?:\r\n|\r|\n)[ \t]*")
_BETWEEN_WORDS = re.compile(r"\W+")
_MARKUP = re.compile(r"<[^<>]*>")


def with_footer(body_html: str | None, body_text: str, sender_name: str, postal_address: str) -> tuple[str | None, str]:
    """Both templates, each completed by what it lacks of unsubscribe link, sender's name and postal address.

    1. `{{sender_name}}` and `{{postal_address}}` are the account's, not the contact's: they are put in here.
    2. What a reader can already see (a comment is not seen) is not said again.
    3. The rest goes to the end; in HTML before the last `</body>`.

    An account without name or address gets a footer without that line. `body_html` of None stays None.
    """
    name, address = _inert(sender_name), _inert(postal_address)
    text = _complete_text(_fill(body_text, name, address), name, address)
    if body_html is None:
        return None, text
    return _complete_html(_fill(body_html, _as_html(name), _as_html(address)), name, address), text


def _complete_text(body: str, name: str, address: str) -> str:
    lines = [line for line in (name, address) if line and not _shows(body, line)]
    if not _UNSUBSCRIBE.search(body):
        lines.append(f"Unsubscribe: {UNSUBSCRIBE_TAG}")
    if not lines:
        return body
    # "-- " is what mail software knows as the start of a signature (RFC 3676, section 4.3).
    return "\n".join([body.rstrip(), "", "-- ", *lines, ""]).lstrip("\n")


def _complete_html(body: str, name: str, address: str) -> str:
    visible = _without_comments(body)
    # Compared as a reader sees it: entities resolved, line breaks and tags taken for blanks.
    seen = html.unescape(_MARKUP.sub(" ", visible))
    lines = [_as_html(line) for line in (name, address) if line and not _shows(seen, line)]
    if not _UNSUBSCRIBE.search(visible):
        lines.append(f'<a href="{UNSUBSCRIBE_TAG}">Unsubscribe</a>')
    if not lines:
        return body
    footer = f'<p style="font-size:12px;color:#666666">{"<br>".join(lines)}</p>\n'
    position = _last_end_of_body(body)
    return body[:position] + footer + body[position:]


def _last_end_of_body(body: str) -> int:
    """Where the footer goes; the end of the text when the body is not closed."""
    position = len(body)
    for closing in _END_OF_BODY.finditer(body):
        position = closing.start()
    return position


def _without_comments(body: str) -> str:
    """`body` less its comments; one that is never closed hides all that follows, as in a browser."""
    kept, position = [], 0
    while (start := body.find("<!--", position)) != -1:
        kept.append(body[position:start])
        end = body.find("-->", start + 4)
        position = len(body) if end == -1 else end + 3
    kept.append(body[position:])
    return "".join(kept)


def _shows(body: str, line: str) -> bool:
    """Whether the words of `line` stand in `body`, whole and in this order, whatever is between them."""
    return _words(line) in _words(body)


def _words(text: str) -> str:
    return f" {_BETWEEN_WORDS.sub(' ', text).strip()} ".casefold()


def _inert(value: str) -> str:
    """`value` with `\\n` line ends, and with braces that can no longer be taken for a merge tag."""
    return _LINE_END.sub("\n", value.strip()).replace("{{", "{ {")


def _as_html(value: str) -> str:
    return html.escape(value).replace("\n", "<br>")


def _fill(body: str, name: str, address: str) -> str:
    known = {"sender_name": name, "postal_address": address}
    return _ACCOUNT_TAG.sub(lambda tag: known[tag.group(1)], body)
