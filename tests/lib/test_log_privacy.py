"""What a stranger sends in a request does not come to lie in a log."""

import logging

import pytest

from ampout.lib.log_privacy import RequestFilter, mask_path

ID = "0b2c7f0e-6d1c-4b0f-9a53-0f5f7c1f2b11"


def said(message: object, *args: object) -> str:
    record = logging.LogRecord("name", logging.WARNING, "path", 1, message, args, None)
    assert RequestFilter().filter(record)
    return record.getMessage()


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        (f"/campaigns/{ID}/dispatch", f"/campaigns/{ID}/dispatch"),
        ("/admin/auth/user/12/change/", "/admin/auth/user/12/change/"),
        (f"/hooks/in/postmark/{ID}/a-Secret", f"/hooks/in/postmark/{ID}/*"),
        ("/u/AbC.DeF", "/u/*"),
        ("/account?api_key=ak_live_x", "/account"),
        ("/akliveabcdefghijklmnopqrstuvwxyz", "/*"),
    ],
)
def test_of_a_path_words_and_ids_are_logged(path: str, logged: str) -> None:
    assert mask_path(path) == logged
    assert said("%s: %s", "Not Found", path) == f"Not Found: {logged}"


@pytest.mark.parametrize(
    ("problem", "logged"),
    [
        ("Invalid HTTP Header: 'Authorization Bearer ak_live_x'", "Invalid HTTP Header"),
        ("Invalid HTTP request line: 'GET /?k=ak_live_x'", "Invalid HTTP request line"),
        ('Invalid HTTP header name: "it\'s ak_live_x"', "Invalid HTTP header name"),
        ("Invalid chunk size: b'ak_live_x'", "Invalid chunk size"),
        ("Invalid chunk extension: bare CR", "Invalid chunk extension: bare CR"),
    ],
)
def test_of_an_unreadable_request_the_kind_of_the_problem_is_logged(problem: str, logged: str) -> None:
    assert said(f"Invalid request from ip=127.0.0.1: {problem}") == f"Invalid request from ip=127.0.0.1: {logged}"


def test_other_lines_stay_as_they_are() -> None:
    assert said("%s took %d s", "a/B?c", 7) == "a/B?c took 7 s"
    assert said(ValueError("x")) == "x"
    assert said("50 %") == "50 %"
