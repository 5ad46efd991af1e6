"""One mail, read within fixed bounds (promise 3.2): never raises, linear in what it reads, good for any bytes.

Own code instead of the standard library's parsers: those recurse into nested parts and grow hundredfold on hostile
headers. Lines may end in CRLF, LF or CR; what is broken is read as mail programs read it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from dispatch.rules.mail.addresses import find_addresses, find_message_ids
from dispatch.rules.mail.charsets import decode_text
from dispatch.rules.mail.encoded_words import decode_words
from dispatch.rules.mail.header_block import HeaderBlock, clean_value, split_headers, split_part
from dispatch.rules.mail.html_text import html_to_text
from dispatch.rules.mail.limits import MAX_BODY, MAX_DEPTH, MAX_FOUND, MAX_HEADER_BLOCK, MAX_PARTS, Cap
from dispatch.rules.mail.multipart import split_multipart
from dispatch.rules.mail.parameters import parse_value
from dispatch.rules.mail.transfer import decode_transfer

ATTACHED_MAIL = frozenset({"message/rfc822", "message/global", "message/news", "message/rfc2822"})
"""Content types of whole mails."""
ATTACHED_HEADERS = frozenset({"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"})
"""Content types of a mail's headers alone (RFC 6522, section 4; RFC 6533, section 5)."""


_META_CHARSET = re.compile(rb"<meta[^<>]{0,200}charset\s{0,5}=\s{0,5}[\"']?([a-zA-Z0-9_.:-]{1,60})", re.IGNORECASE)
_META_WITHIN = 4096
"""Bytes of a page in which its charset is looked for."""


class _Fields:
    """What mails and parts have in common: looking up headers, whose names are compared without case."""

    __slots__ = ()

    headers: tuple[tuple[str, str], ...]
    places: Mapping[str, list[int]]

    def header(self, name: str) -> str:
        """The first value of that header; empty when there is none."""
        places = self.places.get(name.lower())
        return self.headers[places[0]][1] if places else ""

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of that header, in order."""
        return tuple(self.headers[place][1] for place in self.places.get(name.lower(), ()))


def _places(headers: tuple[tuple[str, str], ...]) -> dict[str, list[int]]:
    """Where the headers of each name stand; a mail is asked for dozens of names."""
    places: dict[str, list[int]] = {}
    for place, (name, _) in enumerate(headers):
        places.setdefault(name.lower(), []).append(place)
    return places


@dataclass(frozen=True, slots=True)
class Part(_Fields):
    """A leaf of a mail, or a mail inside it (`mail` is set then).

    `content_type` is in lower case; `text` is the decoded text (any charset, best effort), `data` the bytes without
    transfer encoding; `depth` counts the multiparts and mails around it; `disposition` is `attachment`, `inline` or
    nothing.
    """

    headers: tuple[tuple[str, str], ...]
    content_type: str
    parameters: Mapping[str, str]
    text: str
    data: bytes = field(repr=False)
    depth: int
    filename: str = ""
    disposition: str = ""
    mail: "Mail | None" = None
    places: Mapping[str, list[int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", _places(self.headers))


@dataclass(frozen=True, slots=True)
class Mail(_Fields):
    """One mail.

    `headers` holds (name as written, value unfolded and decoded, without control characters), `raw_fields` the same
    before decoding. `parts` are its leaves and the mails inside it in document order, without what those mails hold.
    `text` is what the mail itself says, from its text/plain parts or else made from `html`. `truncated` names the
    limits that it ran into (`Cap`).
    """

    headers: tuple[tuple[str, str], ...]
    raw_fields: tuple[tuple[str, str], ...] = field(repr=False)
    raw_headers: str = field(repr=False)
    content_type: str
    parameters: Mapping[str, str]
    parts: tuple[Part, ...]
    text: str
    html: str
    truncated: tuple[str, ...] = ()
    places: Mapping[str, list[int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", _places(self.headers))

    def addresses(self, name: str) -> tuple[str, ...]:
        """The addresses in all headers of that name, lower-cased, at most 100."""
        found = (address for value in self._raw(name) for address in find_addresses(value))
        return tuple(dict.fromkeys(found))[:MAX_FOUND]

    def message_ids(self, *names: str) -> tuple[str, ...]:
        """The `<…>` identifiers in the headers of those names, in order, at most 100 of each name."""
        ids: dict[str, None] = {}
        for name in names:
            found = dict.fromkeys(one for value in self._raw(name) for one in find_message_ids(value))
            ids.update(dict.fromkeys(list(found)[:MAX_FOUND]))
        return tuple(ids)

    def _raw(self, name: str) -> list[str]:
        return [self.raw_fields[place][1] for place in self.places.get(name.lower(), ())]


def read_mail(raw: bytes) -> Mail:
    """The mail in `raw`; empty for empty bytes. At most MAX_BODY bytes behind the headers are read."""
    budget = _Budget()
    limit = MAX_HEADER_BLOCK + MAX_BODY
    if len(raw) > limit:
        budget.hit(Cap.BODY)
    return _read(_with_plain_line_ends(raw[:limit]), 0, budget)


class _Budget:
    """How many parts may still be read, and the limits hit so far, over a mail and all that is inside it."""

    def __init__(self) -> None:
        self.parts = MAX_PARTS
        self.caps: dict[str, None] = {}

    def hit(self, *caps: str) -> None:
        self.caps.update(dict.fromkeys(caps))


def _with_plain_line_ends(raw: bytes) -> bytes:
    """Every line end as `\\n`; a doubled CR, which careless relays make, is no blank line."""
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if b"\r" not in raw:
        return raw
    return raw.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _read(data: bytes, depth: int, budget: _Budget) -> Mail:
    """The mail in `data`, which lies `depth` levels deep."""
    block = split_headers(data)
    body = block.body[:MAX_BODY]
    budget.hit(*block.truncated, *([Cap.BODY] if len(block.body) > MAX_BODY else []))
    headers = _decoded(block)
    content_type, parameters = parse_value(_first(block, "content-type"))
    parts: list[Part] = []
    _collect(block, body, "text/plain", depth, budget, parts)
    plain, rich = _own_text(parts, "text/plain"), _own_text(parts, "text/html")
    return Mail(
        headers=headers,
        raw_fields=block.fields,
        raw_headers=block.text,
        content_type=content_type or "text/plain",
        parameters=parameters,
        parts=tuple(parts),
        text=plain if plain.strip() or not rich else html_to_text(rich),
        html=rich,
        truncated=tuple(budget.caps),
    )


def _decoded(block: HeaderBlock) -> tuple[tuple[str, str], ...]:
    return tuple((name, clean_value(decode_words(value)) if "=?" in value else value) for name, value in block.fields)


def _first(block: HeaderBlock, name: str) -> str:
    return next((value for key, value in block.fields if key.lower() == name), "")


def _own_text(parts: list[Part], content_type: str) -> str:
    """The texts of that type that are the mail's own: no attachments."""
    own = (part.text for part in parts if part.content_type == content_type and part.disposition != "attachment")
    return "\n".join(own)


