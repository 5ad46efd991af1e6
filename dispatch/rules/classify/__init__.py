"""Judging what came back: pure rules over one parsed mail."""
