"""What made-up calls are changed by before they are sent: real ids, and no host but loopback.

Read by schemathesis, by its SCHEMATHESIS_HOOKS; FUZZ_IDS names a file with the ids of one account's objects.
"""

import ipaddress
import json
import os
import re
import uuid
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import schemathesis

IDS: dict[str, list[str]] = json.loads(Path(os.environ["FUZZ_IDS"]).read_text())
"""By the name of a path's parameter."""
KEY_ID = IDS.pop("key")[0]
HOST_FIELDS = frozenset({"smtp_host", "imap_host"})
NAME = re.compile(r"[a-z0-9.-]+", re.IGNORECASE)


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Most ids that look like one become those of real objects, which belong together."""
    if not path_parameters:
        return path_parameters
    choice = zlib.crc32(str(path_parameters).encode())
    # What is deleted is gone for all calls after it.
    if choice % 8 == 0 or (context.operation.method.upper() == "DELETE" and choice % 8):
        return path_parameters
    return {name: _real_id(name, value, choice // 8) for name, value in path_parameters.items()}


@schemathesis.hook
def before_call(_context: Any, case: schemathesis.Case[Any], _kwargs: Any) -> None:
    """Keep the key that all calls are made with, whoever would revoke it."""
    if KEY_ID in (case.path_parameters or {}).values() and case.method.upper() == "DELETE":
        case.path_parameters = {"api_key_id": str(uuid.UUID(int=zlib.crc32(KEY_ID.encode())))}


@schemathesis.hook
def map_body(_context: Any, body: Any) -> Any:
    """Hosts that could be looked up become loopback; what is no host stays as it is."""
    choice = zlib.crc32(str(body).encode())
    return _with_real_ids(_on_loopback(body), choice // 8) if choice % 8 else _on_loopback(body)


def _real_id(name: str, value: Any, choice: int) -> Any:
    known = IDS.get(name)
    return known[choice % len(known)] if known and _is_id(value) else value


def _with_real_ids(value: Any, choice: int) -> Any:
    if isinstance(value, dict):
        inner = {name: _with_real_ids(member, choice) for name, member in value.items()}
        return {name: _real_id(name, member, choice) for name, member in inner.items()}
    return value


def _is_id(value: Any) -> bool:
    try:
        uuid.UUID(str(value))
    except ValueError:
        return False
    return True


def _on_loopback(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _member(name, member) for name, member in value.items()}
    return [_on_loopback(item) for item in value] if isinstance(value, list) else value


def _member(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return _on_loopback(value)
    if name in HOST_FIELDS:
        return value if _is_address(value) or not NAME.fullmatch(value) else "127.0.0.1"
    return _loopback_url(value) if name == "url" else value


def _loopback_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        return value
    return urlunsplit(parts._replace(netloc="127.0.0.1")) if host and not _is_address(host) else value


def _is_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
