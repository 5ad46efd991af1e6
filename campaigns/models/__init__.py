"""The models of this app."""

from campaigns.models.campaign import Batch, Campaign, CampaignCredential, Outreach, SequenceStep
from campaigns.models.contact import Contact, ContactImport, Suppression
from campaigns.models.enrollment import Enrollment

__all__ = [
    "Batch",
    "Campaign",
    "CampaignCredential",
    "Contact",
    "ContactImport",
    "Enrollment",
    "Outreach",
    "SequenceStep",
    "Suppression",
]
