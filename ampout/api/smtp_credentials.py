"""SMTP credentials: the mailboxes of a campaign. Passwords come in and never go out."""

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from django.db.models import OuterRef, QuerySet, Subquery
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api.fields import (
    Boolean,
    Choice,
    EmailAddress,
    Field,
    Id,
    Integer,
    Invalid,
    JsonSchema,
    Nested,
    Secret,
    Text,
    describe_text,
)
from ampout.api.resources import Resource, find_or_404
from ampout.api.throttles import count_request
from ampout.lib.errors import ValidationFailed
from campaigns.models import Campaign, CampaignCredential
from campaigns.selectors.campaigns import find_campaign
from campaigns.services.campaigns import attach_credential
from credentials.gateways.imap_login import check_imap_login
from credentials.gateways.smtp_login import check_smtp_login
from credentials.models import SmtpCredential
from credentials.presets import all_presets, preset_for
from credentials.rules.credential_state import CredentialStatus, status_of
from credentials.rules.hosts import InvalidHost, normalise_host
from credentials.rules.login_check import LoginCheck
from credentials.services import Admission, CredentialEntry, CredentialValues, update_credential
from dispatch.models import Mailbox
from dispatch.services.senders import detach_credential, reenable_credential, set_daily_limit, try_again

HIGHEST_PORT = 65_535
HIGHEST_DAILY_LIMIT = 1_000_000
CHECKS_PER_LOGIN = 5
CHECKS_PER_HOST = 30
CHECK_WINDOW_SECONDS = 60
MAILBOX_FACTS = ("polled_at", "problem", "problem_at")
LOGIN_FIELDS = frozenset({"smtp_host", "smtp_port", "smtp_username", "smtp_password", "from_email"})
"""Whoever changes one of these has mended the login, and wants to see it work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostName(Field):
    """A host name or an IP address; null is the empty text where `blank` allows that."""

    blank: bool = False

    def read_null(self) -> str:
        """The empty text. Raises Invalid where that is not allowed."""
        if not self.blank:
            raise Invalid("May not be null.")
        return ""

    def read_value(self, value: object) -> str:
        """The host in lower case. Raises Invalid."""
        if not isinstance(value, str):
            raise Invalid("Must be text.")
        if self.blank and not value:
            return ""
        try:
            return normalise_host(value)
        except InvalidHost as error:
            raise Invalid(str(error)) from None

    @property
    def takes_null(self) -> bool:
        """Null is the empty text."""
        return self.blank

    def describe_value(self) -> JsonSchema:
        """A host as text: its name, or its address."""
        return describe_text(253, blank=self.blank)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderAddress(Field):
    """The address that messages come from, in the form of the envelope: its domain in A-labels."""

    def read_value(self, value: object) -> str:
        """The address. Raises Invalid."""
        envelope: str = EmailAddress().read(value).envelope
        return envelope

    def describe_value(self) -> JsonSchema:
        """An address."""
        return EmailAddress().describe_value()


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedCredential(Nested):
    """A credential as a campaign names it; read as a CredentialEntry."""

    def read_value(self, value: object) -> Any:
        """The entry. Raises Invalid."""
        # By name: `super()` is lost in a dataclass with slots.
        return read_entry(Nested.read_value(self, value))


CREDENTIAL = {
    "preset": Choice(words=tuple(preset.key for preset in all_presets())),
    "label": Text(),
    "smtp_host": HostName(),
    "smtp_port": Integer(minimum=1, maximum=HIGHEST_PORT),
    "smtp_username": Text(longest=320, blank=False),
    "smtp_password": Secret(),
    "from_name": Text(),
    "from_email": SenderAddress(),
    "daily_limit": Integer(minimum=1, maximum=HIGHEST_DAILY_LIMIT),
    "imap_host": HostName(blank=True),
    "imap_port": Integer(minimum=1, maximum=HIGHEST_PORT, null=True),
    "imap_username": Text(longest=320),
    "imap_password": Secret(blank=True),
    "plus_addressing": Boolean(),
}
ATTACHED_CREDENTIAL = CREDENTIAL | {"id": Id()}
NESTED_CREDENTIAL = NestedCredential(schema=ATTACHED_CREDENTIAL)


def read_entry(values: dict[str, Any]) -> CredentialEntry:
    """The values of a body with its preset filled in, and its id apart. Raises Invalid."""
    values = dict(values)
    preset, credential_id = values.pop("preset", None), values.pop("id", None)
    if preset is not None:
        values = _preset_values(preset, values) | values
    return CredentialEntry(cast("CredentialValues", values), credential_id)


def _preset_values(key: str, given: dict[str, Any]) -> dict[str, Any]:
    """Host and port of the provider's submission server, and of its mailboxes where an IMAP login is given."""
    preset = next(preset for preset in all_presets() if preset.key == key)
    host = preset.hosts[0]
    if "{region}" in host and "smtp_host" not in given:
        raise Invalid({"smtp_host": [f"{preset.name} has one server a region: give it, such as {host}."]})
    values: dict[str, Any] = {"smtp_host": host, "smtp_port": (preset.smtp.starttls + preset.smtp.tls)[0]}
    if preset.imap is not None and given.get("imap_username"):
        values |= {"imap_host": preset.imap.host, "imap_port": preset.imap.port}
    return values


