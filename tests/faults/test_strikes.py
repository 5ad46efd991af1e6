"""The nemesis draws what its seed says, and leaves nothing out."""

from collections import Counter

from tests.faults.strikes import EVERYTHING, KILLS, Action, Target, draw_strikes


def test_the_same_seed_draws_the_same_strikes() -> None:
    drawn = [draw_strikes(7, 90, 4_000, EVERYTHING) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != draw_strikes(8, 90, 4_000, EVERYTHING)


def test_every_fault_has_its_turn() -> None:
    strikes = draw_strikes(1, len(EVERYTHING), 1_000, EVERYTHING)
    assert {(strike.action, strike.target) for strike in strikes} == {
        (fault.action, fault.target) for fault in EVERYTHING
    }


def test_about_half_of_many_strikes_are_kills() -> None:
    actions = Counter(strike.action for strike in draw_strikes(2, 400, 4_000, EVERYTHING))
    assert 160 <= actions[Action.KILL] <= 240


def test_fewer_strikes_than_faults_are_all_different() -> None:
    strikes = draw_strikes(3, 4, 100)
    assert len({strike.target for strike in strikes}) == 4
    assert {strike.action for strike in strikes} == {Action.KILL}


def test_strikes_come_in_the_order_of_messages_and_leave_the_last_tenth_alone() -> None:
    afters = [strike.after for strike in draw_strikes(4, 50, 1_000, KILLS)]
    assert afters == sorted(afters)
    assert max(afters) < 900


def test_what_is_frozen_outlasts_the_lease() -> None:
    strikes = draw_strikes(5, 100, 1_000, EVERYTHING, lease_seconds=60)
    frozen = [strike for strike in strikes if strike.action is Action.FREEZE and strike.target is Target.WORKER]
    assert frozen
    assert all(72 <= strike.away <= 144 for strike in frozen)
