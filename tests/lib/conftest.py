"""What the tests of the kernel share."""

from tests.peers.dns_server import dns_server

__all__ = ["dns_server"]
