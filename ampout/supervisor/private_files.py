"""Files that hold secrets."""

import os
from pathlib import Path


def write_privately(path: Path, text: str) -> None:
    """Write a file that nobody else can read, in one step: after a crash it is the old one or the new one."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
