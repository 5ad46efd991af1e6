"""What the planner's statements cost: each is explained in place, with the buffers it touches, and then run."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction

from dispatch.services import plan


@dataclass
class Cost:
    """One statement's plan as the list of its nodes and indexes, its buffers (8 kB pages) and its milliseconds."""

    nodes: list[str] = field(default_factory=list)
    buffers: int = 0
    milliseconds: float = 0.0


@dataclass
class Tick:
    """A tick's statements by the order in which they ran, and the tick's own seconds without explanations."""

    costs: dict[str, Cost] = field(default_factory=dict)
    seconds: float = 0.0
    planned: int = 0


def explain_tick() -> Tick:
    """Run one tick inside a transaction that is rolled back, explaining every statement."""
    tick = Tick()
    with _rolled_back(), connection.execute_wrapper(explainer(tick)):
        plan.plan()
    return tick


def time_tick(times: int = 3) -> Tick:
    """The fastest of some ticks that are rolled back; nothing is explained."""
    best = Tick(seconds=float("inf"))
    for _ in range(times):
        with _rolled_back():
            started = time.perf_counter()
            planned = plan.plan().planned
            best = min(
                best, Tick(seconds=time.perf_counter() - started, planned=planned), key=lambda tick: tick.seconds
            )
    return best


@contextmanager
def _rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def explainer(tick: Tick) -> Callable[..., Any]:
    """What `connection.execute_wrapper` takes to note each statement's cost in `tick`; each is run twice."""

    def wrapper(execute: Callable[..., Any], query: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        verb = query.lstrip().split(None, 1)[0].upper()
        if verb in {"SELECT", "WITH", "UPDATE", "INSERT"} and not many:
            label = f"{len(tick.costs):02} {' '.join(query.split())[:70]}"
            tick.costs[label] = _explain(query, params)
        return execute(query, params, many, context)

    return wrapper


def _explain(query: str, params: Any) -> Cost:
    """Explained by a cursor of its own, and undone: EXPLAIN ANALYZE carries a statement out."""
    with transaction.atomic(), connection.connection.cursor() as cursor:
        cursor.execute("SAVEPOINT explained")
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query, params)
        answer = cursor.fetchone()[0]
        cursor.execute("ROLLBACK TO SAVEPOINT explained")
    report = answer[0] if isinstance(answer, list) else json.loads(answer)[0]
    cost = Cost(milliseconds=report["Execution Time"])
    _walk(report["Plan"], cost)
    cost.buffers = report["Plan"]["Shared Hit Blocks"] + report["Plan"]["Shared Read Blocks"]
    return cost


def _walk(node: dict[str, Any], cost: Cost) -> None:
    cost.nodes.append(f"{node['Node Type']} {node.get('Index Name', node.get('Relation Name', ''))}".strip())
    for child in node.get("Plans", []):
        _walk(child, cost)
