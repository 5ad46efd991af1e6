"""The secrets of one installation, made at its first start and kept in a file that only its owner can read."""

import json
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet

from ampout.supervisor.errors import StartError
from ampout.supervisor.private_files import write_privately


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys for signing, mailbox passwords and suppression digests, and the operator's first password."""

    secret_key: str = field(repr=False)
    field_keys: str = field(repr=False)
    digest_key: str = field(repr=False)
    operator_password: str = field(repr=False)


def load_keys(path: Path, *, may_make: bool) -> Keys:
    """The keys kept at `path`, made there where `may_make`; raises StartError where they are missing or damaged.

    A database can't be read with other keys than its own, so none are made beside an existing one.
    """
    try:
        return Keys(**json.loads(path.read_text()))
    except FileNotFoundError:
        if may_make:
            return _make_keys(path)
        raise StartError(
            f"{path} is missing, and the mailbox passwords in the database can't be read without it. "
            "Put it back, or set AMPOUT_DATA to a new folder."
        ) from None
    except (ValueError, TypeError):
        raise StartError(f"{path} is damaged. Put a copy of it back, or set AMPOUT_DATA to a new folder.") from None


def _make_keys(path: Path) -> Keys:
    keys = Keys(
        secret_key=secrets.token_urlsafe(48),
        field_keys=Fernet.generate_key().decode(),
        digest_key=secrets.token_urlsafe(48),
        operator_password=secrets.token_urlsafe(12),
    )
    write_privately(path, json.dumps(asdict(keys), indent=1))
    return keys
