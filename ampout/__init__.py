"""Ampout: outreach through its users' own SMTP accounts, with proof."""
