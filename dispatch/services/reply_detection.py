"""Whose replies are not seen: sending works without a mailbox to read, and the campaign says so."""

from collections.abc import Iterable

from ampout.lib.crypto import DecryptionFailed
from credentials.models import SmtpCredential

NAMED = 3


def reply_detection_warnings(credentials: Iterable[SmtpCredential]) -> list[dict[str, str]]:
    """One warning where some of a campaign's credentials have no IMAP login; none where all have one."""
    blind = [credential.from_email for credential in credentials if not _detects_replies(credential)]
    if not blind:
        return []
    more = f" and {len(blind) - NAMED} more" if len(blind) > NAMED else ""
    sentence = (
        f"Reply detection is off for {', '.join(blind[:NAMED])}{more}: without an IMAP login, replies and bounces that "
        "arrive there are not seen, and later steps go on. Set imap_host, imap_port, imap_username and imap_password."
    )
    return [{"code": "reply_detection_off", "message": sentence}]


def _detects_replies(credential: SmtpCredential) -> bool:
    """A password that cannot be read is there all the same; its mailbox tells what is wrong."""
    try:
        return credential.detects_replies
    except DecryptionFailed:
        return True
