"""Everything on one machine with one command: `make run` starts `python -m ampout.supervisor`.

It starts PostgreSQL, Valkey, the web process, the worker, beat and the sandbox, watches them, and takes them down.
"""
