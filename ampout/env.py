"""Typed readers of the environment whose errors name the variable and the fix."""

import ipaddress
import os
from decimal import Decimal, InvalidOperation

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

_env = environ.Env()


def text(name: str, default: str | None = None) -> str:
    """The variable as text; without a default it must be set."""
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"{name} is not set. Set it in the environment (see .env.example).")
    return value


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


def database(name: str) -> dict[str, object]:
    """Django's database settings from a postgres:// URL. Only PostgreSQL is supported."""
    url = text(name)
    if not url.startswith(("postgres://", "postgresql://")):
        raise ImproperlyConfigured(f"{name} must start with postgres://; no other database is supported.")
    return dict(_env.db_url_config(url))
