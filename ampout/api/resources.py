"""The base of every resource: what is the same for all, so that a view only parses, calls one service and answers."""

import uuid
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from types import MappingProxyType
from typing import Any, ClassVar, cast

from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ampout.accounts.idempotency import Call
from ampout.accounts.models import Account, ApiKey
from ampout.accounts.row_security import behind_wall
from ampout.api import bodies, idempotency, pagination
from ampout.api.authentication import Principal
from ampout.api.bodies import Body
from ampout.api.fields import Field, Invalid, Schema, parse_uuid
from ampout.api.scopes import SAFE_METHODS, check_scopes, scope_for
from ampout.api.throttles import Allowance
from ampout.lib.errors import NotFound, ValidationFailed

LONGEST_PATH = 400
"""Characters; the longest of ours has about 110."""


class AlwaysJson(BaseContentNegotiation):
    """Answers are JSON, whatever `Accept` says; `bodies` decides what is read."""

    def select_parser(self, _request: Request, parsers: Any) -> BaseParser:
        """DRF's parsers are not used."""
        parser: BaseParser = parsers[0]
        return parser

    def select_renderer(self, _request: Request, renderers: Any, _format_suffix: str | None = None) -> Any:
        """The only renderer."""
        renderer: BaseRenderer = renderers[0]
        return renderer, renderer.media_type


class Resource(APIView):
    """One path of the API.

    Handlers get the ids of their path as UUIDs: `contact_id` that is no UUID answers `contact_not_found`, as a missing
    one does. A mutating handler runs in one transaction with the record of its Idempotency-Key. What has to be asked of
    other servers is asked by `prepare_post` or `prepare_patch`, which run before that transaction and change nothing.
    """

    http_method_names = ["get", "head", "post", "patch", "delete"]  # noqa: RUF012  # Django's own declaration
    content_negotiation_class = AlwaysJson
    metadata_class = None
    accepts_upload: ClassVar[bool] = False
    id_codes: Mapping[str, str] = MappingProxyType({})
    """The code of a missing object, where it is not the name of its id in the path with `_not_found`."""

    allowance: Allowance | None = None
    """What the caller's key has left, once it was counted."""

    _body: Body | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """As DRF's, with ids read and mutations made safe to repeat."""
        self.args, self.kwargs = args, kwargs
        self._http_request = request
        self.request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        response: HttpResponseBase
        try:
            self.initial(self.request, *args, **kwargs)
            handler = self._handler()
            self._check_scope()
            with nullcontext() if self.key is None else behind_wall(self.account.pk):
                response = self._perform(handler, self._read_ids(kwargs))
        except Exception as error:  # noqa: BLE001  # what is not a refusal is raised again there
            response = self.handle_exception(error)
        finally:
            if self._body is not None:
                self._body.close()
        if self.allowance is not None:
            self.headers |= self.allowance.headers()
        self.response = self.finalize_response(self.request, response, *args, **kwargs)  # type: ignore[arg-type]
        return self.response

    def _check_scope(self) -> None:
        """After the limit, which so counts refused calls too. A call without a key, as sign-up is, has no scopes."""
        key, matched = self.key, self._http_request.resolver_match
        if key is not None and matched is not None:
            method = self.request.method or ""
            check_scopes([scope_for(method, matched.route)], key.scopes, "This call")

    def _handler(self) -> Callable[..., HttpResponseBase]:
        name = (self.request.method or "").lower()
        handler: Callable[..., HttpResponseBase] | None = getattr(self, name, None)
        if handler is None or name not in self.http_method_names:
            raise MethodNotAllowed(name.upper())
        return handler

    def _read_ids(self, given: dict[str, str]) -> dict[str, uuid.UUID]:
        ids = {}
        for name, text in given.items():
            parsed = parse_uuid(text)
            if parsed is None:
                raise NotFound(self.id_codes.get(name, f"{name.removesuffix('_id')}_not_found"))
            ids[name] = parsed
        return ids

    def _perform(self, handler: Callable[..., HttpResponseBase], ids: dict[str, uuid.UUID]) -> HttpResponseBase:
        def act() -> Response:
            return cast("Response", handler(self.request, **ids))

        def prepare() -> None:
            preparation: Callable[..., None] | None = getattr(self, f"prepare_{method.lower()}", None)
            if preparation is not None:
                preparation(self.request, **ids)

        method = self.request.method or ""
        if method in SAFE_METHODS:
            return act()
        key = idempotency.read_key(self.request.headers.get(idempotency.HEADER))
        if key is not None:
            call = Call(self.idempotency_scope(), method, self.request.path[:LONGEST_PATH], key)
            return idempotency.perform_once(call, self.body.digest, prepare, act, self.handle_exception)
        prepare()
        with transaction.atomic():
            return act()

    def idempotency_scope(self) -> str:
        """Whose keys these are."""
        return f"account:{self.account.pk}"

    @property
    def key(self) -> ApiKey | None:
        """The key that calls; None at sign-up."""
        return cast("ApiKey | None", self.request.auth)

    @property
    def account(self) -> Account:
        """The account that calls."""
        return cast("Principal", self.request.user).account

    @property
    def body(self) -> Body:
        """The request's body, read once."""
        if self._body is None:
            self._body = bodies.read_body(self._http_request, upload=self.accepts_upload)
        return self._body

    def read(self, name: str, schema: Schema, *, partial: bool = False) -> dict[str, Any]:
        """The values of the JSON body, wrapped in `name` or not. Raises BadRequest and ValidationFailed."""
        return bodies.read_object(self.body, name, schema, partial=partial)

    def query(self, name: str, field: Field) -> Any:
        """A value of the query string; None when it is not there. Raises ValidationFailed."""
        text = self.request.GET.get(name)
        if text is None:
            return None
        try:
            return field.read(text)
        except Invalid as error:
            raise ValidationFailed({name: error.problems[""]}) from None

    def answer_list(
        self, rows: QuerySet[Any], show: Callable[[Any], dict[str, Any]], *, time_field: str = "created_at"
    ) -> Response:
        """One page of `rows`, newest first, as a bare array, with the next page in the `Link` header."""
        page = pagination.page_of(rows, pagination.read_page_request(self.request.GET), time_field=time_field)
        response = Response([show(row) for row in page.rows])
        if page.next_cursor is not None:
            response["Link"] = f'<{self.next_url("cursor", page.next_cursor)}>; rel="next"'
        return response

    def next_url(self, name: str, cursor: str) -> str:
        """This request's address with another cursor, which its query calls `name`."""
        query = self._http_request.GET.copy()
        query[name] = cursor
        return self._http_request.build_absolute_uri(f"{self._http_request.path}?{query.urlencode()}")


def find_or_404(rows: QuerySet[Any], row_id: uuid.UUID, code: str) -> Any:
    """The row with this id among `rows`, which are one account's. Raises NotFound with `code`."""
    row: Model | None = rows.filter(pk=row_id).first()
    if row is None:
        raise NotFound(code)
    return row
