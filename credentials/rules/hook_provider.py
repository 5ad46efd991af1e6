"""The mail providers whose calls are understood, and what each needs to be known as itself.

A call is known by its signature where the provider signs, and by a secret of ours in its URL where it does not. Amazon
needs both: checking its signature takes a certificate, and only who knows the secret can make us fetch one.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class HookProvider(StrEnum):
    """A provider, by the name in the path of its calls."""

    AMAZON_SES = "amazon_ses"
    """Through Amazon SNS: signed by Amazon, for one topic."""
    BREVO = "brevo"
    MAILGUN = "mailgun"
    """Signed by the account's webhook signing key."""
    POSTMARK = "postmark"
    SENDGRID = "sendgrid"
    """Signed where its signed event webhook is on; known by our secret where it is off."""
    SMTP2GO = "smtp2go"


NAMES: Mapping[HookProvider, str] = MappingProxyType(
    {
        HookProvider.AMAZON_SES: "Amazon SES",
        HookProvider.BREVO: "Brevo",
        HookProvider.MAILGUN: "Mailgun",
        HookProvider.POSTMARK: "Postmark",
        HookProvider.SENDGRID: "SendGrid",
        HookProvider.SMTP2GO: "SMTP2GO",
    }
)
"""As they write themselves."""

SECRET_USER = "ampout"  # noqa: S105  # the user name beside the secret, no secret
"""The user name of basic authentication; the secret is its password."""

LONGEST_SIGNING_KEY = 1_000

_SIGNING_KEY = re.compile(r"[!-~]+")
# https://docs.aws.amazon.com/sns/latest/dg/sns-create-topic.html; the service is sns, the account has 12 digits.
_TOPIC = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}):[0-9]{12}:[A-Za-z0-9_-]{1,256}")
_EXAMPLE = "arn:aws:sns:eu-west-1:123456789012:bounces"
_DOMAINS = {"aws": "amazonaws.com", "aws-cn": "amazonaws.com.cn", "aws-us-gov": "amazonaws.com"}


def problems_of_hook(provider: HookProvider, signing_key: str, topic_arn: str) -> dict[str, list[str]]:
    """What is wrong with the facts of a hook, by field; empty when nothing is."""
    name = NAMES[provider]
    problems: dict[str, list[str]] = {}
    if provider is HookProvider.MAILGUN and not signing_key:
        problems["signing_key"] = ["Mailgun signs its calls: give its HTTP webhook signing key."]
    elif signing_key and provider not in {HookProvider.MAILGUN, HookProvider.SENDGRID}:
        problems["signing_key"] = [f"{name} has no signing key. Leave it out."]
    elif signing_key and not _SIGNING_KEY.fullmatch(signing_key):
        problems["signing_key"] = ["Must be visible ASCII characters without blanks: copy it as the provider shows it."]
    if provider is HookProvider.AMAZON_SES:
        if not _TOPIC.fullmatch(topic_arn):
            problems["topic_arn"] = [f"Amazon SES reports through an SNS topic: give its ARN, such as {_EXAMPLE}."]
    elif topic_arn:
        problems["topic_arn"] = [f"{name} has no topic. Leave it out."]
    return problems


def needs_secret(provider: HookProvider, *, has_signing_key: bool) -> bool:
    """Whether the provider must send our secret with every call."""
    return provider is HookProvider.AMAZON_SES or not has_signing_key


def sns_host(topic_arn: str) -> str | None:
    """The one host that speaks for a topic, `sns.<region>.amazonaws.com` or `….com.cn`; None for what is no topic.

    Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html and the endpoints of SNS.
    """
    match = _TOPIC.fullmatch(topic_arn)
    return f"sns.{match[2]}.{_DOMAINS[match[1]]}" if match else None
