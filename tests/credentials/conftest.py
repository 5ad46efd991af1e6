"""What the tests of the credentials share."""

from tests.peers.certificates import certificates

__all__ = ["certificates"]
