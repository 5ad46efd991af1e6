"""The tables of providers are those of the data file."""

import pytest

from tests.docs.pages import read
from tests.docs.presets_page import TABLES, written_anew


@pytest.mark.parametrize("name", TABLES)
def test_the_table_is_up_to_date(name: str) -> None:
    assert read(name) == written_anew(name), "run python -m tests.docs.presets_page"
