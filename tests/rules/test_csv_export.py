"""Cells written for spreadsheets, none of which is a formula."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.rules.csv_rows import (
    escape_cell,
)


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x"])
def test_what_a_spreadsheet_would_run_is_escaped(value: str) -> None:
    assert escape_cell(value) == f"'{value}"


@pytest.mark.parametrize("value", ["", "a", "1", "a=1", "'=1", " x", "é@x.test"])
def test_what_it_would_not_run_is_left_alone(value: str) -> None:
    assert escape_cell(value) == value


@given(st.text())
def test_no_escaped_cell_is_a_formula(value: str) -> None:
    escaped = escape_cell(value)
    assert escaped.removeprefix("'") == value.removeprefix("'")
    assert not escaped.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
