"""One process holds hundreds of slow conversations, and a fast peer costs little."""

import asyncio

import pytest

from dispatch.gateways.smtp_session import TransactionResult
from dispatch.rules.smtp_reply import Stage
from tests.gateways.smtp_cast import BODY, Gate, opened, run, send_once, to
from tests.peers.certificates import Certificates
from tests.peers.chaos_smtp import ChaosSmtp

CROWD = 200


def test_two_hundred_conversations_wait_side_by_side(certificates: Certificates) -> None:
    """Each takes ten replies of 300 ms, so one after the other they would take ten minutes."""

    async def scenario(peer: ChaosSmtp) -> list[TransactionResult]:
        return await asyncio.gather(*(send_once(peer, to(f"ok+{number}")) for number in range(CROWD)))

    with ChaosSmtp(certificates, delay_ms=300) as peer:
        results = run(scenario(peer))
        assert [result.stage for result in results] == [Stage.DOT] * CROWD
        assert peer.most_connections == CROWD
        assert {entry["recipient"] for entry in peer.log} == {to(f"ok+{number}").recipient for number in range(CROWD)}
        assert len(peer.log) == CROWD


@pytest.mark.bench
@pytest.mark.parametrize("connections", [1, 16])
def test_messages_a_second_over_kept_connections(certificates: Certificates, connections: int) -> None:
    """Client and peer in one process, so about half of what either can do."""
    each = 4_000 // connections

    async def lane(peer: ChaosSmtp) -> None:
        session = await opened(peer)
        for number in range(each):
            await session.send(to(f"ok+{number}"), BODY, gate=Gate())
        await session.quit()

    async def scenario(peer: ChaosSmtp) -> float:
        start = asyncio.get_running_loop().time()
        await asyncio.gather(*(lane(peer) for _ in range(connections)))
        return asyncio.get_running_loop().time() - start

    with ChaosSmtp(certificates) as peer:
        seconds = run(scenario(peer))
        print(f"{connections} connections: {each * connections / seconds:.0f} messages a second")
        assert len(peer.log) == each * connections
