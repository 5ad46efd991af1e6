"""What the fuzzing of the API needs: a web process of its own."""

from tests.dispatch.conftest import chaos, engine
from tests.faults.conftest import servers, start_lab
from tests.peers.certificates import certificates

__all__ = ["certificates", "chaos", "engine", "servers", "start_lab"]
