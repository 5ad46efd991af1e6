"""Tests of the gateways, against servers on loopback."""
