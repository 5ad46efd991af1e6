"""The models of this app."""

from dispatch.models.lane import CapWarning, DailyUsage, DeliveryWorker, Lane
from dispatch.models.message import Attempt, Message
from dispatch.models.mx_verdict import MxVerdict

__all__ = ["Attempt", "CapWarning", "DailyUsage", "DeliveryWorker", "Lane", "Message", "MxVerdict"]
