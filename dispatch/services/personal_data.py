"""Where a person's data can be: every column that holds words, with what becomes of it, or why it is not theirs.

A column that is in neither table fails tests/services/test_personal_data.py. docs/explanation/personal-data.md shows
both tables.
"""

from dataclasses import dataclass

RETENTION = "`RETENTION_DAYS`"
FOREVER = "until it is deleted or erased"


@dataclass(frozen=True, slots=True)
class Place:
    """Columns of one model that can hold something about a person.

    `exported` is the key of the export that has them; empty where `instead` says why they are not in it. `erased` says
    what an erasure makes of them.
    """

    model: str
    columns: tuple[str, ...]
    what: str
    kept: str
    exported: str
    erased: str
    instead: str = ""


PLACES: tuple[Place, ...] = (
    Place(
        "campaigns.Contact",
        (
            *("email", "identity", "domain", "first_name", "last_name", "company", "custom_fields"),
            *("source", "lawful_basis"),
        ),
        "who it is",
        FOREVER,
        "contact",
        "emptied",
        instead="`identity` and `domain` are the address again",
    ),
    Place("campaigns.Enrollment", ("bounce_reason",), "a server's words", FOREVER, "enrollments", "emptied"),
    Place("dispatch.Message", ("recipient", "subject", "reply_text"), "what was sent", FOREVER, "messages", "emptied"),
    Place("dispatch.Attempt", ("reply_text",), "a server's words", FOREVER, "attempts", "emptied"),
    Place(
        "dispatch.Notice",
        ("headers", "body", "error", "verdict"),
        "mails and providers' calls that came back, also those that matched nobody and name the address",
        RETENTION,
        "notices",
        "emptied; of the verdict its kind is left",
    ),
    Place(
        "dispatch.Feedback",
        ("sender", "subject", "text", "evidence", "language"),
        "what they answered",
        RETENTION,
        "feedback",
        "emptied; where others are answered for, the address is taken out",
    ),
    Place("dispatch.Hit", ("url", "user_agent", "network"), "opens and clicks", RETENTION, "hits", "emptied"),
    Place(
        "events.Event",
        ("data",),
        "what was told: `contact_email`, `bounce_reason`",
        "`EVENTS_RETENTION_DAYS`",
        "events",
        "both become null, also in calls that are still to be made",
    ),
    Place(
        "events.WebhookAttempt",
        ("response_excerpt",),
        "what a receiver of webhooks repeated",
        RETENTION,
        "webhook_answers",
        "emptied",
    ),
    Place(
        "accounts.IdempotencyRecord",
        ("answer",),
        "kept answers, encrypted",
        "24 hours",
        "",
        "the fields of the person emptied, where it is named",
        instead="copies of what the API answered before",
    ),
    Place(
        "dispatch.MxVerdict",
        ("domain",),
        "domains that were looked up, tied to no person and no account",
        f"{RETENTION} after the last look-up",
        "",
        "forgotten with time",
        instead="nobody knows whose they were",
    ),
)

KEYED = "a keyed hash: it keeps suppressions, and the proof, when the address is gone"
OWN = "the account's own words, not a contact's"
CODE = "a word of ours out of a fixed list"
OPERATORS = "about operators and what they are allowed, not about contacts"
SETTING = "a setting of the account, secrets among them"

NOT_PERSONAL: dict[str, dict[tuple[str, ...], str]] = {
    "admin.LogEntry": {("object_id", "object_repr", "change_message"): "operators' actions name records by their ids"},
    "auth.Permission": {("name", "codename"): OPERATORS},
    "auth.Group": {("name",): OPERATORS},
    "auth.User": {("password", "username", "first_name", "last_name", "email"): OPERATORS},
    "contenttypes.ContentType": {("app_label", "model"): "names of models"},
    "sessions.Session": {("session_key", "session_data"): OPERATORS},
    "accounts.Account": {("email", "name", "sender_name", "postal_address", "suspension_reason"): OWN},
    "accounts.Installation": {("name", "database"): "the installation's own name, and numbers of its database"},
    "accounts.ApiKey": {("label", "scopes", "prefix", "digest"): SETTING},
    "accounts.IdempotencyRecord": {
        ("scope", "method", "path", "body_digest"): "who called what, by ids; of the body a hash",
        ("key",): "the client's own choice, kept 24 hours",
    },
    "events.Event": {("fact",): "names a fact by ids"},
    "events.WebhookEndpoint": {("url", "host", "event_filters", "secret", "previous_secret"): SETTING},
    "events.WebhookDelivery": {("error",): "our words about the receiver's status"},
    "events.WebhookAttempt": {("error",): "our words about the receiver's status"},
    "events.WebhookLoop": {("name",): "a host and a process"},
    "credentials.SmtpCredential": {
        (
            *("label", "smtp_host", "smtp_username", "smtp_password", "from_name", "from_email"),
            *("imap_host", "imap_username", "imap_password", "disabled_reason"),
        ): SETTING,
        ("last_problem",): "the server's words about the login; addresses are taken out where a recipient was named",
    },
    "credentials.ProviderHook": {("provider", "secret", "signing_key", "topic_arn"): SETTING},
    "campaigns.Outreach": {("name",): OWN},
    "campaigns.Campaign": {("name", "pause_reason"): OWN},
    "campaigns.SequenceStep": {("subject", "body_html", "body_text"): OWN},
    "campaigns.ContactImport": {
        ("name",): OWN,
        ("skipped_reasons",): CODE,
        ("errors",): "line, column and what is wrong with it, never the value",
        ("digest",): "a hash of the whole file; the file itself is not kept",
    },
    "campaigns.Contact": {("address_digest", "domain_digest"): KEYED},
    "campaigns.Suppression": {("digest",): KEYED, ("reason",): CODE},
    "campaigns.Enrollment": {("wait_reason", "stop_reason"): CODE},
    "campaigns.SkipCount": {("reason",): CODE},
    "campaigns.EnrollmentTally": {("status", "standing", "stop_reason"): CODE},
    "campaigns.DueTally": {("wait_reason",): CODE},
    "dispatch.MessageTally": {("state",): CODE},
    "dispatch.Tick": {("name",): CODE},
    "dispatch.FactCount": {("source", "label"): CODE},
    "dispatch.CountMark": {("source",): CODE},
    "dispatch.Message": {
        ("recipient_digest", "domain_digest"): KEYED,
        ("message_id", "delivered_message_id"): "made at random by us, or given by the provider",
        ("reason",): CODE,
    },
    "dispatch.Attempt": {("stage", "state", "reason"): CODE},
    "dispatch.Hit": {("evidence",): CODE},
    "dispatch.DeliveryWorker": {("name",): "a host and a process"},
    "dispatch.Mailbox": {("login", "problem"): "the account's own login, and its server's words about it"},
    "dispatch.MailboxFolder": {
        ("name", "recent_uids", "left_out_uids"): "folders of the account's own mailbox, and numbers in them"
    },
    "dispatch.MxVerdict": {("status", "reason"): CODE},
    "dispatch.Notice": {
        ("source",): CODE,
        ("dedupe",): "a hash over the whole notice, against storing it twice",
        ("address_digests",): KEYED + "; emptied with the notice",
    },
    "dispatch.Feedback": {("matched_by", "status"): CODE},
}
