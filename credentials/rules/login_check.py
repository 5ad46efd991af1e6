"""What a trial login found out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoginCheck:
    """The result of a trial login over SMTP or IMAP.

    `stage` names the step that ended it (`target`, `connect`, `tls`, `auth`, …; `done` when all went well), `code` the
    server's reply code where the protocol has one, `message` one sentence with the server's own words, never a secret.
    """

    ok: bool
    stage: str
    code: int | None
    message: str
