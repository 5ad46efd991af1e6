"""Reads of contacts and campaigns."""
