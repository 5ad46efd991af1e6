"""Tests of the REST edges."""
