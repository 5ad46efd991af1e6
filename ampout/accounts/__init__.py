"""Accounts, operators' settings of them, and API keys."""
