"""The invariants of a run, each a pure function from what was seen to what broke it."""
