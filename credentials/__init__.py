"""Mailboxes and every secret."""
