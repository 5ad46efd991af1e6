"""The models of this app."""

from dispatch.models.health_due import HealthDue
from dispatch.models.hit import Hit
from dispatch.models.lane import CapWarning, DailyUsage, DeliveryWorker, Lane
from dispatch.models.mailbox import Mailbox, MailboxFolder
from dispatch.models.message import Attempt, Message
from dispatch.models.monthly_reservation import MonthlyReservation
from dispatch.models.mx_verdict import MxVerdict
from dispatch.models.notice import Feedback, Notice
from dispatch.models.tally import MessageTally, UsageTally
from dispatch.models.watch import CountMark, FactCount, Tick

__all__ = [
    "Attempt",
    "CapWarning",
    "CountMark",
    "DailyUsage",
    "DeliveryWorker",
    "FactCount",
    "Feedback",
    "HealthDue",
    "Hit",
    "Lane",
    "Mailbox",
    "MailboxFolder",
    "Message",
    "MessageTally",
    "MonthlyReservation",
    "MxVerdict",
    "Notice",
    "Tick",
    "UsageTally",
]
