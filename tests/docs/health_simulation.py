"""The two health rules over simulated mailboxes: the table and the picture of docs/explanation/health.md.

`python -m tests.docs.health_simulation` writes both anew; a test holds the page to a fresh run.
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random
from uuid import UUID

from dispatch.rules.health import HealthVerdict, Limit, judge_bounces, weigh

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "health.md"
PICTURE = PAGE.parents[1] / "pictures" / "health.svg"

THRESHOLD = Decimal(8)
MAILBOXES, SENDS = 200, 500
TRUE_RATES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20)
"""Percent."""

Rule = Callable[[int, int], bool]


def fixed(sends: int, bounces: int) -> bool:
    """The fixed rule with the contract's defaults."""
    return judge_bounces(sends, bounces, [Limit(UUID(int=0), THRESHOLD, 20)]) is not None


def evidence(sends: int, bounces: int) -> bool:
    """The evidence rule."""
    return weigh(sends, bounces, THRESHOLD).verdict is HealthVerdict.UNHEALTHY


RULES: dict[str, Rule] = {"fixed": fixed, "evidence": evidence}


@dataclass(frozen=True, slots=True)
class Result:
    """Of all mailboxes of one true rate: the share that was stopped in percent, and after how many sends (median)."""

    stopped: int
    median_sends: int | None


def stops_after(rule: Rule, rate: int, seed: int) -> int | None:
    """After how many sends a mailbox is stopped, as the engine judges: at each bounce, and at each of the first."""
    rng, bounces = Random(1_000 * rate + seed), 0
    for sends in range(1, SENDS + 1):
        bounced = rng.random() * 100 < rate
        bounces += bounced
        if (bounced or sends <= 20) and rule(sends, bounces):
            return sends
    return None


def simulate(rule: Rule, rate: int) -> Result:
    """One rule over all mailboxes of one true rate."""
    ends = [stops_after(rule, rate, seed) for seed in range(MAILBOXES)]
    stopped = [end for end in ends if end is not None]
    return Result(round(100 * len(stopped) / MAILBOXES), round(statistics.median(stopped)) if stopped else None)


def results() -> dict[int, dict[str, Result]]:
    """Every rule at every rate."""
    return {rate: {name: simulate(rule, rate) for name, rule in RULES.items()} for rate in TRUE_RATES}


def table(found: dict[int, dict[str, Result]]) -> str:
    """The page's table."""
    lines = ["| true rate | fixed: stopped | after | evidence: stopped | after |", "|---:|---:|---:|---:|---:|"]
    for rate, by_rule in found.items():
        cells = [f"{rate} %"]
        for result in by_rule.values():
            cells += [f"{result.stopped} %", "–" if result.median_sends is None else str(result.median_sends)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


# -- The picture

WIDTH, HEIGHT = 720, 300
LEFT, TOP, PANEL, DEEP = 56, 44, 280, 200
COLOURS = {"fixed": "#b45309", "evidence": "#1d4ed8"}


def picture(found: dict[int, dict[str, Result]]) -> str:
    """Two panels over the true rate: who is stopped, and how soon."""
    shares = {name: [(rate, by_rule[name].stopped) for rate, by_rule in found.items()] for name in RULES}
    delays = {
        name: [(rate, median) for rate, by_rule in found.items() if (median := by_rule[name].median_sends) is not None]
        for name in RULES
    }
    body = [
        *panel(LEFT, "Stopped within 500 sends, %", shares, 100),
        *panel(LEFT + PANEL + 80, "Sends until the stop, median", delays, 300),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12">\n'
        "<title>The fixed rule and the evidence rule over simulated mailboxes</title>\n"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def panel(left: int, title: str, lines: dict[str, list[tuple[int, int]]], top_value: int) -> Iterator[str]:
    """One panel: a grid, the limit, and a line for each rule."""

    def x(rate: float) -> float:
        return left + PANEL * rate / 20

    def y(value: float) -> float:
        return TOP + DEEP * (1 - min(value, top_value) / top_value)

    yield f'<text x="{left}" y="{TOP - 22}" font-weight="600" fill="#111827">{title}</text>'
    for part in range(5):
        value = top_value * part // 4
        yield f'<line x1="{left}" x2="{left + PANEL}" y1="{y(value)}" y2="{y(value)}" stroke="#e5e7eb"/>'
        yield f'<text x="{left - 6}" y="{y(value) + 4}" text-anchor="end" fill="#4b5563">{value}</text>'
    for rate in (0, 4, 8, 12, 16, 20):
        yield f'<text x="{x(rate)}" y="{TOP + DEEP + 18}" text-anchor="middle" fill="#4b5563">{rate} %</text>'
    middle = left + PANEL / 2
    yield f'<text x="{middle}" y="{TOP + DEEP + 38}" text-anchor="middle" fill="#4b5563">true bounce rate</text>'
    yield f'<line x1="{x(8)}" x2="{x(8)}" y1="{TOP}" y2="{TOP + DEEP}" stroke="#6b7280" stroke-dasharray="4 4"/>'
    yield f'<text x="{x(8) + 4}" y="{TOP - 4}" fill="#4b5563">threshold</text>'
    for row, (name, points) in enumerate(lines.items()):
        path = " ".join(f"{x(rate):.1f},{y(value):.1f}" for rate, value in points)
        yield f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="2.5"/>'
        place = f'x="{left + PANEL - 70}" y="{TOP + 96 + 18 * row}"'
        yield f'<text {place} fill="{COLOURS[name]}" font-weight="600">{name}</text>'


def with_table(page: str, new_table: str) -> str:
    """The page with its table replaced."""
    before, _, rest = page.partition("<!-- simulation -->\n")
    _, _, after = rest.partition("<!-- end of simulation -->")
    return f"{before}<!-- simulation -->\n\n{new_table}\n<!-- end of simulation -->{after}"


if __name__ == "__main__":
    simulated = results()
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), table(simulated)), encoding="utf-8")
    PICTURE.write_text(picture(simulated), encoding="utf-8")
