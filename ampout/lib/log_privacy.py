"""Keeping what strangers send out of our logs: a secret in the wrong place of a request must not come to lie there."""

import logging
import re

_PLAIN = re.compile(r"|[a-z_]{1,24}|[0-9]{1,10}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Parts of a path that may be logged: words and ids, as all our routes are made of."""
_UNREADABLE = "Invalid request from ip="
"""How gunicorn begins to tell of a request it cannot read; it goes on with the line as it came, keys and all."""


class RequestFilter(logging.Filter):
    """Shortens what Django and gunicorn log about requests: to known parts of paths, and to the kind of a problem."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record where it has to be; none is lost."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                mask_path(word) if isinstance(word, str) and word.startswith("/") else word for word in record.args
            )
        if isinstance(record.msg, str) and record.msg.startswith(_UNREADABLE):
            record.msg = re.split("['\"(]", record.msg, maxsplit=1)[0].rstrip(": b")
        return True


def mask_path(path: str) -> str:
    """A path without its query, and with a star for each part that could be a secret."""
    return "/".join(part if _PLAIN.fullmatch(part) else "*" for part in path.partition("?")[0].split("/"))
