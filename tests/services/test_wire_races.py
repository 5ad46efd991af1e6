"""Law 5, caused: a stop fact and a `wire` meet on two connections, in both orders. Nobody passes, nobody deadlocks."""

import pytest

from dispatch.services.claim import Claim
from tests.services.desk import Desk, S, message_of
from tests.services.rival import Held, Waiting
from tests.services.test_wire import STOPS, TEST_STOPS, Stop, claimed_one, claimed_test

pytestmark = pytest.mark.django_db(transaction=True)

CASES = [pytest.param(claimed_one, stop, id=f"campaign-{stop.__name__}") for stop in STOPS]
CASES += [pytest.param(claimed_test, stop, id=f"test-{stop.__name__}") for stop in TEST_STOPS]


@pytest.mark.parametrize(("claim", "stop"), CASES)
def test_a_wire_waits_for_a_stop_and_then_obeys_it(claim: object, stop: Stop) -> None:
    desk = Desk()
    claimed = given(claim, desk)
    message = message_of(claimed)
    with Held(lambda: stop(desk, message)) as stopping:
        asking = Waiting(lambda: desk.wire(claimed)).until_it_waits()
        stopping.commit()
        assert asking.result() == set()
    assert message_of(claimed).wire_at is None


@pytest.mark.parametrize(("claim", "stop"), CASES)
def test_a_stop_waits_for_a_wire_and_comes_after_it(claim: object, stop: Stop) -> None:
    desk = Desk()
    claimed = given(claim, desk)
    message = message_of(claimed)
    with Held(lambda: desk.wire(claimed)) as asking:
        stopping = Waiting(lambda: stop(desk, message)).until_it_waits()
        assert asking.commit() == {claimed.message_id}
        stopping.result()
    assert message_of(claimed).state == S.WIRE
    assert desk.settle(claimed)
    assert message_of(claimed).state == S.ACCEPTED
    assert desk.violations() == []


def given(claim: object, desk: Desk) -> Claim:
    assert callable(claim)
    claimed = claim(desk)
    assert isinstance(claimed, Claim)
    return claimed


def test_wires_of_one_campaign_do_not_wait_for_each_other() -> None:
    desk = Desk()
    desk.released(2, credentials=1)
    desk.tick()
    first, second = desk.claim()
    with Held(lambda: desk.wire(first)):
        assert desk.wire(second) == {second.message_id}