def show_credential(credential: SmtpCredential) -> dict[str, Any]:
    """A credential without its passwords; `provider` and `advice` are what is known of its host."""
    preset = preset_for(credential.smtp_host)
    return {
        "id": credential.pk,
        "label": credential.label,
        "smtp_host": credential.smtp_host,
        "smtp_port": credential.smtp_port,
        "smtp_username": credential.smtp_username,
        "from_name": credential.from_name,
        "from_email": credential.from_email,
        "daily_limit": credential.daily_limit,
        "imap_host": credential.imap_host or None,
        "imap_port": credential.imap_port,
        "imap_username": credential.imap_username or None,
        "plus_addressing": credential.plus_addressing,
        "reply_detection": credential.detects_replies,
        "mailbox": _show_mailbox(credential) if credential.detects_replies else None,
        "provider": preset.key if preset else None,
        "advice": preset.advice.text if preset and preset.advice else None,
        "status": status_of(credential.disabled_at, credential.retired_at).value,
        "disabled_at": credential.disabled_at,
        "disabled_reason": credential.disabled_reason or None,
        "last_problem": credential.last_problem or None,
        "last_problem_at": credential.last_problem_at,
        "created_at": credential.created_at,
        "updated_at": credential.updated_at,
    }


def _show_mailbox(credential: SmtpCredential) -> dict[str, Any]:
    """When the mailbox was last read to its end, and what its server said if that failed."""
    if not hasattr(credential, "mailbox_polled_at"):
        credential = _with_mailboxes(SmtpCredential.everywhere.filter(pk=credential.pk)).get()
    shown = {name: getattr(credential, f"mailbox_{name}") for name in MAILBOX_FACTS}
    return shown | {"problem": shown["problem"] or None}


def _with_mailboxes(rows: "QuerySet[SmtpCredential]") -> "QuerySet[SmtpCredential]":
    """The same credentials, each with what is known of its mailbox."""
    mailbox = Mailbox.objects.filter(pk=OuterRef("pk"))
    return rows.annotate(**{f"mailbox_{name}": Subquery(mailbox.values(name)[:1]) for name in MAILBOX_FACTS})


def apply_limits(admissions: Iterable[Admission]) -> None:
    """Let dispatch change the daily limits that were asked of credentials which were there before."""
    for admission in admissions:
        if admission.new_limit is not None:
            set_daily_limit(admission.credential, admission.new_limit)
            admission.credential.daily_limit = admission.new_limit


def attached_credentials(campaign: Campaign) -> "QuerySet[SmtpCredential]":
    """The credentials that a campaign sends through."""
    attached = CampaignCredential.objects.filter(campaign=campaign).values("credential")
    return _with_mailboxes(SmtpCredential.objects.of(campaign.account_id).filter(pk__in=attached))


class CampaignCredentialResource(Resource):
    """What the resources of a campaign's credentials share."""

    def find(self, campaign_id: uuid.UUID, smtp_credential_id: uuid.UUID) -> SmtpCredential:
        """A credential of this campaign. Raises NotFound."""
        campaign = find_campaign(self.account, campaign_id)
        found = find_or_404(attached_credentials(campaign), smtp_credential_id, "smtp_credential_not_found")
        return cast("SmtpCredential", found)


class SmtpCredentials(CampaignCredentialResource):
    """`GET|POST /campaigns/:id/smtp_credentials`."""

    def get(self, _request: Request, campaign_id: uuid.UUID) -> Response:
        """The campaign's credentials."""
        return self.answer_list(attached_credentials(find_campaign(self.account, campaign_id)), show_credential)

    def post(self, _request: Request, campaign_id: uuid.UUID) -> Response:
        """Attach a credential: by id, a mailbox that is known already, or a new one."""
        find_campaign(self.account, campaign_id)
        admission = attach_credential(self.account, campaign_id, self._read_entry())
        apply_limits([admission])
        return Response(show_credential(admission.credential), status=201)

    def _read_entry(self) -> CredentialEntry:
        try:
            return read_entry(self.read("smtp_credential", ATTACHED_CREDENTIAL))
        except Invalid as error:
            raise ValidationFailed(error.problems) from None


