"""`manage.py describe_api`: write the API's description and its reference page anew from the code."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ampout.api.openapi.document import description, published
from ampout.api.openapi.page import render


def files() -> dict[Path, str]:
    """What each file below docs/reference/ holds."""
    folder = Path(settings.BASE_DIR) / "docs" / "reference"
    return {
        folder / "openapi.json": json.dumps(published(), ensure_ascii=False, indent=1) + "\n",
        folder / "api.md": render(description()),
    }


class Command(BaseCommand):
    """Writes docs/reference/openapi.json and docs/reference/api.md."""

    help = "Writes docs/reference/openapi.json and docs/reference/api.md anew from the code."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--check` writes nothing."""
        parser.add_argument("--check", action="store_true", help="only say whether the files are up to date")

    def handle(self, *, check: bool, **_options: Any) -> None:
        """Write what has changed. Raises CommandError where `--check` finds that something has."""
        stale = [path for path, text in files().items() if not path.exists() or path.read_text("utf-8") != text]
        if check and stale:
            names = ", ".join(path.name for path in stale)
            raise CommandError(f"{names} no longer says what the code does. Run `manage.py describe_api`.")
        for path in stale:
            path.write_text(files()[path], encoding="utf-8")
            self.stdout.write(f"Wrote {path.relative_to(settings.BASE_DIR)}.")
