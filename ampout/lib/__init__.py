"""A small kernel that knows nobody: clock, addresses, crypto, DNS, the outbound door."""
