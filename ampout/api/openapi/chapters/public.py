"""What needs no key."""

from ampout.api.openapi.operations import Chapter, Example, Operation
from ampout.api.openapi.shapes import FLAG, NUMBER, TEXT, map_of, object_of, one_of, or_null

_TOKEN = {"token": "token"}
_CHECK = object_of({"ok": FLAG, "value": or_null(NUMBER), "limit": or_null(NUMBER), "message": TEXT})

CHAPTER = Chapter(
    "Without a key",
    "",
    (
        Operation(
            method="GET",
            path="/u/{token}",
            summary="The page behind every unsubscribe link",
            text="Shows it and changes nothing ([Unsubscribe](../explanation/unsubscribe.md)). Answers HTML.",
            answer={"type": "string"},
            answer_type="text/html",
            codes=("not_found",),
            public=True,
            example=Example(ids=_TOKEN),
        ),
        Operation(
            method="POST",
            path="/u/{token}",
            summary="Unsubscribe by one click",
            text="RFC 8058. Answers HTML.",
            answer={"type": "string"},
            answer_type="text/html",
            codes=("not_found",),
            public=True,
            foreign=True,
            example=Example(ids=_TOKEN),
        ),
        Operation(
            method="GET",
            path="/o/{token}",
            summary="The pixel of a message",
            text="[Opens and clicks](../explanation/opens-and-clicks.md). Answers a picture whatever its token.",
            answer={"type": "string", "contentEncoding": "binary"},
            answer_type="image/gif",
            public=True,
            example=Example(ids=_TOKEN),
        ),
        Operation(
            method="GET",
            path="/c/{token}",
            summary="A link of a message",
            text="Leads on (302) only to the target that was signed for it, and is a 404 otherwise.",
            status=302,
            query={"u": {"type": "string", "format": "uri", "description": "The target."}},
            codes=("not_found",),
            public=True,
            example=Example(ids={"token": "link"}, query={"u": "https://example.com/offer"}),
        ),
        Operation(
            method="GET",
            path="/healthz",
            summary="Whether the web process is alive",
            text="It asks nobody else.",
            answer=object_of({"status": one_of(["ok"])}),
            public=True,
            example=Example(answer={"status": "ok"}),
        ),
        Operation(
            method="GET",
            path="/readyz",
            summary="Whether the installation does its work",
            text="""\
200 while all is well. Otherwise 503 with the code `unavailable`, whose `message` says in a sentence what is wrong, and
whose `details` has the same `checks`. Ages are seconds. Strangers get no `checks`: see
[Monitor](../howto/monitor.md#who-may-ask).""",
            answer=object_of({"status": one_of(["ready"]), "checks": map_of(_CHECK)}),
            codes=("unavailable",),
            public=True,
            example=Example(refused=(503, "unavailable")),
        ),
        Operation(
            method="GET",
            path="/metrics",
            summary="Metrics for Prometheus",
            text="In its text format, or as OpenMetrics. [Monitor](../howto/monitor.md) names them, and says who may ask.",
            answer={"type": "string"},
            answer_type="text/plain",
            codes=("unauthorized", "unavailable"),
            public=True,
        ),
    ),
)
