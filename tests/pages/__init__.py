"""Tests of the pages that recipients see."""
