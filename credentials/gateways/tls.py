"""TLS towards mail servers: certificate and host always verified, TLS 1.2 or later, errors in plain words."""

import functools
import ssl
import threading
from pathlib import Path

_making = threading.Lock()

_TOO_OLD = frozenset(
    {"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "VERSION_TOO_LOW", "NO_PROTOCOLS_AVAILABLE"}
)
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"})


def client_context(ca_file: str, *, insecure: bool) -> ssl.SSLContext:
    """The context for one kind of server, kept: loading the system's authorities costs tens of milliseconds.

    `ca_file` (PEM) adds authorities to the system's; it is read again when it changes. `insecure` verifies nothing.
    Raises OSError when the file cannot be read, ssl.SSLError when it holds no certificate.
    """
    changed = Path(ca_file).stat().st_mtime_ns if ca_file else 0
    # One at a time: a hundred mailboxes that are polled at once would each load the authorities for themselves.
    with _making:
        return _make_context(ca_file, changed, insecure)


@functools.lru_cache(maxsize=16)
def _make_context(ca_file: str, _changed: int, insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        context.load_verify_locations(ca_file)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def describe_tls_error(error: Exception, host: str) -> str:
    """One sentence on why TLS with `host` could not be set up."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate of {host} could not be verified: {error.verify_message.rstrip('.')}."
    reason = getattr(error, "reason", None) or ""
    if reason in _TOO_OLD:
        return f"{host} does not speak TLS 1.2 or later."
    if reason in _NOT_TLS:
        return f"{host} does not speak TLS on this port."
    if isinstance(error, ssl.SSLError) and reason:
        return f"TLS with {host} failed: {reason.lower().replace('_', ' ')}."
    return f"{host} closed the connection while TLS was being set up; it may not speak TLS 1.2 or later."
