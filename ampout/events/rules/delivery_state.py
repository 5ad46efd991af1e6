"""The states of a webhook delivery: `pending → delivered | given_up`, and back to `pending` by a redelivery."""

from enum import StrEnum


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    """Waits for its next try."""
    DELIVERED = "delivered"
    """A receiver answered 2xx."""
    GIVEN_UP = "given_up"
    """The schedule is at its end, or the receiver said that it is gone."""


class DisabledReason(StrEnum):
    """Why an endpoint gets nothing more."""

    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """Five days without a success."""
    OPERATOR = "operator"
    """An operator set it aside."""
