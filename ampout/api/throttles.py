"""How many requests a key, or a client address, may make: counted in Redis, so that all web processes count together.

A window starts with its first request and lasts its full length. When Redis is away, requests pass: refusing work
because a counter is missing would be the worse failure.
"""

import contextlib
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from ampout.lib.client import client_address, client_network

logger = logging.getLogger(__name__)

REDIS_TIMEOUT_SECONDS = 0.5


@lru_cache(maxsize=1)
def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),
    )


class _Outage:
    """Whether Redis was away at the last count, so that an outage is logged once."""

    noted = False


def count_request(name: str, window_seconds: int) -> tuple[int, int]:
    """Count one request under `name`: (requests in this window with this one, seconds until it ends).

    (0, 0) when Redis does not answer.
    """
    try:
        pipeline = _redis(settings.REDIS_URL).pipeline(transaction=True)
        pipeline.set(name, 0, ex=window_seconds, nx=True)
        pipeline.incr(name)
        pipeline.ttl(name)
        _, count, seconds_left = pipeline.execute()
    except redis.RedisError:
        if not _Outage.noted:
            logger.warning("Redis does not answer: requests are not limited.", extra={"action": "throttle_off"})
        _Outage.noted = True
        return 0, 0
    _Outage.noted = False
    return count, max(1, seconds_left)


def forget_request(name: str, *, all_of_them: bool = False) -> None:
    """Take back one request counted under `name`, or all of them; nothing happens when Redis does not answer."""
    with contextlib.suppress(redis.RedisError):
        pipeline = _redis(settings.REDIS_URL).pipeline(transaction=True)
        if all_of_them:
            pipeline.delete(name)
        else:
            # A counter that has just ended must not come back without its end.
            pipeline.set(name, 1, ex=1, nx=True)
            pipeline.decr(name)
        pipeline.execute()


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a window."""

    limit: int
    remaining: int
    seconds_left: int
    window_seconds: int

    def headers(self) -> dict[str, str]:
        """The fields of draft-ietf-httpapi-ratelimit-headers: of its newest form, and the three that clients know."""
        return {
            "RateLimit-Policy": f'"key";q={self.limit};w={self.window_seconds}',
            "RateLimit": f'"key";r={self.remaining};t={self.seconds_left}',
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.seconds_left),
        }


class CountingThrottle(BaseThrottle, ABC):
    """A limit on the requests that share a name within a window."""

    window_seconds = 60
    _wait_seconds = 0

    def allow_request(self, request: Request, _view: object) -> bool:
        """Count this request, and say whether it may pass."""
        return self.count(request) <= self.limit()

    def count(self, request: Request) -> int:
        """How many requests the window has had, with this one; 0 when nobody knows."""
        count, self._wait_seconds = count_request(self.name_of(request), self.window_seconds)
        return count

    def wait(self) -> int:
        """Seconds for `Retry-After`."""
        return self._wait_seconds

    @abstractmethod
    def name_of(self, request: Request) -> str:
        """The name under which a request is counted."""

    @abstractmethod
    def limit(self) -> int:
        """How many requests a window lets pass."""


class KeyThrottle(CountingThrottle):
    """`RATE_LIMIT_PER_MINUTE` requests a minute, for each key; the view tells the caller what is left."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """As for others, but for keys that an operator made unlimited. Sets the view's `allowance`."""
        key: Any = request.auth
        if not key.is_rate_limited:
            return True
        count, limit = self.count(request), self.limit()
        if count:
            view.allowance = Allowance(limit, max(0, limit - count), self.wait(), self.window_seconds)
        return count <= limit

    def name_of(self, request: Request) -> str:
        """The key's id."""
        return f"ampout:rate:{request.auth.pk}"

    def limit(self) -> int:
        """The setting."""
        return int(settings.RATE_LIMIT_PER_MINUTE)


class SignupThrottle(CountingThrottle):
    """`SIGNUP_LIMIT_PER_HOUR` sign-ups an hour, for each client address (each /64 network of IPv6)."""

    window_seconds = 3_600

    def name_of(self, request: Request) -> str:
        """The client's address, or its network where one client has many."""
        return f"ampout:signup:{client_network(client_address(request))}"

    def limit(self) -> int:
        """The setting."""
        return int(settings.SIGNUP_LIMIT_PER_HOUR)
