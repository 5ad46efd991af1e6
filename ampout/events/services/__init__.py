"""Telling facts, and delivering them to webhooks."""

from ampout.events.services.record import Fact, record_events

__all__ = ["Fact", "record_events"]
