"""What is said of each call, one module a kind of object; `ALL` is the order of the page."""

from ampout.api.openapi.chapters import (
    accounts,
    campaigns,
    contacts,
    enrollments,
    explain,
    messages,
    outreaches,
    provider_hooks,
    public,
    sequence_steps,
    smtp_credentials,
    webhooks,
)
from ampout.api.openapi.operations import Chapter
from ampout.api.openapi.shapes import Shape

ALL: tuple[Chapter, ...] = (
    accounts.CHAPTER,
    contacts.CHAPTER,
    outreaches.CHAPTER,
    campaigns.CHAPTER,
    sequence_steps.CHAPTER,
    smtp_credentials.CHAPTER,
    provider_hooks.CHAPTER,
    enrollments.CHAPTER,
    explain.CHAPTER,
    messages.CHAPTER,
    webhooks.WEBHOOKS,
    webhooks.EVENTS,
    public.CHAPTER,
)
SHAPES: tuple[Shape, ...] = (
    *accounts.SHAPES,
    *contacts.SHAPES,
    *outreaches.SHAPES,
    *campaigns.SHAPES,
    *sequence_steps.SHAPES,
    *smtp_credentials.SHAPES,
    *provider_hooks.SHAPES,
    *enrollments.SHAPES,
    *explain.SHAPES,
    *messages.SHAPES,
    *webhooks.SHAPES,
)
