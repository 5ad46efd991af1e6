"""Logins to the users' SMTP and IMAP servers."""
