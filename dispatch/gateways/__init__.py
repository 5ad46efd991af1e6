"""The outside world: SMTP transactions."""
