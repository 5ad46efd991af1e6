"""Provider hooks: their secrets are made here, shown once, and compared by nobody but dispatch.intake."""

import base64
import binascii
import functools
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from ampout.lib import clock, crypto
from ampout.lib.errors import NotFound, Unprocessable, ValidationFailed
from credentials.models import ProviderHook, SmtpCredential
from credentials.rules.hook_provider import (
    NAMES,
    SECRET_USER,
    HookProvider,
    needs_secret,
    problems_of_hook,
)

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class IssuedSecret:
    """A hook with its new secret, which is shown once; empty where the provider's own signature is enough."""

    hook: ProviderHook
    secret: str

    def __repr__(self) -> str:
        return f"IssuedSecret({self.hook})"


def hooks_of(credential: SmtpCredential) -> QuerySet[ProviderHook]:
    """The hooks of one credential."""
    return ProviderHook.objects.of(credential.account_id).filter(credential=credential)


def find_hook(credential: SmtpCredential, hook_id: uuid.UUID) -> ProviderHook:
    """One hook of this credential. Raises NotFound."""
    found = hooks_of(credential).filter(pk=hook_id).first()
    if found is None:
        raise NotFound("provider_hook_not_found")
    return found


@transaction.atomic
def create_hook(
    credential: SmtpCredential,
    provider: HookProvider,
    *,
    signing_key: str = "",
    topic_arn: str = "",
    now: datetime | None = None,
) -> IssuedSecret:
    """Take calls of a provider about this credential.

    Raises ValidationFailed for what the provider does not need or lacks, and when there is a hook for it already.
    """
    problems = problems_of_hook(provider, signing_key, topic_arn)
    if provider is HookProvider.SENDGRID and signing_key and not problems and read_public_key(signing_key) is None:
        problems["signing_key"] = ["Must be the verification key of SendGrid's signed event webhook, in base64."]
    if problems:
        raise ValidationFailed(problems)
    secret = _new_secret() if needs_secret(provider, has_signing_key=bool(signing_key)) else ""
    now = now or clock.utc_now()
    hook, is_new = ProviderHook.everywhere.get_or_create(
        credential=credential,
        provider=provider.value,
        defaults={
            "account_id": credential.account_id,
            "secret": secret,
            "signing_key": signing_key,
            "topic_arn": topic_arn,
            "created_at": now,
            "updated_at": now,
        },
    )
    if not is_new:
        raise ValidationFailed(
            {"provider": [f"This credential has a hook for {NAMES[provider]}. Rotate its secret, or delete it first."]}
        )
    return IssuedSecret(hook, secret)


def delete_hook(credential: SmtpCredential, hook_id: uuid.UUID) -> None:
    """Refuse the provider's calls from now on; what it reported stays. Raises NotFound."""
    find_hook(credential, hook_id).delete()


@transaction.atomic
def rotate_hook_secret(credential: SmtpCredential, hook_id: uuid.UUID, *, now: datetime | None = None) -> IssuedSecret:
    """A new secret; the old one is refused from now on. Raises NotFound, Unprocessable where there is no secret."""
    hook = find_hook(credential, hook_id)
    if not needs_secret(HookProvider(hook.provider), has_signing_key=bool(hook.signing_key)):
        name = NAMES[HookProvider(hook.provider)]
        raise Unprocessable(
            f"{name} signs its calls by its own key, so there is no secret. For another key, delete the hook and make "
            "one anew."
        )
    hook.secret, hook.updated_at = _new_secret(), now or clock.utc_now()
    hook.save(update_fields=["secret", "updated_at"])
    return IssuedSecret(hook, hook.secret)


def hook_url(hook: ProviderHook) -> str:
    """Where the provider's calls go, without the secret."""
    return f"{settings.PUBLIC_URL}/hooks/in/{hook.provider}/{hook.credential_id}"


def url_with_secret(issued: IssuedSecret) -> str:
    """What to paste at the provider: the secret as the password of basic authentication.

    SNS would send those only when challenged by a 401, so Amazon's stands in the query.
    """
    url = hook_url(issued.hook)
    if not issued.secret:
        return url
    if issued.hook.provider == HookProvider.AMAZON_SES:
        return f"{url}?secret={issued.secret}"
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{SECRET_USER}:{issued.secret}@{rest}"


# -- For the calls themselves


def hook_called(provider: str, credential_id: uuid.UUID | None) -> ProviderHook:
    """The hook that a call names, or one that nothing can be known by: the same query and the same work either way."""
    found = ProviderHook.everywhere.filter(credential_id=credential_id or uuid.UUID(int=0), provider=provider).first()
    return found or _decoy()


def _decoy() -> ProviderHook:
    secret = crypto.decrypt(_decoy_token())
    return ProviderHook(provider="", secret=secret, signing_key=secret)


@functools.cache
def _decoy_token() -> str:
    return crypto.encrypt(_new_secret())


def note_call(hook: ProviderHook, at: datetime) -> None:
    """Remember when the provider called last, to the minute: a busy provider writes the row once a minute."""
    minute = at.replace(second=0, microsecond=0)
    ProviderHook.everywhere.filter(Q(last_call_at__isnull=True) | Q(last_call_at__lt=minute), pk=hook.pk).update(
        last_call_at=minute
    )


def note_subscription(hook: ProviderHook, confirmed_at: datetime | None) -> None:
    """Remember whether Amazon's subscription stands, and since when."""
    hook.confirmed_at = confirmed_at
    ProviderHook.everywhere.filter(pk=hook.pk).update(confirmed_at=confirmed_at)


def is_confirmed(hook: ProviderHook) -> bool:
    """Whether Amazon's subscription stands, read afresh."""
    return ProviderHook.everywhere.filter(pk=hook.pk, confirmed_at__isnull=False).exists()


def read_public_key(text: str) -> ec.EllipticCurvePublicKey | None:
    """The public key that SendGrid shows, which is DER in base64; None for anything else."""
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, TypeError, binascii.Error, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) else None


def _new_secret() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)
