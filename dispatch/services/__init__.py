"""Transactions of sending: plan, claim, wire, settle, reconcile."""
