"""The models of this app."""

from campaigns.models.campaign import Batch, Campaign, CampaignCredential, Outreach, SequenceStep
from campaigns.models.contact import Contact, ContactImport, Suppression
from campaigns.models.enrollment import Enrollment
from campaigns.models.skip_count import SkipCount
from campaigns.models.tally import DueTally, EnrollmentTally

__all__ = [
    "Batch",
    "Campaign",
    "CampaignCredential",
    "Contact",
    "ContactImport",
    "DueTally",
    "Enrollment",
    "EnrollmentTally",
    "Outreach",
    "SequenceStep",
    "SkipCount",
    "Suppression",
]
