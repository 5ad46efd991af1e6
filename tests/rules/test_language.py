"""Which language a text is in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.classify.language import detect_language
from tests.rules.reply_samples import AWAY


@pytest.mark.parametrize("language", AWAY)
def test_the_language_of_a_short_mail_is_known(language: str) -> None:
    assert detect_language(AWAY[language]) == language


@pytest.mark.parametrize("text", ["", "12345", "ok", "https://example.org/the/and/you/for", "ann@the.and.you.example"])
def test_what_tells_too_little_has_none(text: str) -> None:
    assert detect_language(text) is None


@given(st.text(max_size=300))
def test_a_language_has_two_letters(text: str) -> None:
    found = detect_language(text)
    assert found is None or len(found) == 2
