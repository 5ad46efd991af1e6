"""`Idempotency-Key` at the edge: which calls have one, which answers are kept, and how a kept one is given again."""

import re
from collections.abc import Callable

from django.db import transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from ampout.accounts import idempotency
from ampout.accounts.idempotency import Answer, Call, Reservation
from ampout.lib.crypto import keyed_digest
from ampout.lib.errors import ValidationFailed

HEADER = "Idempotency-Key"
NOT_KEPT = frozenset({401, 409, 429})

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def read_key(header: str | None) -> str | None:
    """The key of a request; None without one. Raises ValidationFailed."""
    if header is not None and not _KEY.fullmatch(header):
        raise ValidationFailed({HEADER: ["Must be 1 to 255 visible ASCII characters, without blanks."]})
    return header


def perform_once(
    call: Call,
    body_digest: str,
    prepare: Callable[[], None],
    act: Callable[[], Response],
    refuse: Callable[[Exception], Response],
) -> HttpResponseBase:
    """Prepare and act, unless this call was answered before; the effect and the kept answer are one transaction.

    `refuse` makes the answer of a refusal, and raises a fault again. Raises IdempotencyInFlight and Unprocessable.
    """
    # Keyed: a body may be all known but for a password, which could then be guessed by its digest.
    found = idempotency.reserve(call, keyed_digest("idempotency", body_digest).hex())
    if isinstance(found, Answer):
        return _replay(found)
    try:
        return _act_and_keep(found, prepare, act, refuse)
    finally:
        # Takes nothing away where an answer was kept.
        idempotency.release(found)


def _act_and_keep(
    reservation: Reservation,
    prepare: Callable[[], None],
    act: Callable[[], Response],
    refuse: Callable[[Exception], Response],
) -> Response:
    try:
        prepare()
        with transaction.atomic():
            idempotency.hold(reservation)
            return _kept(reservation, act())
    except idempotency.IdempotencyInFlight:
        raise
    except Exception as error:  # noqa: BLE001  # what is not a refusal is raised again there
        return _kept(reservation, refuse(error))


def _kept(reservation: Reservation, response: Response) -> Response:
    status = response.status_code
    if status < 500 and status not in NOT_KEPT:
        body = "" if response.data is None else JSONRenderer().render(response.data).decode()
        idempotency.keep(reservation, Answer(status, body))
    return response


def _replay(answer: Answer) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, content_type="application/json")
    if not answer.body:
        del response["Content-Type"]
    response["Idempotent-Replayed"] = "true"
    return response
