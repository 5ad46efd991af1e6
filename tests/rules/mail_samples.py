"""Mails for the tests of reading: small ones to read, and hostile ones that must not cost much (promise 3.2)."""


def mail(*lines: str, end: str = "\r\n") -> bytes:
    """The bytes of a mail of these lines, in UTF-8."""
    return end.join([*lines, ""]).encode()


def nested_multiparts(depth: int) -> bytes:
    """One multipart in the other; the innermost holds a line."""
    opened = "".join(f'Content-Type: multipart/mixed; boundary="b{level}"\n\n--b{level}\n' for level in range(depth))
    return opened.encode() + b"\nhello\n"


def nested_mails(depth: int) -> bytes:
    """One attached mail in the other."""
    return b"Content-Type: message/rfc822\n\n" * depth + b"Subject: x\n\nhello\n"


HTML = b"Content-Type: text/html\n\n"
HOSTILE: dict[str, bytes] = {
    "16,000 encoded words": b"Subject: " + b" ".join([b"=?utf-8?q?abc=C3=A4?="] * 16_000) + b"\n\nx",
    "16,000 encoded words on lines of their own": b"Subject:" + b"\n =?utf-8?b?w6TDpA==?=" * 16_000 + b"\n\nx",
    "80,000 addresses": b"To: " + b", ".join(b"u%d@x.example" % index for index in range(80_000)) + b"\n\nx",
    "100,000 parts": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 100_000,
    "20,000 parentheses": b"From: " + b"(" * 20_000 + b"\n\nx",
    "multiparts nested 1,000 deep": nested_multiparts(1000),
    "mails nested 1,000 deep": nested_mails(1000),
    "an unknown charset": b"Content-Type: text/plain; charset=nope\n\n\xe4\xff",
    "no From": b"Subject: x\n\nx",
    "100,000 headers": b"A: b\n" * 100_000 + b"\nx",
    "carriage returns alone": b"\r" * 1_000_000,
    "line feeds alone": b"\n" * 1_000_000,
    "opening brackets": HTML + b"<" * 1_000_000,
    "open comments": HTML + b"<!--" * 250_000,
    "tags": HTML + b"<b>x</p>" * 130_000,
    "numbers of characters": HTML + b"&#9" * 330_000 + b"9" * 10_000,
    "open links": HTML + b"<a href=mailto:x@y.example>a" * 40_000,
    "open scripts": HTML + b"<script>" * 120_000,
    "semicolons": b"Content-Type: text/plain" + b";" * 16_000 + b"\n\nx",
    "open quotes": b'Content-Type: text/plain;a="' + b'\\"' * 8_000 + b"\n\nx",
    "sections of parameters": b"Content-Type: text/plain" + b";a*0*=x" * 2_300 + b"\n\nx",
    "lines of dashes": b"Content-Type: multipart/mixed; boundary=-\n\n" + b"\n---" * 250_000,
    "lines that may be boundaries": b"Content-Type: multipart/mixed\n\n" + b"\n--a" * 250_000,
    "padding": b"Content-Transfer-Encoding: base64\n\n" + b"=" * 1_000_000,
    "lines of one blank": b"X: y\n" + b" \n" * 500_000,
    "no colon": b"abc\n" * 250_000,
}
"""What it is, and the mail."""
