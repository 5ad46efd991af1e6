"""docs/explanation/health.md tells what the rules do: its table and picture are those of a fresh simulation."""

import pytest

from tests.docs.health_simulation import PAGE, PICTURE, Result, picture, results, table


@pytest.fixture(scope="module")
def simulated() -> dict[int, dict[str, Result]]:
    return results()


def test_the_table_is_that_of_a_fresh_simulation(simulated: dict[int, dict[str, Result]]) -> None:
    assert table(simulated) in PAGE.read_text(encoding="utf-8")


def test_the_picture_is_that_of_a_fresh_simulation(simulated: dict[int, dict[str, Result]]) -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture(simulated)


def test_the_evidence_rule_stops_fewer_good_mailboxes_and_misses_no_bad_one(
    simulated: dict[int, dict[str, Result]],
) -> None:
    for rate, by_rule in simulated.items():
        assert by_rule["evidence"].stopped <= by_rule["fixed"].stopped
        if rate <= 6:
            assert by_rule["evidence"].stopped <= 5
        if rate >= 15:
            assert by_rule["evidence"].stopped == 100
