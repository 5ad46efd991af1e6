"""Tests of the web process as it runs: gunicorn, with bytes over a socket."""
