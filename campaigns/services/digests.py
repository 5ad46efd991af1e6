"""Keyed digests of addresses and domains: what suppressions and the ledger keep when the address itself must go."""

from ampout.lib.crypto import keyed_digest


def address_digest(identity: str) -> bytes:
    """32 bytes for an address identity (lower-cased, domain in A-labels)."""
    return keyed_digest("suppression:address", identity)


def domain_digest(domain: str) -> bytes:
    """32 bytes for a domain in A-labels, lower-cased."""
    return keyed_digest("suppression:domain", domain)
