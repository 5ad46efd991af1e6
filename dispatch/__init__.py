"""Sends, and draws the consequences of what the servers answered."""
