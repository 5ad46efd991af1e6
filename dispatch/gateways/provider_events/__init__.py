"""What mail providers report, read into one shape: one module a provider, each with the documentation it follows.

django-anymail's parsers read Postmark, Mailgun and Brevo; what they leave out (hard or soft, status codes, our own
Message-ID) is taken from the payload beside them. The others are read by our own modules, for these reasons: SMTP2GO is
not in anymail; its Amazon SES view cannot be made without boto3, and tells neither the kind of a bounce nor its status
codes; its SendGrid view warns, each time it is made, that its support has ended.

To add a provider: a member in credentials/rules/hook_provider.py, a module here with `read(payload)`, one in
dispatch/intake/ that knows its calls, a line in both tables, captured calls in tests/fixtures/provider_calls/, and a
section in docs/howto/provider-webhooks.md.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from credentials.rules.hook_provider import HookProvider
from dispatch.gateways.provider_events import amazon_ses, brevo, mailgun, postmark, sendgrid, smtp2go
from dispatch.gateways.provider_events.payload import Payload, read_payload
from dispatch.rules.provider_event import ProviderEvent

__all__ = ["read_events"]

_READERS: Mapping[str, Callable[[Payload], list[ProviderEvent]]] = MappingProxyType(
    {
        HookProvider.AMAZON_SES.value: amazon_ses.read,
        HookProvider.BREVO.value: brevo.read,
        HookProvider.MAILGUN.value: mailgun.read,
        HookProvider.POSTMARK.value: postmark.read,
        HookProvider.SENDGRID.value: sendgrid.read,
        HookProvider.SMTP2GO.value: smtp2go.read,
    }
)


def read_events(provider: str, body: bytes) -> list[ProviderEvent]:
    """The events of one call, in its order; of a batch, what cannot be read is an event without effect.

    Raises ValueError, with a sentence, for a call that cannot be read at all and for an unknown provider.
    """
    reader = _READERS.get(provider)
    if reader is None:
        raise ValueError(f"No provider is called {provider[:40]!r}.")
    return reader(read_payload(body))
