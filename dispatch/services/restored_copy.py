"""What the API says while nothing leaves, because the database is a copy that nobody has adopted."""

from ampout.accounts.installation import is_off
from ampout.lib.errors import Unprocessable

SENTENCE = "Sending is off: this is a copy restored from a backup, and its operator has not adopted it yet."


def sending_off_warnings() -> list[dict[str, str]]:
    """A warning for whoever dispatches."""
    if not is_off():
        return []
    return [{"code": "sending_is_off", "message": f"{SENTENCE} What is released waits until then."}]


def check_sending() -> None:
    """Raises Unprocessable where a message that is to go at once could not go."""
    if is_off():
        raise Unprocessable(SENTENCE)
