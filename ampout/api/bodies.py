"""Request bodies: read once, within limits, with their digest; JSON objects wrapped in the resource's name or not."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias, cast

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser

from ampout.api.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType
from ampout.api.fields import Schema, read_fields
from ampout.lib.errors import ValidationFailed

MULTIPART_OVERHEAD = 64 * 1024
"""Bytes of an upload that are not the file: boundaries, part headers, the other fields."""

Part: TypeAlias = "str | UploadedFile[bytes]"


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body.

    `content` is the raw body, empty for an upload, which has `parts` instead: texts and files by name. `digest` is the
    SHA-256 of the raw body in either case, in hex.
    """

    digest: str
    media_type: str
    content: bytes = b""
    parts: Mapping[str, Part] | None = None

    def close(self) -> None:
        """Remove the files of an upload."""
        for part in (self.parts or {}).values():
            if isinstance(part, UploadedFile):
                part.close()


class _HashingReader:
    """A stream that digests what is read from it."""

    def __init__(self, stream: HttpRequest) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int | None = None) -> bytes:
        """Read from the stream below."""
        chunk: bytes = self._stream.read() if size is None else self._stream.read(size)
        self.digest.update(chunk)
        return chunk


def read_body(request: HttpRequest, *, upload: bool = False) -> Body:
    """Read the body; `upload` lets multipart/form-data in.

    Raises BadRequest, PayloadTooLarge, and Django's own refusals of malformed uploads.
    """
    if "HTTP_TRANSFER_ENCODING" in request.META:
        raise BadRequest("Send the body with a Content-Length; chunked bodies are not read.")
    media_type = (request.content_type or "").lower()
    if upload and media_type == "multipart/form-data":
        return _read_upload(request)
    content = request.body
    return Body(digest=hashlib.sha256(content).hexdigest(), media_type=media_type, content=content)


def _read_upload(request: HttpRequest) -> Body:
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.CSV_MAX_BYTES + MULTIPART_OVERHEAD:
        raise PayloadTooLarge(f"The file is larger than {settings.CSV_MAX_BYTES} bytes. Split it.")
    reader = _HashingReader(request)
    parser = MultiPartParser(
        request.META, cast("HttpRequest", reader), request.upload_handlers, request.encoding or "utf-8"
    )
    fields, files = parser.parse()
    parts = cast("Mapping[str, Part]", fields.dict() | files.dict())
    body = Body(digest=reader.digest.hexdigest(), media_type="multipart/form-data", parts=parts)
    if any(isinstance(part, UploadedFile) and (part.size or 0) > settings.CSV_MAX_BYTES for part in parts.values()):
        body.close()
        raise PayloadTooLarge(f"The file is larger than {settings.CSV_MAX_BYTES} bytes. Split it.")
    return body


def read_object(body: Body, name: str, schema: Schema, *, partial: bool = False) -> dict[str, Any]:
    """The values of a JSON body, wrapped in `name` or not; no body at all is an empty object.

    Raises BadRequest for what is not JSON, ValidationFailed for what does not fit the schema, UnsupportedMediaType.
    """
    return read_fields(schema, unwrap(parse_json(body), name), partial=partial)


def parse_json(body: Body) -> dict[str, Any]:
    """The JSON object in a body. Raises BadRequest and UnsupportedMediaType."""
    if not body.content:
        return {}
    if body.media_type != "application/json":
        raise UnsupportedMediaType("Send the body as JSON, with `Content-Type: application/json`.")
    try:
        value = json.loads(
            body.content.decode("utf-8-sig"), object_pairs_hook=_distinct, parse_constant=_refuse_constant
        )
        # A half of a surrogate pair comes in by an escape alone, and no encoding can write it out again.
        if b"\\u" in body.content:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise BadRequest("The body is not valid JSON in UTF-8.") from None
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BadRequest("The body names a field twice.")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise BadRequest(f"{name} is not JSON.")


def unwrap(value: dict[str, Any], name: str) -> dict[str, Any]:
    """The object inside `{name: {…}}`, or the object itself. Raises ValidationFailed when both are mixed."""
    if name not in value:
        return value
    inner = value[name]
    if not isinstance(inner, dict):
        raise ValidationFailed({name: ["Must be an object."]})
    beside = [other for other in value if other != name][:1]
    if beside:
        raise ValidationFailed({beside[0][:100]: [f"Unknown field. Put it inside `{name}`."]})
    return inner
