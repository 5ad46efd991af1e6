"""What the tests of the gateways share."""

from tests.peers.certificates import certificates

__all__ = ["certificates"]
