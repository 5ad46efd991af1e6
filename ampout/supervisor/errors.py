"""The one error that a person who starts the program is meant to read."""


class StartError(Exception):
    """Ampout cannot start here; the message is one sentence that says why and what to do."""
