"""What only the first start can tell: the operator's login and the API key."""

import json
from pathlib import Path

from ampout.supervisor.private_files import write_privately


class FirstStart:
    """Kept in a private file until it was told, because a start may be interrupted and a key can't be shown again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, str]:
        """What is still to be told, by name."""
        return dict(json.loads(self._path.read_text())) if self._path.exists() else {}

    def add(self, name: str, value: str) -> None:
        """Keep one more thing to tell."""
        write_privately(self._path, json.dumps({**self.read(), name: value}))

    def forget(self) -> None:
        """All was told."""
        self._path.unlink(missing_ok=True)
