"""The environment of the programs: what the supervisor knows, under what the operator has set."""

from collections.abc import Mapping
from pathlib import Path

from ampout.supervisor.keys import Keys
from ampout.supervisor.ports import HOST, SandboxPorts

RESOLVER_FILE = Path("/etc/resolv.conf")

SCALED_FOR_SANDBOX = {
    "RETRY_FIRST_SECONDS": "10",
    "RETRY_CEILING_SECONDS": "60",
    "RETRY_GIVE_UP_SECONDS": "900",
    "UNKNOWN_GRACE_SECONDS": "120",
    "POLL_EVERY_SECONDS": "5",
}
"""Times that are minutes, hours and days in the real world, made short enough to watch."""


def base_settings(keys: Keys, web_port: int, database_url: str, broker_url: str) -> dict[str, str]:
    """The settings of every installation that `make run` starts."""
    return {
        "DATABASE_URL": database_url,
        "CELERY_BROKER_URL": broker_url,
        "SECRET_KEY": keys.secret_key,
        "FIELD_KEYS": keys.field_keys,
        "DIGEST_KEY": keys.digest_key,
        "PUBLIC_URL": f"http://{HOST}:{web_port}",
        "ALLOWED_HOSTS": f"localhost,{HOST}",
        "ALLOW_SIGNUP": "1",
    }


def sandbox_settings(given: Mapping[str, str], ports: SandboxPorts, authority: Path) -> dict[str, str]:
    """What lets the pretend internet be reached beside the real one; lists in `given` are added to, not replaced."""
    networks = [given.get("ALLOW_PRIVATE_NETWORKS", ""), "127.0.0.0/8"]
    # The sandbox refuses to answer for real domains, and the next server in the list is asked.
    servers = [f"{HOST}:{ports.dns}", given.get("DNS_SERVERS") or ",".join(_system_dns_servers())]
    return {
        "SMTP_CA_FILE": str(authority),
        **SCALED_FOR_SANDBOX,
        **{name: value for name, value in given.items() if name in {"SMTP_CA_FILE", *SCALED_FOR_SANDBOX}},
        "RETRY_ONLY_FOR_HOSTS": given.get("RETRY_ONLY_FOR_HOSTS", HOST),
        "ALLOW_PRIVATE_NETWORKS": ",".join(filter(None, networks)),
        "DNS_SERVERS": ",".join(filter(None, servers)),
    }


def _system_dns_servers() -> list[str]:
    """The servers that this machine asks (resolv.conf(5)), with their port."""
    try:
        words = [line.split() for line in RESOLVER_FILE.read_text().splitlines()]
    except OSError:
        return []
    servers = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver" and "%" not in line[1]]
    return [f"[{server}]:53" if ":" in server else f"{server}:53" for server in servers]
