"""A pretend internet on loopback: mail servers, recipients and their DNS, so that real campaigns mail nobody.

Started by ``python -m ampout.sandbox``; imported by nobody. Described in ``docs/explanation/sandbox.md``.
"""
