"""Request bodies: read once, within limits, with their digest; JSON objects wrapped in the resource's name or not."""

import contextlib
import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser
from django.utils.datastructures import MultiValueDict

from ampout.api.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType
from ampout.api.fields import Schema, read_fields
from ampout.lib import json_text
from ampout.lib.errors import AmpoutError, ValidationFailed

CHUNK = 64 * 1024
"""Bytes that are discarded at once."""
MULTIPART_OVERHEAD = 64 * 1024
"""Bytes of an upload that are not the file: boundaries, part headers, the other fields."""

Part: TypeAlias = "str | UploadedFile[bytes]"
MultiValues: TypeAlias = "MultiValueDict[str, Any]"


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
        self.received = 0

    def read(self, size: int | None = None) -> bytes:
        """Read from the stream below."""
        chunk: bytes = self._stream.read() if size is None else self._stream.read(size)
        self.digest.update(chunk)
        self.received += len(chunk)
        return chunk


def read_body(request: HttpRequest, *, upload: bool = False) -> Body:
    """Read the body; `upload` lets multipart/form-data in.

    Raises BadRequest, PayloadTooLarge, UnsupportedMediaType, and Django's own refusals of malformed uploads.
    """
    if "HTTP_TRANSFER_ENCODING" in request.META:
        raise BadRequest("Send the body with a Content-Length; chunked bodies are not read.")
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in {"identity", ""}:
        # Nothing is unpacked, so a small body cannot grow into a large one.
        raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding.")
    try:
        return _read(request, upload=upload)
    except (PayloadTooLarge, RequestDataTooBig):
        _discard(request, 2 * settings.CSV_MAX_BYTES)
        raise


def _discard(request: HttpRequest, most: int) -> None:
    """Read on and forget: a client that is still writing when the connection closes does not see the answer."""
    with contextlib.suppress(OSError):
        while most > 0 and (chunk := request.read(CHUNK)):
            most -= len(chunk)


def _read(request: HttpRequest, *, upload: bool) -> Body:
    media_type = (request.content_type or "").lower()
    if upload and media_type == "multipart/form-data":
        return _read_upload(request)
    content = request.body
    _check_whole(request, len(content))
    return Body(digest=hashlib.sha256(content).hexdigest(), media_type=media_type, content=content)


def _check_whole(request: HttpRequest, received: int) -> None:
    """A connection that ends early just ends the stream: half a list of contacts would look like a whole one."""
    if received < _content_length(request):
        raise BadRequest("The body ended before its Content-Length. Send it again.")


def _content_length(request: HttpRequest) -> int:
    text = request.META.get("CONTENT_LENGTH") or "0"
    if not (text.isascii() and text.isdecimal()):
        raise BadRequest("The Content-Length is not a number.")
    return int(text) if len(text) < 20 else sys.maxsize


def _read_upload(request: HttpRequest) -> Body:
    if _content_length(request) > settings.CSV_MAX_BYTES + MULTIPART_OVERHEAD:
        raise PayloadTooLarge(f"The file is larger than {settings.CSV_MAX_BYTES} bytes. Split it.")
    reader = _HashingReader(request)
    parser = MultiPartParser(
        request.META, cast("HttpRequest", reader), request.upload_handlers, request.encoding or "utf-8"
    )
    fields, files = parser.parse()
    body = Body(digest=reader.digest.hexdigest(), media_type="multipart/form-data", parts=_parts(fields, files))
    try:
        _check_whole(request, reader.received)
        _check_parts(fields, files)
    except AmpoutError:
        for file in _all(files):
            file.close()
        raise
    return body


def _parts(fields: MultiValues, files: MultiValues) -> Mapping[str, Part]:
    return cast("Mapping[str, Part]", fields.dict() | files.dict())


def _all(values: MultiValues) -> list[Any]:
    return [value for _name, given in values.lists() for value in given]


def _check_parts(fields: MultiValues, files: MultiValues) -> None:
    if len(_all(fields)) + len(_all(files)) != len(_parts(fields, files)):
        raise BadRequest("The form names a field twice.")
    if any((file.size or 0) > settings.CSV_MAX_BYTES for file in _all(files)):
        raise PayloadTooLarge(f"The file is larger than {settings.CSV_MAX_BYTES} bytes. Split it.")


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
        value = json_text.parse_json(body.content)
    except json_text.InvalidJson as error:
        raise BadRequest(str(error)) from None
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    return value


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
