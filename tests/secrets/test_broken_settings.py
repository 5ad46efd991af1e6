"""A URL with a password that cannot be read stops the start with a sentence that holds no part of the password."""

import traceback
from collections.abc import Callable

import pytest
from django.core.exceptions import ImproperlyConfigured

from ampout import env

READERS: dict[str, Callable[[str], object]] = {"postgres": env.database, "redis": env.broker}


def complaint(reader: Callable[[str], object]) -> str:
    with pytest.raises(ImproperlyConfigured) as caught:
        reader("A_URL")
    return "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("scheme", READERS)
@pytest.mark.parametrize("password", ["zq/xv", "zq?xv", "z/q@x:xv"])
def test_a_password_that_breaks_a_url_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, scheme: str, password: str
) -> None:
    monkeypatch.setenv("A_URL", f"{scheme}://user:{password}@host:5432/0")
    said = complaint(READERS[scheme])
    assert "A_URL cannot be read. Percent-encode" in said
    assert not any(part in said for part in ("zq", "xv", "z/q"))


@pytest.mark.parametrize("scheme", READERS)
def test_a_good_url_is_read(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("A_URL", f"{scheme}://user:zq%2Fxv@host:5432/0")
    assert READERS[scheme]("A_URL")
