"""How the mails of tests/fixtures/mail were made: real servers of Debian packages, under the faults of each notice.

`python -m tests.corpus.collect FOLDER` makes them anew, as root, in namespaces of its own: it installs the packages
into overlays over this system, which end with it, joins them by a network that reaches nothing else, breaks what is to
be broken and keeps what came back to the sender's mailbox.
"""
