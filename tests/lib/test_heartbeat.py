"""A loop's lease is renewed until it is lost, whatever a renewal dies of."""

import asyncio
import logging

import pytest

from ampout.lib.heartbeat import renew_until_lost


def test_it_ends_with_the_lease() -> None:
    answers = [True, True, False]

    async def renew() -> bool:
        return answers.pop(0)

    asyncio.run(renew_until_lost(renew, lease_seconds=0))
    assert answers == []


def test_a_renewal_that_fails_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[bool | Exception] = [True, ValueError("of no database"), True, False]

    async def renew() -> bool:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with caplog.at_level(logging.ERROR):
        asyncio.run(renew_until_lost(renew, lease_seconds=0))
    assert answers == []
    assert caplog.messages == ["A lease could not be renewed; it is tried again."]
