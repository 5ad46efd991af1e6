"""Faults, caused on purpose: the real programs as processes, killed, frozen and cut off, judged by the oracle's log."""
