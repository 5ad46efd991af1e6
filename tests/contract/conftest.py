"""What the walk through the contract needs: an installation, and the other sides of its conversations."""

from tests.dispatch.conftest import chaos, engine
from tests.faults.conftest import servers, start_lab
from tests.peers.certificates import certificates
from tests.peers.webhook_sink import sink

__all__ = ["certificates", "chaos", "engine", "servers", "sink", "start_lab"]
