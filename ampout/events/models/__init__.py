"""Facts, and the webhooks that tell of them."""

from ampout.events.models.event import Event
from ampout.events.models.webhook import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookLoop

__all__ = ["Event", "WebhookAttempt", "WebhookDelivery", "WebhookEndpoint", "WebhookLoop"]
