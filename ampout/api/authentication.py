"""Bearer keys: the only way into the API. No session, no cookie, no key in a query string."""

from dataclasses import dataclass

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from ampout.accounts.models import Account, ApiKey
from ampout.accounts.services import find_key
from ampout.api.errors import AccountSuspended

LONGEST_KEY = 200
"""Characters; ours have 51."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: an account, by one of its keys."""

    account: Account
    is_authenticated: bool = True


class BearerKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer ak_live_…`; `request.auth` is the key, `request.user` the principal."""

    def authenticate(self, request: Request) -> tuple[Principal, ApiKey] | None:
        """The caller; None without the header. Raises AuthenticationFailed and AccountSuspended."""
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if not scheme:
            return None
        key = find_key(text.strip()) if scheme.lower() == "bearer" and len(text) <= LONGEST_KEY else None
        if key is None:
            raise AuthenticationFailed("This is not a live API key. Send `Authorization: Bearer ak_live_…`.")
        account: Account = key.account
        if account.suspended_at is not None:
            raise AccountSuspended("This account is suspended. Ask the operator of this server.")
        return Principal(account), key

    def authenticate_header(self, _request: Request) -> str:
        """The challenge of a 401."""
        return 'Bearer realm="ampout"'
