"""The suppression list: addresses and domains that must not be written to. Additive to the contract.

What is kept is a keyed hash, so the list cannot show an address; asking for one tells whether it is on it.
"""

import uuid
from types import MappingProxyType
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api.fields import Checked, EmailAddress
from ampout.api.resources import Resource
from ampout.lib.addresses import InvalidAddress, parse_address
from ampout.lib.errors import ValidationFailed
from campaigns.models import Suppression
from campaigns.rules.suppression import SuppressionReason
from campaigns.selectors.contacts import suppressions_of
from campaigns.services.digests import address_digest, domain_digest
from dispatch.services import stops


def read_domain(value: object) -> str:
    """A domain in A-labels, lower-cased. Raises ValueError with a sentence."""
    if not isinstance(value, str) or "@" in value:
        raise ValueError("Must be a domain, such as example.com.")  # a sentence for the caller
    bare = value.strip(" \t")
    try:
        return parse_address(f"anybody@{bare}").domain
    except InvalidAddress:
        raise ValueError("Must be a domain, such as example.com.") from None


EMAIL = EmailAddress()
DOMAIN = Checked(function=read_domain, described={"type": "string", "format": "idn-hostname", "maxLength": 253})
SUPPRESSION = {"email": EMAIL, "domain": DOMAIN}


def show_suppression(suppression: Suppression) -> dict[str, Any]:
    """An entry of the list; `scope` is `all`, or `marketing` where single messages may still go."""
    return {
        "id": suppression.pk,
        "kind": suppression.kind,
        "scope": suppression.scope,
        "reason": suppression.reason,
        "created_at": suppression.suppressed_at,
    }


class Suppressions(Resource):
    """`GET|POST /suppressions`; `?email=` and `?domain=` look one up."""

    def get(self, _request: Request) -> Response:
        """The list, newest first."""
        return self.answer_list(self._wanted(), show_suppression, time_field="suppressed_at")

    def _wanted(self) -> QuerySet[Suppression]:
        entries = suppressions_of(self.account)
        email, domain = self.query("email", EMAIL), self.query("domain", DOMAIN)
        if email is not None:
            entries = entries.filter(digest=address_digest(email.identity))
        return entries if domain is None else entries.filter(digest=domain_digest(domain))

    def post(self, _request: Request) -> Response:
        """Suppress an address or a domain, and stop its sequences."""
        values = self.read("suppression", SUPPRESSION)
        if len(values) != 1:
            raise ValidationFailed({"email": ["Give either `email` or `domain`."]})
        if "email" in values:
            entry = stops.suppress_address(self.account, values["email"], SuppressionReason.MANUAL)
        else:
            entry = stops.suppress_domain(self.account, values["domain"], SuppressionReason.MANUAL)
        return Response(show_suppression(entry), status=201)


class SuppressionDetail(Resource):
    """`DELETE /suppressions/:id`."""

    id_codes = MappingProxyType({"suppression_id": "not_found"})

    def delete(self, _request: Request, suppression_id: uuid.UUID) -> Response:
        """Take an entry off the list; what it stopped stays stopped."""
        stops.lift_suppression(self.account, suppression_id)
        return Response(status=204)
