"""The suppression list: addresses and domains that must not be written to. Additive to the contract.

What is kept is a keyed hash, so the list cannot show an address; asking for one tells whether it is on it.
"""

import uuid
from types import MappingProxyType
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api.fields import MOST_ITEMS, Checked, EmailAddress, ListOf, Nested, Schema
from ampout.api.resources import Resource
from ampout.lib.addresses import InvalidAddress, parse_address
from ampout.lib.errors import ValidationFailed, problems_below
from campaigns.models import Suppression
from campaigns.rules.suppression import SuppressionReason
from campaigns.selectors.contacts import suppressions_of
from campaigns.services.digests import address_digest, domain_digest
from dispatch.services import stops
from dispatch.services.stops import Target


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
ENTRY: Schema = {"email": EMAIL, "domain": DOMAIN}
ENTRIES = "suppressions"
SUPPRESSION: Schema = {**ENTRY, ENTRIES: ListOf(item=Nested(schema=ENTRY), fewest=1, most=MOST_ITEMS)}


def read_target(entry: dict[str, Any]) -> Target:
    """Whom an entry is about. Raises ValidationFailed."""
    if len(entry) != 1:
        raise ValidationFailed({"email": ["Give either `email` or `domain`."]})
    if "email" in entry:
        return stops.address_target(entry["email"])
    return stops.domain_target(entry["domain"])


def read_targets(entries: list[dict[str, Any]]) -> list[Target]:
    """Whom many entries are about. Raises ValidationFailed, by place."""
    targets = []
    for place, entry in enumerate(entries):
        with problems_below(f"{ENTRIES}.{place}"):
            targets.append(read_target(entry))
    return targets


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
        """Suppress an address or a domain, or many of them, and stop their sequences."""
        values = self.read("suppression", SUPPRESSION)
        if ENTRIES in values and len(values) != 1:
            raise ValidationFailed({ENTRIES: ["Give either one entry or a list."]})
        targets = read_targets(values[ENTRIES]) if ENTRIES in values else [read_target(values)]
        found = stops.suppress_all(self.account.pk, targets, SuppressionReason.MANUAL)
        shown = [show_suppression(found[target]) for target in dict.fromkeys(targets)]
        return Response(shown if ENTRIES in values else shown[0], status=201)


class SuppressionDetail(Resource):
    """`DELETE /suppressions/:id`."""

    id_codes = MappingProxyType({"suppression_id": "not_found"})

    def delete(self, _request: Request, suppression_id: uuid.UUID) -> Response:
        """Take an entry off the list; what it stopped stays stopped."""
        stops.lift_suppression(self.account, suppression_id)
        return Response(status=204)
