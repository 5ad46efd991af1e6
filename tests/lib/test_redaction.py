"""Whatever way a server spells our secret in its answer, what is kept of the answer does not hold it."""

import base64
import html
import json
import time
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampout.lib.redaction import REDACTED, Redactor, base64_cores

SECRET = "pä$$ w\u00f6rd%41&\"<'>\\x 鍵\U0001f511-quite-long"


def spellings(secret: str) -> dict[str, str]:
    octets = secret.encode()
    return {
        "as it is": secret,
        "shouted": secret.upper(),
        "url": urllib.parse.quote(secret, safe=""),
        "url of JavaScript": urllib.parse.quote(secret, safe="!'()*~"),
        "form": urllib.parse.quote_plus(secret),
        "url in small letters": urllib.parse.quote(secret, safe="").lower(),
        "json": json.dumps(secret)[1:-1],
        "json in unicode": json.dumps(secret, ensure_ascii=False)[1:-1],
        "json in json": json.dumps(json.dumps(secret))[3:-3],
        "repr": repr(secret)[1:-1],
        "repr of bytes": repr(octets)[2:-1],
        "ascii": ascii(secret)[1:-1],
        "html": html.escape(secret),
        "url in html": html.escape(urllib.parse.quote_plus(secret)),
        "quoted for imap": secret.replace("\\", "\\\\").replace('"', '\\"'),
        "hex": octets.hex(),
        "base64": base64.b64encode(octets).decode(),
        "base64 for urls": base64.urlsafe_b64encode(octets).decode().rstrip("="),
        "inside base64": base64.b64encode(b"x" + octets + b"yz").decode(),
        "mojibake": octets.decode("latin-1"),
        "ascii with question marks": secret.encode("ascii", "replace").decode(),
        "ascii with replacement characters": octets.decode("ascii", "replace"),
    }


@pytest.mark.parametrize("kind", spellings(SECRET))
def test_every_spelling_is_blacked_out(kind: str) -> None:
    assert Redactor(SECRET).redact(f"No: {spellings(SECRET)[kind]} (bye)") == f"No: {REDACTED} (bye)"


@pytest.mark.parametrize("kind", spellings(SECRET))
def test_bytes_of_an_unknown_encoding_are_read_too(kind: str) -> None:
    raw = spellings(SECRET)[kind].encode()
    assert Redactor(SECRET).redact_bytes(b"\xff\xfe: " + raw + b"\r\n") == b"\xff\xfe: [redacted]\r\n"


def test_latin_1_is_read_where_utf_8_cannot_be() -> None:
    assert Redactor("pässwörd").redact_bytes("no pässwörd\r\n".encode("latin-1")) == b"no [redacted]\r\n"


def test_several_secrets_that_overlap_are_one_gap() -> None:
    assert Redactor("abcdef", "defghi", "123456").redact("<abcdefghi> <123456>") == "<[redacted]> <[redacted]>"


def test_what_gives_a_secret_away_in_base64_only_is_left_alone_elsewhere() -> None:
    redactor = Redactor("unlikely-secret", encoded=["\0alice\0"])
    cut_short = base64.b64encode(b"\0alice\0unlik").decode()
    assert redactor.redact(f"{cut_short} is alice") == f"{REDACTED} is alice"


@pytest.mark.parametrize(
    "text", ["", "250 2.0.0 Ok: queued as 4Wx", "%zz \\u12 &nope; \\", "\udce9 \ufffd", "pä$$ word", "QUJD" * 20]
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert Redactor(SECRET).redact(text) == text


def test_nothing_to_hide_hides_nothing() -> None:
    assert Redactor("", "").redact("anything at all") == "anything at all"


@given(st.text(min_size=5, max_size=30), st.text(max_size=20), st.text(max_size=20))
def test_no_secret_survives_in_any_text(secret: str, before: str, after: str) -> None:
    kept = Redactor(secret).redact(before + secret + after)
    assert secret in REDACTED or not any(secret in piece for piece in kept.split(REDACTED))


@given(st.binary(min_size=6, max_size=40), st.binary(max_size=9), st.binary(max_size=9))
def test_base64_of_anything_that_holds_a_secret_holds_one_of_its_cores(
    secret: bytes, before: bytes, after: bytes
) -> None:
    encoded = base64.b64encode(before + secret + after).decode()
    assert any(core in encoded for core in base64_cores(secret))


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("\\" * 1_000, "\\" * 65_000),
        ("a" * 999 + "b", "a" * 65_000),
        ("é" * 999 + "x", "%c3%a9" * 10_000),
        ("é" * 999 + "x", "\ufffd" * 65_000),
        ("é" * 999 + "x", "?" * 65_000),
        ("\\" * 997 + "abc", ("\\" * 996 + "abc") * 65),
    ],
)
def test_no_pair_of_secret_and_text_takes_long(secret: str, text: str) -> None:
    redactor = Redactor(secret)
    began = time.process_time()
    redactor.redact(text)
    assert time.process_time() - began < 2