def _collect(block: HeaderBlock, body: bytes, default: str, depth: int, budget: _Budget, parts: list[Part]) -> None:
    """Adds the leaves under one entity to `parts`. `default` is the content type of parts that name none."""
    if budget.parts <= 0:
        budget.hit(Cap.PARTS)
        return
    content_type, parameters = parse_value(_first(block, "content-type"))
    content_type = content_type if "/" in content_type else default
    if content_type.startswith("multipart/") and depth < MAX_DEPTH:
        pieces, more = split_multipart(body, parameters.get("boundary", ""), budget.parts)
        budget.hit(*([Cap.PARTS] if more else []))
        inner_default = "message/rfc822" if content_type == "multipart/digest" else "text/plain"
        for piece in pieces:
            inner = split_part(piece)
            budget.hit(*inner.truncated)
            _collect(inner, inner.body, inner_default, depth + 1, budget, parts)
        if pieces:
            return
        content_type = "text/plain"
    elif content_type.startswith("multipart/"):
        budget.hit(Cap.DEPTH)
    parts.append(_leaf(block, body, content_type, parameters, depth, budget))


def _leaf(
    block: HeaderBlock, body: bytes, content_type: str, parameters: dict[str, str], depth: int, budget: _Budget
) -> Part:
    """One part that is not cut any further; an attached mail is read in its turn."""
    budget.parts -= 1
    disposition, details = parse_value(_first(block, "content-disposition"))
    data = decode_transfer(body, _first(block, "content-transfer-encoding"))
    return Part(
        headers=_decoded(block),
        content_type=content_type,
        parameters=parameters,
        text=decode_text(data, parameters.get("charset") or _charset_in_html(data, content_type)),
        data=data,
        depth=depth,
        filename=details.get("filename") or parameters.get("name", ""),
        disposition=disposition,
        mail=_attached(data, content_type, depth, budget),
    )


def _attached(data: bytes, content_type: str, depth: int, budget: _Budget) -> Mail | None:
    """The mail in a part of such a type."""
    if content_type not in ATTACHED_MAIL and content_type not in ATTACHED_HEADERS:
        return None
    if depth >= MAX_DEPTH:
        budget.hit(Cap.DEPTH)
        return None
    return _read(_with_plain_line_ends(data), depth + 1, budget)


def _charset_in_html(data: bytes, content_type: str) -> str:
    """What a page says about itself, where the mail says nothing."""
    match = _META_CHARSET.search(data, 0, _META_WITHIN) if content_type == "text/html" else None
    return match[1].decode("ascii") if match else ""
