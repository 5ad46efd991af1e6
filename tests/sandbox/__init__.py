"""Tests of the pretend internet."""
