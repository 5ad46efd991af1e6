"""Accounts and keys."""

from ampout.accounts.rules.keys import ALL_SCOPES, ClientKind
from ampout.api import account, api_keys, signup
from ampout.api.openapi.operations import Chapter, Example, Operation
from ampout.api.openapi.shapes import (
    COUNT,
    EMAIL,
    ID,
    TEXT,
    TIME,
    Shape,
    counts_by,
    list_of,
    object_of,
    one_of,
    or_null,
)

_KEY = {
    "id": ID,
    "prefix": TEXT | {"examples": ["ak_live_JoHJ"]},
    "label": TEXT,
    "client_kind": one_of(ClientKind),
    "scopes": list_of(one_of(ALL_SCOPES)),
    "created_at": TIME,
    "last_used_at": or_null(TIME),
}
ACCOUNT = Shape(
    "Account",
    object_of(
        {
            "id": ID,
            "email": EMAIL,
            "name": TEXT,
            "sender_name": TEXT,
            "postal_address": TEXT,
            "created_at": TIME,
        }
    ),
)
API_KEY = Shape("ApiKey", object_of(_KEY))
ISSUED_KEY = Shape(
    "IssuedApiKey",
    object_of(_KEY | {"plaintext": TEXT | {"examples": ["ak_live_JoHJ0vCyrHJqWKz5jZ3yD0nHn0Nq4h0d0iK1m8rX2cE"]}}),
)
SIGNED_UP = Shape(
    "SignedUp", object_of({"account": object_of({"id": ID, "email": EMAIL, "name": TEXT}), "api_key": ISSUED_KEY.ref})
)
_SENDS = {"sends": COUNT, "by_client_kind": counts_by(ClientKind)}
USAGE = Shape(
    "Usage",
    object_of(
        {
            "current_period": object_of({"start": TIME, "end": TIME} | _SENDS),
            "current_period_sends": COUNT,
            "monthly_limit": or_null(COUNT),
            "remaining": or_null(COUNT),
            "history": list_of(object_of({"month": TEXT | {"examples": ["2026-10"]}} | _SENDS)),
        }
    ),
)
SHAPES = (ACCOUNT, API_KEY, ISSUED_KEY, SIGNED_UP, USAGE)

CHAPTER = Chapter(
    "Accounts and keys",
    "",
    (
        Operation(
            method="POST",
            path="/signup",
            summary="Make an account and its first key",
            text="It needs no key, and is off (403) unless the operator set `ALLOW_SIGNUP=1`, as `make run` does. "
            "`plaintext` is shown this once.",
            status=201,
            answer=SIGNED_UP.ref,
            body=signup.SIGNUP,
            wrapper="account",
            meanings={"email": "whose account it is", "name": "what it is called"},
            codes=("insufficient_scope", "rate_limited"),
            public=True,
            example=Example(
                body={"email": "ann@example.com", "name": "Ann"},
                answer={
                    "account": {"email": "ann@example.com", "name": "Ann"},
                    "api_key": {"label": "first key", "scopes": list(ALL_SCOPES), "last_used_at": None},
                },
            ),
        ),
        Operation(
            method="GET",
            path="/account",
            summary="Show the account",
            text="What messages say of their sender.",
            answer=ACCOUNT.ref,
            example=Example(answer={"email": "ann@example.com", "name": "Ann"}),
        ),
        Operation(
            method="PATCH",
            path="/account",
            summary="Change what messages say of their sender",
            text="Without a `postal_address` every dispatch answers with a warning, because most countries require one "
            "in such mail.",
            answer=ACCOUNT.ref,
            body=account.ACCOUNT,
            wrapper="account",
            partial=True,
            meanings={
                "name": "what the account is called",
                "sender_name": "who writes, in the footer and on the unsubscribe page",
                "postal_address": "where the sender is, in the footer; of several lines",
            },
            example=Example(
                body={"sender_name": "Ann Berg", "postal_address": "1 High Street\n8010 Graz"},
                answer={
                    "email": "ann@example.com",
                    "name": "Ann",
                    "sender_name": "Ann Berg",
                    "postal_address": "1 High Street\n8010 Graz",
                },
            ),
        ),
        Operation(
            method="GET",
            path="/usage",
            summary="How much the account sends, and how much it may",
            text="""
A send is a message whose body left and was accepted, or whose fate is unknown: every step of a sequence, each once, and
test sends, too. It belongs to the month, in UTC, in which its body left, and counts under the `client_kind` of the key
that first released its batch, or that sent the test. `history` has the twelve months before, newest first. A month is
closed a week after its end; nothing that happens later changes it, deletions included.

`monthly_limit` is what the operator allows in a month, null without a limit, and `remaining` what is left of it. While it
is reached, `dispatch` and `test_send` answer 402 `plan_limit_reached`. Nothing is lost by it: what was released waits, as
`monthly_limit` in the campaign's `conservation`, for the next month or a higher limit. What has a slot
or waits for a retry counts against the limit as well.
""",
            answer=USAGE.ref,
            example=Example(
                answer={
                    "current_period": {
                        "start": "2026-11-01T00:00:00Z",
                        "end": "2026-12-01T00:00:00Z",
                        "sends": 420,
                        "by_client_kind": {"direct": 20, "mcp": 0, "sdk": 400},
                    },
                    "current_period_sends": 420,
                    "monthly_limit": None,
                    "remaining": None,
                    "history": [
                        {"month": "2026-10", "sends": 900, "by_client_kind": {"direct": 0, "mcp": 300, "sdk": 600}}
                    ],
                },
            ),
        ),
        Operation(
            method="GET",
            path="/api_keys",
            summary="List the live keys",
            text="Their text is not among what is shown.",
            answer=list_of(API_KEY.ref),
            paged=True,
            example=Example(answer=[{"label": "scripts", "client_kind": "sdk", "scopes": ["read", "write"]}]),
        ),
        Operation(
            method="POST",
            path="/api_keys",
            summary="Make a key",
            text="`plaintext` is shown this once.",
            status=201,
            answer=ISSUED_KEY.ref,
            body=api_keys.API_KEY,
            wrapper="api_key",
            meanings={
                "label": "for you",
                "client_kind": "what uses the key",
                "scopes": "what it may do: see [Scopes](#scopes); those of the key that makes it unless given. A key "
                "grants no more than it has: `insufficient_scope`",
            },
            defaults={"client_kind": "direct", "label": ""},
            example=Example(
                body={"label": "scripts", "client_kind": "sdk", "scopes": ["read", "write"]},
                answer={"label": "scripts", "client_kind": "sdk", "scopes": ["read", "write"], "last_used_at": None},
            ),
        ),
        Operation(
            method="DELETE",
            path="/api_keys/{api_key_id}",
            summary="Revoke a key",
            text="It stops working at once. The last one with the scope `admin` cannot be revoked: "
            "`cannot_revoke_last_key`.",
            status=204,
            codes=("api_key_not_found", "cannot_revoke_last_key"),
            example=Example(ids={"api_key_id": "second_key"}),
        ),
    ),
)
