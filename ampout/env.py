"""Typed readers of the environment whose errors name the variable and the fix."""

import ipaddress
import os
from decimal import Decimal, InvalidOperation
from urllib.parse import SplitResult, urlsplit

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

_env = environ.Env()

SHORTEST_SECRET = 50
"""Characters, as Django's own check has it (security.W009)."""
FEWEST_CHARACTERS = 10
"""Different characters of a secret: random hexadecimal digits have more."""
WELL_KNOWN = (
    "insecure",
    "secret",
    "password",
    "placeholder",
    "example",
    "default",
    "change-me",
    "change_me",
    "changeme",
)
"""What stands in keys that were copied from somewhere. In a random key, none of it does."""


def text(name: str, default: str | None = None) -> str:
    """The variable as text; without a default it must be set."""
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"{name} is not set. Set it in the environment (see .env.example).")
    return value


LONGEST_SHORT = 64
"""Characters of a text that has to fit into a column."""


def short(name: str, default: str) -> str:
    """The variable as text that is stored, without spaces around it."""
    value = text(name, default).strip()
    if len(value) > LONGEST_SHORT or not value.isprintable():
        raise ImproperlyConfigured(f"{name} must have at most {LONGEST_SHORT} characters, in one line.")
    return value


def secret(name: str, *, strict: bool) -> str:
    """A key that others sign or hash with. `strict` refuses one that can be guessed; an empty one always is refused.

    The value itself is in no message.
    """
    value = text(name)
    problem = "" if value else "is empty"
    if strict and value:
        problem = _weakness(value)
    if problem:
        fix = "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        raise ImproperlyConfigured(f"{name} {problem}, so others can forge what it signs. {fix}")
    return value


def _weakness(value: str) -> str:
    if any(word in value.lower() for word in WELL_KNOWN):
        return "is one that is known"
    if len(value) < SHORTEST_SECRET:
        return f"has fewer than {SHORTEST_SECRET} characters"
    return "has too few different characters" if len(set(value)) < FEWEST_CHARACTERS else ""


def url(name: str, default: str) -> SplitResult:
    """An http:// or https:// address with a host."""
    value = (os.environ.get(name) or default).rstrip("/")
    try:
        parts = urlsplit(value)
        usable = (
            parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
        )
    except ValueError:
        usable = False
    if not usable:
        raise ImproperlyConfigured(f"{name} is {value!r}. Use an address such as https://mail.example.com.")
    return parts


def flag(name: str, *, default: bool = False) -> bool:
    """1/true/yes/on or 0/false/no/off."""
    value = os.environ.get(name, "").strip().lower()
    if value == "":
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} is {value!r}. Use 1 or 0.")


def number(name: str, default: int, *, minimum: int = 0) -> int:
    """A whole number of at least `minimum`."""
    value = os.environ.get(name, "").strip()
    if value == "":
        return default
    try:
        result = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {value!r}. Use a whole number.") from None
    if result < minimum:
        raise ImproperlyConfigured(f"{name} is {result}. Use a whole number of at least {minimum}.")
    return result


def percent(name: str, default: str) -> Decimal:
    """A number above 0 and up to 100."""
    value = os.environ.get(name, "").strip() or default
    try:
        result = Decimal(value)
    except InvalidOperation:
        raise ImproperlyConfigured(f"{name} is {value!r}. Use a number of percent such as {default}.") from None
    if not 0 < result <= 100:
        raise ImproperlyConfigured(f"{name} is {value}. Use more than 0 and at most 100 percent.")
    return result


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list, without empty items."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def networks(name: str) -> list[str]:
    """A comma-separated list of networks in CIDR notation."""
    for word in words(name):
        try:
            ipaddress.ip_network(word)
        except ValueError:
            raise ImproperlyConfigured(f"{name} holds {word!r}. Use networks such as 10.1.0.0/16.") from None
    return words(name)


def fernet_keys(name: str) -> list[str]:
    """A comma-separated list of Fernet keys, newest first; at least one."""
    keys = words(name)
    fix = "Make one with: python -c 'from cryptography.fernet import Fernet as F; print(F.generate_key().decode())'"
    if not keys:
        raise ImproperlyConfigured(f"{name} is not set: it encrypts mailbox passwords. {fix}")
    for key in keys:
        try:
            Fernet(key)
        except ValueError:
            raise ImproperlyConfigured(f"{name} holds a value that is not a Fernet key. {fix}") from None
    return keys


_UNREADABLE_URL = "cannot be read. Percent-encode what is special in its password, such as / as %2F."


def broker(name: str) -> str:
    """The URL of Redis, with a port and a password that can be told from each other."""
    value = text(name)
    try:
        _ = urlsplit(value).port
    except ValueError:
        raise ImproperlyConfigured(f"{name} {_UNREADABLE_URL}") from None
    return value


def database(name: str) -> dict[str, object]:
    """Django's database settings from a postgres:// URL. Only PostgreSQL is supported."""
    url = text(name)
    if not url.startswith(("postgres://", "postgresql://")):
        raise ImproperlyConfigured(f"{name} must start with postgres://; no other database is supported.")
    try:
        return dict(_env.db_url_config(url))
    except ValueError:
        # The original error quotes a part of the password.
        raise ImproperlyConfigured(f"{name} {_UNREADABLE_URL}") from None
