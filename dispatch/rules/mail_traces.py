"""What servers leave on a mail on its way: most of a header block, and nothing that says whether a mail concerns us."""

import re

_TRACES = (
    *(rb"received", rb"x-received", rb"received-spf", rb"authentication-results", rb"arc-[a-z-]+"),
    *(rb"dkim-signature", rb"domainkey-signature", rb"x-google-dkim-signature", rb"x-gm-[a-z-]+"),
    *(
        rb"x-ms-exchange-(?:organization|crosstenant|transport|antispam|slblob|atpmessage)[a-z-]*",
        rb"x-microsoft-[a-z-]+",
    ),
    *(rb"x-forefront-[a-z-]+", rb"x-spam-[a-z-]+", rb"x-proofpoint-[a-z-]+", rb"x-mimecast-[a-z-]+", rb"x-sg-eid"),
)
# A field, and the lines that continue it (RFC 5322, 2.2.3).
_FIELD = re.compile(
    rb"^(?:" + rb"|".join(_TRACES) + rb")[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE
)


def without_traces(header: bytes) -> bytes:
    """The header block without the fields that servers add; for deciding about a mail, not for keeping it."""
    return _FIELD.sub(b"", header)
