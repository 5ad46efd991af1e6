"""Tests of what campaigns does beside its rules and models: no database."""
