"""Keeping our own secrets out of what others say: servers and receivers that echo what we sent them.

What comes in is looked through once, where it enters; whoever keeps, shows or logs it afterwards need not know. The
time it takes grows with the length of the text alone: both the text and the secret may be somebody's attack.
"""

import base64
import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

REDACTED = "[redacted]"

_SHORTEST_CORE = 5
"""Characters of base64; with fewer, ordinary words would be taken for a short secret."""
_SHORTEST_ANCHOR = 3
_FEWEST_LETTERS = 6
"""A spelling that lost its foreign letters is told from other words by those it kept."""
_ESCAPES_WITHIN_ESCAPES = 3

_ANCHOR = re.compile(r"[0-9A-Za-z]+")
_BASE64_WORD = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_POINT = r"00(?:0[1-9a-f]|10)[0-9a-f]{4}"
_ESCAPED = re.compile(
    r"(?P<percent>(?:%[0-9a-f]{2})+)|(?P<octets>(?:\\x[0-9a-f]{2})+)"
    rf"|(?P<point>\\u{_POINT})|(?P<units>(?:\\u(?!{_POINT})[0-9a-f]{{4}})+)"
    r"|(?P<entity>&(?:#[0-9]{1,8}|#x[0-9a-f]{1,6}|amp|lt|gt|quot|apos);)|(?P<quoted>\\.)",
    re.DOTALL,
)
"""How URLs, C, Python, JSON, HTML, and quoted strings write characters, in lower case."""

Span = tuple[int, int]


class Redactor:
    """Replaces secrets in texts, however they are spelled: as they are, escaped, quoted, in hex, or in base64.

    Base64 is found inside longer base64 too, at every alignment; then the whole word goes. Case does not matter, as
    some servers shout. `encoded` are texts that give a secret away in base64 only.
    """

    __slots__ = ("_cores", "_secrets", "_signs")

    def __init__(self, *secrets: str, encoded: Sequence[str] = ()) -> None:
        plain = [_Secret.of(form) for secret in secrets if secret for form in sorted(_forms(secret))]
        self._secrets = plain
        self._cores = [core for secret in [*plain, *map(_Secret.of, encoded)] for core in secret.cores]
        self._signs = [sign for secret in plain for sign in (secret.anchor, secret.hexadecimal)]

    def redact(self, text: str) -> str:
        """`text` without the secrets."""
        lowered = _lower(text)
        standard = lowered.replace("-", "+").replace("_", "/")
        # Nearly every text holds no secret, and that shows at a glance.
        if not any(sign in lowered for sign in self._signs) and not any(core in standard for core in self._cores):
            return text
        spans = [span for secret in self._secrets for span in _find_all(lowered, secret.hexadecimal)]
        spans += [span for core in self._cores for span in _find_words(lowered, standard, core)]
        wanted = {form for secret in self._secrets for form in secret.texts}
        for reading in _layers(_Reading(lowered, range(len(text) + 1))):
            spans += [reading.source(span) for form in wanted for span in _find_all(reading.text, form)]
        return _without(text, spans)

    def redact_bytes(self, raw: bytes) -> bytes:
        """The same for a line in an unknown encoding; what is not UTF-8 stays as it is."""
        text = raw.decode("utf-8", "surrogateescape")
        redacted = self.redact(text)
        return raw if redacted == text else redacted.encode("utf-8", "surrogateescape")

    def __repr__(self) -> str:
        return "Redactor()"


@dataclass(frozen=True, slots=True)
class _Secret:
    """One form of a secret, in lower case. Wherever it stands escaped, its `anchor` stands as it is.

    `texts` are more than one where the secret itself looks like something escaped.
    """

    texts: tuple[str, ...]
    hexadecimal: str
    cores: tuple[str, ...]
    anchor: str

    @classmethod
    def of(cls, secret: str) -> "_Secret":
        octets = secret.encode("utf-8", "surrogatepass")
        cores = tuple(core.lower() for core in base64_cores(octets) if len(core) >= _SHORTEST_CORE)
        # Letters and digits are written as they are by every kind of escape.
        anchor = max(_ANCHOR.findall(secret), key=len, default="").lower()
        texts = tuple(reading.text for reading in _layers(_Reading(_lower(secret), range(len(secret) + 1))))
        return cls(texts, octets.hex(), cores, anchor if len(anchor) >= _SHORTEST_ANCHOR else "")


