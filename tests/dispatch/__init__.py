"""Sending, end to end within one process: planner, deliver loop, chaos server."""
