"""The secrets and the id of one installation, made at its first start and kept in files for its owner alone."""

import json
import secrets
import uuid
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


def load_installation_id(path: Path) -> str:
    """What tells this data folder from others, made where it is missing: a database of another one does not send."""
    if not path.exists():
        write_privately(path, str(uuid.uuid4()))
    return path.read_text().strip()


def _make_keys(path: Path) -> Keys:
    keys = Keys(
        secret_key=secrets.token_urlsafe(48),
        field_keys=Fernet.generate_key().decode(),
        digest_key=secrets.token_urlsafe(48),
        operator_password=secrets.token_urlsafe(12),
    )
    write_privately(path, json.dumps(asdict(keys), indent=1))
    return keys
