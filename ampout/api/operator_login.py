"""The form by which operators log in: guessing passwords is limited by address and user name."""

import logging
import math
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import ValidationError
from django.http import HttpRequest

from ampout.api.throttles import count_request, forget_request
from ampout.lib import clock
from ampout.lib.client import client_address, client_network

if TYPE_CHECKING:
    from django.contrib.admin.forms import AdminAuthenticationForm as AuthenticationForm
else:
    from unfold.forms import AuthenticationForm

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 900
MOST_FOR_A_NAME = 10
"""Wrong passwords for one user name from one address; nobody elsewhere is kept out by them."""
MOST_FOR_AN_ADDRESS = 50
"""Wrong passwords from one address, whatever the names."""
MOST_KEPT = 10_000
"""Counters of this process; beyond, the oldest go."""

_own_counters: dict[str, tuple[int, float]] = {}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to log in, under the names that it is counted by."""

    by_name: str
    by_address: str

    def take(self) -> int:
        """Count it before the password is looked at; the seconds to wait when there were too many, 0 otherwise."""
        counted = [_count(self.by_name), _count(self.by_address)]
        limits = [MOST_FOR_A_NAME, MOST_FOR_AN_ADDRESS]
        return max((left for (count, left), most in zip(counted, limits, strict=True) if count > most), default=0)

    def succeed(self) -> None:
        """It was no guess: the name starts anew, and the address has one less."""
        forget_request(self.by_name, all_of_them=True)
        forget_request(self.by_address)
        _own_counters.pop(self.by_name, None)
        _own_counters.pop(self.by_address, None)


def attempt_of(request: HttpRequest, username: str) -> Attempt:
    """Whoever asks for whichever name; the name itself, which may be a misplaced password, is not kept."""
    network = client_network(client_address(request))
    digest = sha256(username.casefold().encode("utf-8", "replace")).hexdigest()[:32]
    return Attempt(f"ampout:login:{network}:{digest}", f"ampout:login:{network}")


def _count(name: str) -> tuple[int, int]:
    """As `count_request`; in this process alone while Redis is away, as guesses must not be free meanwhile."""
    count, seconds_left = count_request(name, WINDOW_SECONDS)
    return (count, seconds_left) if count else _count_here(name, clock.utc_now().timestamp())


def _count_here(name: str, now: float) -> tuple[int, int]:
    count, ends_at = _own_counters.pop(name, (0, 0.0))
    if ends_at <= now:
        count, ends_at = 0, now + WINDOW_SECONDS
    while len(_own_counters) >= MOST_KEPT:
        del _own_counters[next(iter(_own_counters))]
    _own_counters[name] = (count + 1, ends_at)
    return count + 1, math.ceil(ends_at - now)


class LoginForm(AuthenticationForm):
    """Unfold's form, with a limit."""

    def clean(self) -> dict[str, Any]:
        """The name and the password, checked. Raises ValidationError."""
        attempt = attempt_of(cast("HttpRequest", self.request), self.cleaned_data.get("username") or "")
        wait_seconds = attempt.take()
        if wait_seconds:
            logger.warning("An attempt to log in was refused.", extra={"action": "login_throttled"})
            minutes = math.ceil(wait_seconds / 60)
            raise ValidationError(f"Too many attempts to log in. Try again in {minutes} minutes.", code="throttled")
        cleaned: dict[str, Any] = super().clean()
        attempt.succeed()
        return cleaned
