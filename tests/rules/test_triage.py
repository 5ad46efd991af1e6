"""The net for machines' notices: wide, by the headers alone, and no newsletter or person in it."""

import time

import pytest

from dispatch.rules.mail.reader import Mail, read_mail
from dispatch.rules.triage import looks_like_notice


def mail(**headers: str) -> Mail:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return read_mail("\r\n".join([*lines, "", ""]).encode())


NOTICES = {
    "a null return path": mail(Return_Path="<>", From="someone@remote.example", Subject="Hm"),
    "a mailer daemon": mail(From="Mail Delivery System <MAILER-DAEMON@mx.remote.example>"),
    "a postmaster": mail(From="postmaster@remote.example", Subject="Hm"),
    "a bounce address with something behind it": mail(From="bounces+123@remote.example"),
    "a report": mail(From="x@remote.example", Content_Type='multipart/report; report-type="delivery-status"'),
    "a bare delivery status": mail(Content_Type="message/delivery-status"),
    "an automatic reply": mail(From="bob@remote.example", Auto_Submitted="auto-replied"),
    "an automatic mail with parameters": mail(Auto_Submitted="Auto-Generated (rejected)"),
    "failed recipients": mail(From="bob@remote.example", X_Failed_Recipients="max@remote.example"),
    "an old autoresponder": mail(From="bob@remote.example", X_Autoreply="yes"),
    "English": mail(From="system@remote.example", Subject="Undelivered Mail Returned to Sender"),
    "German": mail(From="system@remote.example", Subject="Unzustellbar: Hallo"),
    "French": mail(From="system@remote.example", Subject="Non remis : Bonjour"),
    "Spanish": mail(From="system@remote.example", Subject="Mensaje no entregado"),
    "Russian": mail(From="system@remote.example", Subject="=?utf-8?b?0J3QtdC00L7RgdGC0LDQstC70LXQvdC90L7QtQ==?="),
    "Japanese": mail(From="system@remote.example", Subject="=?utf-8?b?6YWN5L+h5LiN6IO9?="),
    "an absence in words alone": mail(From="bob@remote.example", Subject="Abwesenheitsnotiz: Hallo"),
}
OTHERS = {
    "a person": mail(From="bob@remote.example", Subject="Re: Hello Max", Return_Path="<bob@remote.example>"),
    "a newsletter": mail(From="news@shop.example", Subject="Our new shoes", Precedence="bulk"),
    "one that says it is from a person": mail(From="bob@remote.example", Auto_Submitted="no"),
    "nothing at all": mail(),
    "a subject that is long": mail(From="bob@remote.example", Subject="lunch " * 60 + "undeliverable"),
}


@pytest.mark.parametrize("which", NOTICES)
def test_a_notice_is_let_through(which: str) -> None:
    assert looks_like_notice(NOTICES[which])


@pytest.mark.parametrize("which", OTHERS)
def test_others_are_not(which: str) -> None:
    assert not looks_like_notice(OTHERS[which])


def test_hostile_headers_cost_little() -> None:
    hostile = mail(From="a-" * 8_000 + "@x.example", Subject="un" * 8_000, Content_Type="multipart/" * 1_000)
    started = time.perf_counter()
    assert not looks_like_notice(hostile)
    assert time.perf_counter() - started < 0.1