class SmtpCredentialDetail(CampaignCredentialResource):
    """`GET|PATCH|DELETE /campaigns/:id/smtp_credentials/:id`."""

    def get(self, _request: Request, campaign_id: uuid.UUID, smtp_credential_id: uuid.UUID) -> Response:
        """One credential."""
        return Response(show_credential(self.find(campaign_id, smtp_credential_id)))

    def patch(self, _request: Request, campaign_id: uuid.UUID, smtp_credential_id: uuid.UUID) -> Response:
        """Change a credential, for all campaigns that share it."""
        self.find(campaign_id, smtp_credential_id)
        try:
            entry = read_entry(self.read("smtp_credential", CREDENTIAL, partial=True))
        except Invalid as error:
            raise ValidationFailed(error.problems) from None
        admission = update_credential(self.account, smtp_credential_id, entry.values)
        apply_limits([admission])
        if LOGIN_FIELDS & entry.values.keys():
            try_again(admission.credential)
        return Response(show_credential(admission.credential))

    def delete(self, _request: Request, campaign_id: uuid.UUID, smtp_credential_id: uuid.UUID) -> Response:
        """Detach a credential; the last campaign to let it go retires it."""
        detach_credential(self.account, campaign_id, smtp_credential_id)
        return Response(status=204)


class ReenableCredential(CampaignCredentialResource):
    """`POST /campaigns/:id/smtp_credentials/:id/reenable`."""

    def post(self, _request: Request, campaign_id: uuid.UUID, smtp_credential_id: uuid.UUID) -> Response:
        """Put a credential back to work, and resume the campaigns that its loss alone had paused."""
        self.find(campaign_id, smtp_credential_id)
        self.read("smtp_credential", {})
        credential = reenable_credential(self.account, smtp_credential_id)
        shown = {"id": credential.pk, "from_email": credential.from_email, "status": CredentialStatus.ENABLED.value}
        return Response(shown)


class CheckCredential(CampaignCredentialResource):
    """`POST /campaigns/:id/smtp_credentials/:id/check`: log in over SMTP, and over IMAP where that is set."""

    _smtp: LoginCheck
    _imap: LoginCheck | None

    def prepare_post(self, _request: Request, campaign_id: uuid.UUID, smtp_credential_id: uuid.UUID) -> None:
        """Log in; no message is sent."""
        credential = self.find(campaign_id, smtp_credential_id)
        self.read("smtp_credential", {})
        limit_checks(credential.smtp_host, credential.smtp_username)
        self._smtp = check_smtp_login(
            credential.smtp_host, credential.smtp_port, credential.smtp_username, credential.smtp_password
        )
        self._imap = _check_imap(credential)

    def post(self, _request: Request, campaign_id: uuid.UUID, smtp_credential_id: uuid.UUID) -> Response:
        """Say what works, or exactly what failed."""
        credential = self.find(campaign_id, smtp_credential_id)
        ok = self._smtp.ok and (self._imap is None or self._imap.ok)
        shown = {"id": credential.pk, "ok": ok, "smtp": _show_check(self._smtp), "imap": _show_check(self._imap)}
        return Response(shown)


def limit_checks(host: str, username: str) -> None:
    """Count a trial login: strangers' servers are not to be tried in a row. Raises Throttled."""
    login = hashlib.sha256(f"{host}\0{username}".encode()).hexdigest()
    host_digest = hashlib.sha256(host.encode()).hexdigest()
    for name, most in ((f"login:{login}", CHECKS_PER_LOGIN), (f"host:{host_digest}", CHECKS_PER_HOST)):
        count, seconds_left = count_request(f"ampout:check:{name}", CHECK_WINDOW_SECONDS)
        if count > most:
            raise Throttled(wait=seconds_left)


def _check_imap(credential: SmtpCredential) -> LoginCheck | None:
    if not credential.detects_replies or credential.imap_port is None:
        return None
    return check_imap_login(
        credential.imap_host, credential.imap_port, credential.imap_username, credential.imap_password
    )


def _show_check(check: LoginCheck | None) -> dict[str, Any] | None:
    if check is None:
        return None
    return {"ok": check.ok, "stage": str(check.stage), "code": check.code, "message": check.message}
