"""What each call asks of a key: one table for all routes, so that a new route is walled before anybody thinks of it."""

from collections.abc import Collection

from ampout.accounts.rules.keys import Scope, first_missing
from ampout.api.errors import InsufficientScope

SAFE_METHODS = frozenset({"GET", "HEAD"})
ADMIN_RESOURCES = frozenset({"api_keys", "webhooks"})
"""Keys, and URLs that may hold a secret: not even to be seen without it."""
SENDING_ACTIONS = frozenset({"dispatch", "resume", "test_send", "reenable", "resolve"})


def scope_for(method: str, route: str) -> Scope:
    """The scope that a call asks for; `route` is its pattern, such as `campaigns/<str:campaign_id>/dispatch`."""
    segments = route.strip("/").split("/")
    if segments[0] in ADMIN_RESOURCES:
        return Scope.ADMIN
    if method in SAFE_METHODS:
        return Scope.READ
    if segments[0] == "account":
        return Scope.ADMIN
    return Scope.SEND if segments[-1] in SENDING_ACTIONS else Scope.WRITE


def check_scopes(wanted: Collection[str], held: Collection[str], what: str) -> None:
    """Raises InsufficientScope, which names the first of the wanted scopes that is not held."""
    missing = first_missing(wanted, held)
    if missing is not None:
        sentence = f"{what} needs the scope `{missing}`, and this key has {_listed(held)}."
        raise InsufficientScope(sentence, details={"required_scope": missing.value, "scopes": list(held)})


def _listed(scopes: Collection[str]) -> str:
    return ", ".join(f"`{scope}`" for scope in scopes) or "none"
