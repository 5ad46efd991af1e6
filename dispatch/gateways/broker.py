"""The broker, asked whether it is there."""

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

QUEUE = "celery"
"""The list that Celery's tasks wait in."""
PATIENCE_SECONDS = 2.0


def waiting_tasks() -> int | None:
    """How many tasks wait in it; None where it does not answer."""
    client = redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        with client:
            return int(str(client.llen(QUEUE)))
    except (redis.RedisError, OSError):
        return None
