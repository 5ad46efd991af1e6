"""Sign-up: a new account and its first key, where the operator allows it."""

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from ampout.accounts.services import sign_up
from ampout.api.api_keys import show_issued_key
from ampout.api.errors import InsufficientScope
from ampout.api.fields import EmailAddress, Text
from ampout.api.resources import Resource
from ampout.api.throttles import SignupThrottle
from ampout.lib.client import client_address

SIGNUP = {"email": EmailAddress(required=True), "name": Text(required=True, blank=False)}


class Signup(Resource):
    """`POST /signup`, without a key."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = (SignupThrottle,)

    def idempotency_scope(self) -> str:
        """The client's address: there is no account yet."""
        return f"address:{client_address(self.request)}"[:80]

    def post(self, _request: Request) -> Response:
        """Make an account."""
        if not settings.ALLOW_SIGNUP:
            raise InsufficientScope("Sign-up is off on this server. Ask its operator for a key, or set ALLOW_SIGNUP=1.")
        values = self.read("signup", SIGNUP)
        account, issued = sign_up(values["email"].identity, values["name"])
        shown: dict[str, Any] = {"id": account.pk, "email": account.email, "name": account.name}
        return Response({"account": shown, "api_key": show_issued_key(issued)}, status=201)
