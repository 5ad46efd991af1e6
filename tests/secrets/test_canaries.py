"""No canary secret lies anywhere but in its encrypted column, whatever went wrong (promise F3, law 10)."""

from tests.secrets.conftest import Aftermath

LOOKED_AT = {
    "logs": (
        b"Sabotaged: sabotaged",
        b"DEBUG",
        b"[redacted]",
        b"Internal Server Error: /signup",
        b"an error of ours",
        b"Invalid request from ip=",
    ),
    "tables": (b"[redacted]", b"refuses the recipient"),
    "broker": (b"dispatch.tasks.plan",),
    "files": (b"dispatch.tasks.plan",),
    "commands": (b"credentials.smtpcredential", b"Superuser created"),
    "command lines": (b"gunicorn", b"celery"),
    "webhooks": (b"enrollment.",),
    "answers": (b"[redacted]", b"Traceback (most recent call last)", b"/admin/credentials/smtpcredential/"),
    "mails": (b"List-Unsubscribe",),
}
"""Words that show that each surface held what it had to: silence alone would mean nothing."""


# One test, so that the storm is never raised twice.
def test_no_secret_lies_anywhere_but_in_its_encrypted_column(aftermath: Aftermath) -> None:
    found = sorted({f"{surface}: {find}" for surface, finds in aftermath.finds.items() for find in finds})
    assert found == [], "\n".join(found)
    missing = [
        (surface, words)
        for surface, wanted in LOOKED_AT.items()
        for words in wanted
        if words not in aftermath.contents[surface]
    ]
    assert missing == []
    assert set(LOOKED_AT) == set(aftermath.finds)
    assert len(aftermath.at_rest) > 40
    assert [secret for secret in aftermath.at_rest if not secret.startswith("gAAAA")] == []
    assert aftermath.cores == []
