"""Tests of services, on the real database."""
