"""Whom we want to write to, what and when, and who must not be written to."""
