"""One installation for all peers, and the peers: each is started once."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.lab import free_port
from tests.peers.certificates import Certificates, certificates
from tests.real_peers import dovecot as dovecot_peer
from tests.real_peers.dovecot import Dovecot
from tests.real_peers.installation import Installation
from tests.real_peers.peers import Peer, aiosmtpd_peer, postfix_peer
from tests.real_peers.postfix import is_demanded, why_missing

__all__ = ["certificates"]


@pytest.fixture(scope="session")
def installation(certificates: Certificates) -> Iterator[Installation]:
    """Ampout without its sandbox. Its mail servers are on loopback, so an operator has to allow that."""
    settings = {
        "AMPOUT_SANDBOX": "0",
        "ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8",
        "SMTP_CA_FILE": str(certificates.authority),
    }
    # Not pytest's own folder: its path is too long for sockets, which would then lie elsewhere.
    folder = Path(tempfile.mkdtemp(prefix="ampout-real-"))
    started = Installation(folder, free_port(), settings)
    try:
        started.start()
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postfix(certificates: Certificates) -> Iterator[Peer]:
    """Postfix; where it can be installed, CI may not go without."""
    reason = why_missing()
    if reason and is_demanded():
        pytest.fail(f"Postfix is {reason}, and .ci/run could have installed it.")
    if reason:
        pytest.skip(f"Postfix is {reason}.")
    with postfix_peer(certificates) as peer:
        yield peer


@pytest.fixture(scope="session")
def aiosmtpd(certificates: Certificates) -> Iterator[Peer]:
    """aiosmtpd."""
    with aiosmtpd_peer(certificates) as peer:
        yield peer


@pytest.fixture(scope="session")
def dovecot(certificates: Certificates) -> Iterator[Dovecot]:
    """Dovecot; where it can be installed, CI may not go without."""
    reason = dovecot_peer.why_missing()
    if reason and dovecot_peer.is_demanded():
        pytest.fail(f"Dovecot is {reason}, and .ci/run could have installed it.")
    if reason:
        pytest.skip(f"Dovecot is {reason}.")
    with dovecot_peer.running_dovecot(certificates) as server:
        yield server
