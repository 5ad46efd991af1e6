"""SMTP credentials: the mailboxes of a campaign."""

from ampout.api import smtp_credentials
from ampout.api.openapi.operations import Chapter, Example, Operation
from ampout.api.openapi.shapes import COUNT, EMAIL, FLAG, ID, TEXT, TIME, Shape, list_of, object_of, one_of, or_null
from credentials.rules.credential_state import CredentialStatus, DisabledReason

MAILBOX = Shape(
    "Mailbox", object_of({"polled_at": or_null(TIME), "problem": or_null(TEXT), "problem_at": or_null(TIME)})
)
CREDENTIAL = Shape(
    "SmtpCredential",
    object_of(
        {
            "id": ID,
            "label": TEXT,
            "smtp_host": TEXT | {"examples": ["smtp.example.com"]},
            "smtp_port": COUNT,
            "smtp_username": TEXT,
            "from_name": TEXT,
            "from_email": EMAIL,
            "daily_limit": COUNT,
            "imap_host": or_null(TEXT),
            "imap_port": or_null(COUNT),
            "imap_username": or_null(TEXT),
            "plus_addressing": FLAG,
            "reply_detection": FLAG,
            "mailbox": or_null(MAILBOX.ref),
            "provider": or_null(TEXT),
            "advice": or_null(TEXT),
            "status": one_of(CredentialStatus),
            "disabled_at": or_null(TIME),
            "disabled_reason": or_null(one_of(DisabledReason)),
            "last_problem": or_null(TEXT),
            "last_problem_at": or_null(TIME),
            "created_at": TIME,
            "updated_at": TIME,
        }
    ),
)
LOGIN_CHECK = Shape(
    "LoginCheck", object_of({"ok": FLAG, "stage": TEXT, "code": or_null({"type": "integer"}), "message": TEXT})
)
CHECKED = Shape(
    "CredentialCheck",
    object_of({"id": ID, "ok": FLAG, "smtp": LOGIN_CHECK.ref, "imap": or_null(LOGIN_CHECK.ref)}),
)
REENABLED = Shape("ReenabledCredential", object_of({"id": ID, "from_email": EMAIL, "status": one_of(["enabled"])}))
SHAPES = (MAILBOX, CREDENTIAL, LOGIN_CHECK, CHECKED, REENABLED)

SHOWN_CREDENTIAL = {
    "id": "{credential}",
    "label": "",
    "smtp_host": "smtp.example.com",
    "smtp_port": 587,
    "smtp_username": "ann@example.com",
    "from_name": "Ann Berg",
    "from_email": "ann@example.com",
    "daily_limit": 50,
    "imap_host": None,
    "imap_port": None,
    "imap_username": None,
    "plus_addressing": False,
    "reply_detection": False,
    "mailbox": None,
    "provider": None,
    "advice": None,
    "status": "enabled",
    "disabled_at": None,
    "disabled_reason": None,
    "last_problem": None,
    "last_problem_at": None,
}
_GMAIL = {
    "preset": "gmail",
    "smtp_username": "ann@gmail.com",
    "smtp_password": "app password",
    "from_email": "ann@gmail.com",
    "daily_limit": 50,
}
_SHOWN_GMAIL = SHOWN_CREDENTIAL | {
    "smtp_host": "smtp.gmail.com",
    "smtp_username": "ann@gmail.com",
    "from_name": "",
    "from_email": "ann@gmail.com",
    "provider": "gmail",
    "advice": "Log in with an app password; the password of the account itself is refused.",
}
_MEANINGS = {
    "preset": "a key of the [presets](presets.md); fills in hosts and ports of a provider",
    "label": "for you",
    "smtp_host": "where to submit; required without `preset`",
    "smtp_port": "443, 465, 2465 and 8465 are TLS from the first byte, other ports STARTTLS; required without `preset`",
    "smtp_username": "the login; required for a new one",
    "smtp_password": "the login; required for a new one",
    "from_name": "the sender",
    "from_email": "the sender; required for a new one",
    "daily_limit": "first steps for each UTC day, over all campaigns; required for a new one",
    "plus_addressing": "mail to `local+anything@domain` reaches this mailbox: each message then names itself in its "
    "return path",
    **dict.fromkeys(
        ("imap_host", "imap_port", "imap_username", "imap_password"),
        "where [replies and bounces](../explanation/replies-and-bounces.md) arrive; all four are needed to read them",
    ),
}
_CODES = ("campaign_not_found", "smtp_credential_not_found")
_ONE = "/campaigns/{campaign_id}/smtp_credentials/{smtp_credential_id}"
_IDS = {"smtp_credential_id": "credential"}