@dataclass(frozen=True, slots=True)
class _Reading:
    """A text in lower case, as it is or with its escapes undone; `starts[n]` is where character n begins in the source,
    and the last of them where the source ends."""

    text: str
    starts: tuple[int, ...] | range

    def source(self, span: Span) -> Span:
        """The part of the source that this part was read from."""
        return self.starts[span[0]], self.starts[span[1]]

    def unescaped(self) -> "_Reading":
        """With one layer of escapes undone."""
        characters: list[str] = []
        starts: list[int] = []
        at = 0
        for match in _ESCAPED.finditer(self.text):
            characters += self.text[at : match.start()]
            starts += self.starts[at : match.start()]
            plain, lengths = _unescape(match)
            at = match.start()
            for character, length in zip(plain, lengths, strict=True):
                characters.append(_lower(character))
                starts.append(self.starts[at])
                at += length
            at = match.end()
        if not starts:
            return self
        characters += self.text[at:]
        starts += self.starts[at:]
        return _Reading("".join(characters), tuple(starts))


def _layers(reading: _Reading) -> Iterator[_Reading]:
    """The text as it is, and with one layer of escapes after the other undone."""
    yield reading
    for _ in range(_ESCAPES_WITHIN_ESCAPES):
        inner = reading.unescaped()
        if inner is reading:
            return
        reading = inner
        yield reading


def base64_cores(octets: bytes) -> list[str]:
    """What base64 of anything that holds `octets` contains, for each alignment, in the standard alphabet."""
    cores = []
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + octets).decode("ascii")
        # The characters at either end may hold bits of the neighbours, too.
        cores.append(encoded[-(-before * 8 // 6) : (before + len(octets)) * 8 // 6])
    return cores


def _forms(secret: str) -> set[str]:
    """The secret, and what programs make of accents, odd spaces and letters that they do not know."""
    octets = secret.encode("utf-8", "surrogatepass")
    forms = {secret, unicodedata.normalize("NFC", secret), unicodedata.normalize("NFD", secret)}
    lossy = {
        secret.encode("ascii", "replace").decode("ascii"),
        octets.decode("ascii", "replace"),
        octets.decode("latin-1"),
        re.sub(r"[^\x00-\x7f]", "\ufffd", secret),
        secret.replace(" ", "+"),
    }
    lossy |= {"".join(c if c.isprintable() or c < " " else " " for c in form) for form in {*lossy, *forms}}
    return forms | {form for form in lossy if sum(c.isascii() and c.isalnum() for c in form) >= _FEWEST_LETTERS}


def _unescape(match: re.Match[str]) -> tuple[str, list[int]]:
    """The characters that an escape stands for, and how many characters of it each takes."""
    written, kind = match[0], match.lastgroup
    if kind in {"percent", "octets"}:
        width = 3 if kind == "percent" else 4
        octets = bytes(int(written[start + width - 2 : start + width], 16) for start in range(0, len(written), width))
        # What is no UTF-8 is Latin-1.
        plain = octets.decode("utf-8", "surrogateescape")
        lengths = [1 if 0xDC80 <= ord(c) <= 0xDCFF else len(c.encode("utf-8", "surrogatepass")) for c in plain]
        return plain, [length * width for length in lengths]
    if kind == "units":
        units = bytes.fromhex("".join(written[start + 2 : start + 6] for start in range(0, len(written), 6)))
        plain = units.decode("utf-16-be", "surrogatepass")
        return plain, [12 if ord(c) > 0xFFFF else 6 for c in plain]
    if kind == "point":
        return chr(int(written.removeprefix("\\u"), 16)), [len(written)]
    plain = html.unescape(written)[:1] if kind == "entity" else written[1]
    return plain, [len(written)] * len(plain)


def _lower(text: str) -> str:
    """In lower case, character by character; octets that are no UTF-8 are read as Latin-1."""
    if text.isascii():
        return text.lower()
    return "".join(_lower_one(character) for character in text)


def _lower_one(character: str) -> str:
    if 0xDC80 <= ord(character) <= 0xDCFF:
        character = chr(ord(character) - 0xDC00)
    lowered = character.lower()
    return lowered if len(lowered) == 1 else character


def _is_base64(character: str) -> bool:
    return character in "+/-_" or (character.isascii() and character.isalnum())


def _find_all(text: str, wanted: str) -> Iterator[Span]:
    """Where `wanted` stands, without overlaps."""
    at = text.find(wanted)
    while at >= 0:
        yield at, at + len(wanted)
        at = text.find(wanted, at + len(wanted))


def _find_words(lowered: str, standard: str, core: str) -> Iterator[Span]:
    """The words of base64 around `core`; `standard` is the text in the standard alphabet of base64."""
    at = standard.find(core)
    while at >= 0:
        start = at
        while start and _is_base64(lowered[start - 1]):
            start -= 1
        word = _BASE64_WORD.match(lowered, at)
        end = word.end() if word else at + len(core)
        yield start, end
        at = standard.find(core, end)


def _without(text: str, spans: list[Span]) -> str:
    """`text` with REDACTED in the place of these parts; those that overlap or touch are one."""
    pieces: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if start > at or not pieces:
            pieces += [text[at:start], REDACTED]
        at = max(at, end)
    return "".join([*pieces, text[at:]])
