"""The body of a provider's call: strict JSON, or the fields of a form."""

import io
import re
from typing import Any, TypeAlias

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from ampout.lib import json_text

Payload: TypeAlias = Any
"""What JSON holds, or a QueryDict of a form."""

_BOUNDARY = re.compile(rb"--([0-9A-Za-z'()+_,./:=?-]{1,70})\r?\n")
_JSON_STARTS = (b"{", b"[", b'"', b"\xef\xbb\xbf")


def read_payload(body: bytes) -> Payload:
    """JSON, multipart/form-data or application/x-www-form-urlencoded, told apart by how the body begins.

    Raises ValueError, with a sentence.
    """
    start = body[:200].lstrip()
    if start.startswith(_JSON_STARTS):
        return read_json(body)
    boundary = _BOUNDARY.match(start)
    return _read_multipart(body, boundary[1].decode("ascii")) if boundary else _read_form(body)


def read_json(body: bytes) -> Any:
    """Strict JSON in UTF-8, within bounds. Raises ValueError, with a sentence."""
    return json_text.parse_json(body, halves=True)


def _read_form(body: bytes) -> QueryDict:
    try:
        fields = QueryDict(body if b"=" in body else b"", encoding="utf-8")
    except (ValueError, SuspiciousOperation):
        fields = QueryDict()
    if not fields:
        raise ValueError("The body is neither JSON nor a form.")
    return fields


def _read_multipart(body: bytes, boundary: str) -> QueryDict:
    """The texts of an upload; its files, which Mailgun's old calls had, are not looked at."""
    facts = {"CONTENT_TYPE": f"multipart/form-data; boundary={boundary}", "CONTENT_LENGTH": str(len(body))}
    handlers = [MemoryFileUploadHandler(HttpRequest())]
    try:
        # Only its `read` is used.
        stream: Any = io.BytesIO(body)
        fields, _files = MultiPartParser(facts, stream, handlers, "utf-8").parse()
    except (MultiPartParserError, SuspiciousOperation, ValueError):
        raise ValueError("The form of several parts cannot be read.") from None
    return fields
