"""API keys: listed without their text, which is shown once, at creation."""

import uuid
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from ampout.accounts.models import ApiKey
from ampout.accounts.rules.keys import ALL_SCOPES, ClientKind
from ampout.accounts.services import IssuedKey, issue_key, revoke_key
from ampout.api.fields import Choice, ListOf, Text
from ampout.api.resources import Resource
from ampout.api.scopes import check_scopes

API_KEY = {
    "label": Text(),
    "client_kind": Choice(words=tuple(ClientKind)),
    "scopes": ListOf(item=Choice(words=ALL_SCOPES), fewest=1, most=len(ALL_SCOPES), empty_message="Name at least one."),
}


def client_kind_of(key: ApiKey | None) -> ClientKind:
    """What a call's sends are counted under."""
    return ClientKind(key.client_kind) if key else ClientKind.DIRECT


def show_key(key: ApiKey) -> dict[str, Any]:
    """A key as the contract shows it."""
    return {
        "id": key.pk,
        "prefix": key.prefix,
        "label": key.label,
        "client_kind": key.client_kind,
        "scopes": key.scopes,
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
    }


def show_issued_key(issued: IssuedKey) -> dict[str, Any]:
    """A new key with its text."""
    return show_key(issued.key) | {"plaintext": issued.plaintext}


class ApiKeys(Resource):
    """`GET|POST /api_keys`."""

    def get(self, _request: Request) -> Response:
        """The account's live keys."""
        live = ApiKey.objects.of(self.account).filter(revoked_at__isnull=True)
        return self.answer_list(live, show_key)

    def post(self, _request: Request) -> Response:
        """Make a key, which can do no more than the one that makes it."""
        values, held = self.read("api_key", API_KEY), self.key.scopes if self.key else []
        scopes = values.get("scopes", held)
        check_scopes(scopes, held, "Granting this")
        kind = ClientKind(values.get("client_kind", ClientKind.DIRECT))
        issued = issue_key(self.account, label=values.get("label", ""), client_kind=kind, scopes=scopes)
        return Response(show_issued_key(issued), status=201)


class ApiKeyDetail(Resource):
    """`DELETE /api_keys/:id`."""

    def delete(self, _request: Request, api_key_id: uuid.UUID) -> Response:
        """Revoke a key, unless it is the last."""
        revoke_key(self.account, api_key_id)
        return Response(status=204)
