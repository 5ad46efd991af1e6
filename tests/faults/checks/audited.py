"""The words of `manage.py audit`, as violations of the invariant that each of its checks belongs to."""

import re
from collections.abc import Iterator

from tests.faults.checks.view import View
from tests.faults.checks.violation import Law, Violation

LAW_OF = {
    "1": Law.TWICE,
    "2": Law.LOST,
    "4": Law.CAPS,
    "5": Law.STOPS,
    "7": Law.EVENTS,
    "8": Law.EVENTS,
    "9": Law.TENANTS,
    "order:": Law.ORDER,
}
"""By the first word of a check's name, which is the number of the design's law."""

_PREFIX = re.compile(r"^audit exits -?[0-9]+: ")
"""What tests.faults.ledger.audit puts before them."""

BROKEN = "broken"
SHOWN = 3
"""Rows of a broken check that its sentence repeats."""


def audited(view: View) -> Iterator[Violation]:
    """A violation for each broken check; the audit's own failure counts as a loss, as nothing was proved."""
    text = "\n".join(_PREFIX.sub("", words) for words in view.history.audit)
    lines = [line for line in text.splitlines() if line.strip()]
    broken = [number for number, line in enumerate(lines) if line.startswith(BROKEN)]
    if lines and not broken and not any(line.startswith("All ") for line in lines):
        yield Violation(Law.LOST, f"The audit failed: {' '.join(lines)}", None)
    for number in broken:
        name = lines[number].removeprefix(BROKEN).strip()
        rows = _rows_after(lines, number)
        sentence = "; ".join([f"audit: {name}", *(row.strip() for row in rows[:SHOWN])])
        yield Violation(LAW_OF.get(name.split(" ")[0], Law.LOST), sentence, None)


def _rows_after(lines: list[str], number: int) -> list[str]:
    rows = []
    for line in lines[number + 1 :]:
        if not line.startswith(" "):
            break
        rows.append(line)
    return rows
