"""The event log and its webhooks."""
