"""Facts, and the webhooks that tell of them."""

from ampout.events.models.event import Event, EventLog
from ampout.events.models.webhook import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookLoop

__all__ = ["Event", "EventLog", "WebhookAttempt", "WebhookDelivery", "WebhookEndpoint", "WebhookLoop"]