CHAPTER = Chapter(
    "SMTP credentials",
    """
A mailbox is one credential, however many campaigns use it. Cap, gap and health are shared. Passwords come in and never go
out. With an IMAP login, `mailbox` says when it was last read to its end, and why its server could not be read, in its own
words ([Polling](../explanation/polling.md)).
""",
    (
        Operation(
            method="GET",
            path="/campaigns/{campaign_id}/smtp_credentials",
            summary="List the credentials of a campaign",
            answer=list_of(CREDENTIAL.ref),
            paged=True,
            codes=("campaign_not_found",),
            example=Example(answer=[SHOWN_CREDENTIAL]),
        ),
        Operation(
            method="POST",
            path="/campaigns/{campaign_id}/smtp_credentials",
            summary="Attach a credential",
            text="By `id`, a mailbox that is known already, or a new one: a POST whose `smtp_host`, `smtp_port`, "
            "`smtp_username` and `from_email` the account knows attaches that one, and updates the fields given.",
            status=201,
            answer=CREDENTIAL.ref,
            body=smtp_credentials.ATTACHED_CREDENTIAL,
            wrapper="smtp_credential",
            meanings=_MEANINGS | {"id": "attach this one; no other field is needed"},
            defaults={"plus_addressing": False},
            codes=_CODES,
            example=Example(body=_GMAIL, answer=_SHOWN_GMAIL),
        ),
        Operation(
            method="GET",
            path=_ONE,
            summary="Show a credential",
            answer=CREDENTIAL.ref,
            codes=_CODES,
            example=Example(ids=_IDS, answer=SHOWN_CREDENTIAL),
        ),
        Operation(
            method="PATCH",
            path=_ONE,
            summary="Change a credential",
            text="For all campaigns that share the mailbox.",
            answer=CREDENTIAL.ref,
            body=smtp_credentials.CREDENTIAL,
            wrapper="smtp_credential",
            partial=True,
            meanings=_MEANINGS,
            codes=_CODES,
            example=Example(ids=_IDS, body={"daily_limit": 80}, answer=SHOWN_CREDENTIAL | {"daily_limit": 80}),
        ),
        Operation(
            method="DELETE",
            path=_ONE,
            summary="Detach a credential",
            text="From this campaign; the last campaign that lets it go retires it.",
            status=204,
            codes=_CODES,
            example=Example(ids=_IDS),
        ),
        Operation(
            method="POST",
            path=f"{_ONE}/check",
            summary="Try a credential's logins",
            text="Logs in over SMTP, and over IMAP where that is set, and says exactly what failed; no message is sent. "
            "`stage` is how far it came. At most 5 checks a minute for each login and 30 for each host "
            "(`rate_limited`).",
            answer=CHECKED.ref,
            body={},
            wrapper="smtp_credential",
            codes=_CODES,
            example=Example(
                ids=_IDS,
                answer={
                    "ok": False,
                    "smtp": {"ok": False, "stage": "connect", "code": None, "message": "The connection was refused."},
                    "imap": None,
                },
            ),
        ),
        Operation(
            method="POST",
            path=f"{_ONE}/reenable",
            summary="Put a disabled credential back to work",
            text="Clears `disabled_at`, begins a new period for `bounce_rate_since_enabled`, ends its back-off, and "
            "resumes campaigns that its loss alone had paused.",
            answer=REENABLED.ref,
            body={},
            wrapper="smtp_credential",
            codes=_CODES,
            example=Example(ids=_IDS, answer={"id": "{credential}", "from_email": "ann@example.com"}),
        ),
    ),
)
