"""Measurements: `make bench` runs them and prints figures side by side. `make test` leaves them out."""
