"""A mail is read as its sender meant it, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.mail.reader import read_mail
from tests.rules.mail_samples import mail

SIMPLE = ("From: Ann <Ann@Example.org>", "Subject: Hello", "", "One", "Two")


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\r\r\n"])
def test_lines_end_in_any_way(end: str) -> None:
    read = read_mail(mail(*SIMPLE, end=end))
    assert read.header("subject") == "Hello"
    assert read.text == "One\nTwo\n"


def test_line_ends_may_be_mixed() -> None:
    read = read_mail(b"From: a@b.example\r\nSubject: x\nTo: c@d.example\r\n\nOne\r\nTwo\nThree")
    assert [name for name, _ in read.headers] == ["From", "Subject", "To"]
    assert read.text == "One\nTwo\nThree"


def test_a_folded_header_is_one_line() -> None:
    assert read_mail(b"Subject: one\r\n two\r\n\tthree\r\n\r\n").header("Subject") == "one two three"


@pytest.mark.parametrize(
    "line", [b"From ann@example.org Mon Jan  1 00:00:00 2026\n", b">From x\n", b"\n\n", b"\xef\xbb\xbf"]
)
def test_what_stands_before_the_headers_is_passed_over(line: bytes) -> None:
    assert read_mail(line + mail(*SIMPLE)).header("Subject") == "Hello"


def test_a_missing_blank_line_ends_the_headers_where_text_begins() -> None:
    read = read_mail(b"Subject: Hello\nThis is the text\nof it")
    assert read.headers == (("Subject", "Hello"),)
    assert read.text == "This is the text\nof it"


def test_a_line_without_colon_between_headers_is_left_out() -> None:
    read = read_mail(b"Subject: Hello\nno header at all\nTo: a@b.example\n\ntext")
    assert read.headers == (("Subject", "Hello"), ("To", "a@b.example"))
    assert read.text == "text"


def test_a_mail_without_headers_is_all_text() -> None:
    assert read_mail(b"Just text.\nMore.").text == "Just text.\nMore."


def test_nul_and_other_control_characters_are_left_out() -> None:
    read = read_mail(b"Subject: a\x00b\x07c\x1b[31md\n\nx\x00y")
    assert read.header("Subject") == "abc[31md"
    assert read.text == "xy"


ENCODED = {
    "=?utf-8?q?Gr=C3=BC=C3=9Fe?=": "Grüße",
    "=?UTF-8?B?R3LDvMOfZQ==?=": "Grüße",
    "=?iso-8859-1?q?Gr=FC=DFe_an_alle?=": "Grüße an alle",
    "=?utf-8?q?a?= =?utf-8?q?b?=": "ab",
    "=?utf-8?q?a?= and =?utf-8?q?b?=": "a and b",
    "=?utf-8?b?ww==?= =?utf-8?b?qQ==?=": "é",
    "=?utf-8?q?=C3?= =?utf-8?q?=A9?=": "é",
    "=?iso-2022-jp?b?GyRCNjVNXBsoQg==?=": "教養",
    "=?ks_c_5601-1987?b?vsiz5w==?=": "안녕",
    "=?gb2312?b?19TI9w==?=": "自洒",
    "=?nope?q?x?=": "x",
    "=?utf-8*en?q?x?=": "x",
    "=?broken": "=?broken",
    "=?utf-8?x?y?=": "=?utf-8?x?y?=",
    "=?utf-8?q?a=0Ab=00?=": "a b",
}


@pytest.mark.parametrize(("written", "meant"), ENCODED.items())
def test_encoded_words_are_decoded(written: str, meant: str) -> None:
    assert read_mail(mail(f"Subject: {written}", "")).header("Subject") == meant


def test_raw_eight_bit_headers_are_read_in_the_charset_of_the_body() -> None:
    raw = "Subject: Привет\nContent-Type: text/plain; charset=koi8-r\n\nПривет".encode("koi8-r")
    read = read_mail(raw)
    assert (read.header("Subject"), read.text) == ("Привет", "Привет")


CHARSETS = {
    "us-ascii": "plain",
    "utf-8": "Grüße 教養",
    "iso-8859-1": "Grüße",
    "windows-1252": "Grüße “q”",
    "iso-8859-2": "Zażółć",
    "koi8-r": "Привет",
    "windows-1251": "Привет",
    "iso-2022-jp": "教養",
    "shift_jis": "教養",
    "x-sjis": "教養",
    "euc-jp": "教養",
    "gb2312": "退信",
    "gb18030": "退信",
    "big5": "退信",
    "ks_c_5601-1987": "반송",
    "euc-kr": "반송",
    "unicode-1-1-utf-7": "Grüße",
    "iso-8859-8-i": "שלום",
    "windows-1256": "مرحبا",
}


@pytest.mark.parametrize(("charset", "text"), CHARSETS.items())
def test_text_is_decoded_by_its_charset(charset: str, text: str) -> None:
    codec = {
        "x-sjis": "shift_jis",
        "ks_c_5601-1987": "cp949",
        "unicode-1-1-utf-7": "utf-7",
        "iso-8859-8-i": "iso8859-8",
    }
    data = text.encode(codec.get(charset, charset))
    assert read_mail(f"Content-Type: text/plain; charset={charset}\n\n".encode() + data).text == text


@pytest.mark.parametrize(
    "charset", ["nope", "punycode", "base64", "unicode_escape", "idna", "undefined", "x" * 200, "\\"]
)
def test_an_unknown_charset_is_guessed(charset: str) -> None:
    raw = f'Content-Type: text/plain; charset="{charset}"\n\n'.encode() + "é".encode()
    assert read_mail(raw).text == "é"


def test_text_that_says_ascii_may_be_anything() -> None:
    head = b"Content-Type: text/plain; charset=us-ascii\n\n"
    assert read_mail(head + "教養".encode("iso-2022-jp")).text == "教養"
    assert read_mail(head + b"Gr\xfc\xdfe").text == "Grüße"


TRANSFERS = {
    "base64": b"R3LDvMOf\nZQ==\n",
    "BASE64": b"R3LDvMOfZQ",
    "quoted-printable": b"Gr=C3=BC=\n=C3=9Fe",
    "8bit": "Grüße".encode(),
    "nonsense": "Grüße".encode(),
    "": "Grüße".encode(),
}


@pytest.mark.parametrize(("encoding", "body"), TRANSFERS.items())
def test_transfer_encodings_are_taken_off(encoding: str, body: bytes) -> None:
    raw = f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n".encode() + body
    assert read_mail(raw).text == "Grüße"


def test_plain_words_that_claim_to_be_base64_stay() -> None:
    raw = b"Content-Transfer-Encoding: base64\n\nThis is the mail system at host a.example.\n"
    assert read_mail(raw).text == "This is the mail system at host a.example.\n"


MULTIPART = (
    "Subject: x",
    'Content-Type: multipart/mixed; boundary="=_b"',
    "",
    "preamble",
    "--=_b",
    "Content-Type: text/plain",
    "",
    "first",
    "--=_b",
    "Content-Type: TEXT/HTML; charset=utf-8",
    "",
    "<p>second</p>",
    "--=_b--",
    "epilogue",
)


def test_parts_are_cut_at_the_boundary() -> None:
    read = read_mail(mail(*MULTIPART))
    assert [(part.content_type, part.text, part.depth) for part in read.parts] == [
        ("text/plain", "first", 1),
        ("text/html", "<p>second</p>", 1),
    ]
    assert (read.text, read.html) == ("first", "<p>second</p>")


def test_a_missing_last_boundary_is_the_end() -> None:
    assert [part.content_type for part in read_mail(mail(*MULTIPART[:-2])).parts] == ["text/plain", "text/html"]


@pytest.mark.parametrize(
    "declared", ["multipart/mixed", "multipart/mixed; boundary=other", 'multipart/mixed; boundary=""']
)
def test_a_wrong_boundary_is_guessed(declared: str) -> None:
    lines = ["Subject: x", f"Content-Type: {declared}", *MULTIPART[2:]]
    assert [part.text for part in read_mail(mail(*lines)).parts] == ["first", "<p>second</p>"]


def test_a_multipart_without_parts_is_text() -> None:
    read = read_mail(mail("Content-Type: multipart/report; boundary=b", "", "Hi. This is it."))
    assert read.text == "Hi. This is it.\n"


def test_a_boundary_that_begins_like_the_outer_one_is_not_the_outer_one() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n"
        b"Content-Type: multipart/alternative; boundary=b1\n\n--b1\n\none\n--b1\n\ntwo\n--b1--\n--b\n\nthree\n--b--\n"
    )
    assert [(part.text, part.depth) for part in read_mail(raw).parts] == [("one", 2), ("two", 2), ("three", 1)]


def test_a_part_without_headers_is_text_even_if_it_looks_like_headers() -> None:
    read = read_mail(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nReporting-MTA: dns; a.example\n\nx\n--b--\n")
    assert read.parts[0].text == "Reporting-MTA: dns; a.example\n\nx"


def test_a_blank_line_before_the_headers_of_a_part_is_passed_over() -> None:
    read = read_mail(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nContent-Type: text/html\n\n<p>x\n--b--\n")
    assert read.parts[0].content_type == "text/html"


def test_an_attached_mail_is_read_in_its_turn() -> None:
    raw = mail(
        "Content-Type: multipart/mixed; boundary=b",
        "",
        "--b",
        "",
        "outer",
        "--b",
        "Content-Type: message/rfc822",
        "",
        "Message-ID: <1@a.example>",
        "Subject: =?utf-8?q?=C3=A9?=",
        "",
        "inner",
        "--b--",
    )
    read = read_mail(raw)
    inner = read.parts[1].mail
    assert inner is not None
    assert (inner.header("subject"), inner.text, inner.message_ids("message-id")) == ("é", "inner", ("<1@a.example>",))
    assert read.text == "outer"


def test_attached_headers_are_a_mail_without_text() -> None:
    head = b"Content-Type: multipart/report; boundary=b\n\n--b\n"
    raw = head + b"Content-Type: text/rfc822-headers\n\nTo: a@b.example\n--b--\n"
    inner = read_mail(raw).parts[0].mail
    assert inner is not None
    assert (inner.addresses("To"), inner.text) == (("a@b.example",), "")


def test_an_attached_mail_in_base64_is_read() -> None:
    raw = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogaGkNCg0KdGV4dA==\n"
    inner = read_mail(raw).parts[0].mail
    assert inner is not None
    assert (inner.header("Subject"), inner.text) == ("hi", "text")


def test_an_attached_text_is_not_what_the_mail_says() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nbody\n--b\nContent-Type: text/plain; name=n.txt\n"
        b"Content-Disposition: attachment; filename*=utf-8''%C3%A9.txt\n\nattached\n--b--\n"
    )
    read = read_mail(raw)
    assert read.text == "body"
    assert (read.parts[1].disposition, read.parts[1].filename) == ("attachment", "é.txt")


PARAMETERS = {
    'text/plain; charset="utf-8"; Name=a': {"charset": "utf-8", "name": "a"},
    'text/plain; name="a\\"b;c"': {"name": 'a"b;c'},
    "text/plain; name*0*=utf-8''%C3%A9; name*1=x": {"name": "éx"},
    "text/plain; name*1=b; name*0=a": {"name": "ab"},
    'text/plain; name="=?utf-8?q?=C3=A9?="': {"name": "é"},
    "text/plain;; ; charset=utf-8": {"charset": "utf-8"},
    "text/plain; nonsense; charset=utf-8": {"charset": "utf-8"},
    'text/plain; name="open': {"name": "open"},
    "text/plain; a=1; a=2": {"a": "1"},
}


@pytest.mark.parametrize(("value", "parameters"), PARAMETERS.items())
def test_parameters_are_read(value: str, parameters: dict[str, str]) -> None:
    read = read_mail(mail(f"Content-Type: {value}", "", "x"))
    assert (read.content_type, dict(read.parameters)) == ("text/plain", parameters)


ADDRESSES = {
    "Ann@Example.org": ("ann@example.org",),
    "Ann <ann@example.org>, bob@example.org": ("ann@example.org", "bob@example.org"),
    '"Ann, of x@y.example" <ann@example.org>': ("ann@example.org",),
    "ann@example.org (also z@y.example (deep))": ("ann@example.org",),
    "=?utf-8?q?a=40b=2Ec=2C?= <ann@example.org>": ("ann@example.org",),
    "friends: ann@example.org, bob@example.org;": ("ann@example.org", "bob@example.org"),
    "<@relay.example:ann@example.org>": ("ann@example.org",),
    "Ann <ann@example.org": ("ann@example.org",),
    "undisclosed-recipients:;": (),
    "nobody": (),
    "<>": (),
    "MAILER-DAEMON <>": (),
    "a@b@c": (),
}


@pytest.mark.parametrize(("value", "addresses"), ADDRESSES.items())
def test_addresses_are_found(value: str, addresses: tuple[str, ...]) -> None:
    assert read_mail(mail(f"To: {value}", "")).addresses("to") == addresses


IDENTIFIERS = {
    "<1@a> <2@b>": ("<1@a>", "<2@b>"),
    "<1@a>,<1@a>": ("<1@a>",),
    "Your message of Monday <1@a>": ("<1@a>",),
    "<1@\r\n a>": ("<1@a>",),
    "1@a": ("<1@a>",),
    "some words": (),
}


@pytest.mark.parametrize(("value", "ids"), IDENTIFIERS.items())
def test_message_ids_are_found(value: str, ids: tuple[str, ...]) -> None:
    assert read_mail(f"References: {value}\r\n\r\n".encode()).message_ids("references") == ids


def test_headers_are_looked_up_without_case_and_in_order() -> None:
    read = read_mail(b"Received: one\nX: y\nRECEIVED: two\n\n")
    assert read.all("received") == ("one", "two")
    assert read.header("Absent") == ""


PAGES = {
    "<p>One<br>Two</p><p>Three</p>": "One\nTwo\n\nThree",
    "<html><head><title>t</title><style>p{}</style></head><body>x</body></html>": "x",
    "a<script>b</script>c<!-- d -->e": "a c e",
    "a &amp; b &lt;c@d.example&gt; &#233; &nope;": "a & b <c@d.example> é &nope;",
    '<a href="mailto:bob@x.example">Bob</a>': "Bob <bob@x.example>",
    '<a href="mailto:bob@x.example">bob@x.example</a>': "bob@x.example",
    "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>": "a b\nc",
    "new<blockquote>old<blockquote>older</blockquote></blockquote>": "new\n> old\n> > older",
    "a < b": "a < b",
    "<unclosed": "",
    "<script>never closed": "never closed",
}


@pytest.mark.parametrize(("source", "text"), PAGES.items())
def test_a_page_becomes_text(source: str, text: str) -> None:
    assert read_mail(b"Content-Type: text/html; charset=utf-8\n\n" + source.encode()).text == text


def test_a_page_may_name_its_own_charset() -> None:
    source = '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">Привет'
    assert read_mail(b"Content-Type: text/html\n\n" + source.encode("cp1251")).text == "Привет"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=200))
def test_text_in_utf_8_comes_back_whole(text: str) -> None:
    clean = text.replace("\ufeff", "")
    raw = b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + clean.encode()
    assert read_mail(raw).text == clean
