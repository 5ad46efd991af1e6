"""The README's own commands, with nothing replaced but whose mailbox it is and where the server listens."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"
HEADING = "## Five calls: your first campaign"
SECONDS = 60


def personalise(commands: str, values: Mapping[str, str]) -> str:
    """The commands with a reader's values put in, by the names of the README's variables; each is set exactly once."""
    for name, value in values.items():
        found = re.findall(rf"\b{name}=(?:'[^']*'|\S+)", commands)
        assert len(found) == 1, f"the README does not set {name} exactly once"
        commands = commands.replace(found[0], f"{name}='{value}'")
    return commands


def first_campaign() -> str:
    """The shell commands that send a first campaign, as the README has them."""
    section = README.read_text(encoding="utf-8").split(f"\n{HEADING}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert blocks, "the README has no shell commands there"
    return "".join(blocks)


def run(commands: str, *names: str) -> dict[str, str]:
    """Run the commands by a shell that stops at the first failure; returns these of its variables."""
    tell = "".join(f'printf "%s\\n" "${name}" >&3\n' for name in names)
    script = f"exec 3>&1 >&2\n{commands}\n{tell}"
    shell = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(shell, check=False, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return dict(zip(names, done.stdout.splitlines(), strict=True))
