"""Tasks that reach the workers more than once, as a broker may deliver them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis
from celery import Celery
from celery.utils import uuid

from ampout.schedule import CeleryConfiguration
from ampout.supervisor.valkey import ValkeyServer

QUEUE = "celery"
COPIES = 5


def duplicate_tasks(broker: ValkeyServer, copies: int = COPIES) -> int:
    """Put every periodic task on the broker so many times at once, under one id; and so what waits there.

    Returns how many tasks were multiplied.
    """
    waiting = _repeat_waiting(broker, copies)
    names = sorted({entry["task"] for entry in CeleryConfiguration.beat_schedule.values()})
    with ThreadPoolExecutor(copies) as senders:
        ids = {name: uuid() for name in names}
        list(senders.map(lambda _number: _send_all(broker, ids), range(copies)))
    return waiting + len(names)


def _repeat_waiting(broker: ValkeyServer, copies: int) -> int:
    with redis.Redis(unix_socket_path=str(broker.socket_path)) as client:
        waiting: list[Any] = client.lrange(QUEUE, 0, -1)
        if waiting:
            client.rpush(QUEUE, *(waiting * (copies - 1)))
    return len(waiting)


def _send_all(broker: ValkeyServer, ids: dict[str, str]) -> None:
    # Given by hand: Celery itself looks into the environment first, which names the broker of the test run.
    with Celery("nemesis", set_as_current=False) as sender, sender.connection_for_write(broker.url) as connection:
        for name, task_id in ids.items():
            sender.send_task(name, task_id=task_id, connection=connection)
