"""Calls to the users' webhook receivers."""
