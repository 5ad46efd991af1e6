"""Transactions on contacts and campaigns."""
