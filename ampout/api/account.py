"""The account itself: what its messages say of their sender. Additive to the contract."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from ampout.accounts.models import Account
from ampout.accounts.services import update_account
from ampout.api.fields import Text
from ampout.api.resources import Resource

ACCOUNT = {
    "name": Text(blank=False),
    "sender_name": Text(),
    "postal_address": Text(longest=500, multiline=True),
}


def show_account(account: Account) -> dict[str, Any]:
    """An account as its owner sees it."""
    return {
        "id": account.pk,
        "email": account.email,
        "name": account.name,
        "sender_name": account.sender_name,
        "postal_address": account.postal_address,
        "created_at": account.created_at,
    }


class AccountDetail(Resource):
    """`GET|PATCH /account`."""

    def get(self, _request: Request) -> Response:
        """Show it."""
        return Response(show_account(self.account))

    def patch(self, _request: Request) -> Response:
        """Set what was given."""
        values = self.read("account", ACCOUNT, partial=True)
        return Response(show_account(update_account(self.account, **values)))
