"""Who may log in: senders with one password among them, each with a mailbox of the same name."""

import re

LOGIN = re.compile(r"sender[1-9][0-9]{0,2}@sandbox\.test")
"""The logins there are: sender1@sandbox.test to sender999@sandbox.test."""


def mailbox_of(address: str) -> str | None:
    """The login whose mailbox takes mail for ``address``, a tag behind ``+`` left out (RFC 5233); None: nobody's."""
    local_part, _, domain = address.lower().rpartition("@")
    login = f"{local_part.partition('+')[0]}@{domain}"
    return login if LOGIN.fullmatch(login) else None
