"""Tests of the pure rules: no database."""
