"""Why a contact is not enrolled in a campaign."""

from enum import StrEnum


class SkipReason(StrEnum):
    """The first of these that holds is the one that is told."""

    ALREADY_ENROLLED = "already_enrolled"
    """It is in this campaign."""
    UNSUBSCRIBED = "unsubscribed"
    """It asked the account not to write again."""
    SUPPRESSED = "suppressed"
    """Its address or domain is on the account's suppression list."""
    ROLE_ADDRESS = "role_address"
    """The address belongs to a duty (RFC 2142) and nobody forced it."""
    CROSS_CAMPAIGN_DUPLICATE = "cross_campaign_duplicate"
    """Another campaign of an outreach with `unique_contacts` has it."""


SENTENCES: dict[SkipReason, str] = {
    SkipReason.ALREADY_ENROLLED: "This contact is enrolled in the campaign already.",
    SkipReason.UNSUBSCRIBED: "This contact unsubscribed and is not written to again.",
    SkipReason.SUPPRESSED: "The contact's address or domain is on the suppression list.",
    SkipReason.ROLE_ADDRESS: "The address belongs to a duty, not a person; send `force: true` to enroll it anyway.",
    SkipReason.CROSS_CAMPAIGN_DUPLICATE: "Another campaign of this outreach, whose contacts are unique, has it.",
}
"""Each reason in words for the caller."""
