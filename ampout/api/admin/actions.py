"""How an operator's action runs: one service for each chosen record, its outcome told, the operator's name kept."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.admin import helpers
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from ampout.api.admin.base import PAGE_SIZE, RecordAdmin
from ampout.api.admin.columns import change_url, list_url
from ampout.lib.errors import AmpoutError

Act = Callable[[Any], str]
"""Calls one service for one record and returns what happened, in words; raises AmpoutError where it is refused."""

FROM_DETAIL = "from_detail"
"""The form field by which a detail page's button says where to come back to."""
CONFIRMED = "confirmed"
"""The form field by which the confirmation page says that the operator has read it."""


def run_each(model_admin: RecordAdmin, request: HttpRequest, chosen: QuerySet[Any], act: Act) -> HttpResponse | None:
    """Run `act` for each record, each in a transaction of its own, and go back to where the operator was."""
    records = list(chosen[: PAGE_SIZE + 1])
    if len(records) > PAGE_SIZE:
        model_admin.message_user(request, f"Choose at most {PAGE_SIZE} at a time.", messages.ERROR)
        return None
    for record in records:
        _run_one(model_admin, request, record, act)
    if FROM_DETAIL in request.POST and len(records) == 1:
        return HttpResponseRedirect(change_url(records[0]))
    return None


def _run_one(model_admin: RecordAdmin, request: HttpRequest, record: Any, act: Act) -> None:
    try:
        # The operator's name is kept exactly when the effect is.
        with transaction.atomic():
            happened = act(record)
            model_admin.log_change(request, record, happened)
    except AmpoutError as refusal:
        model_admin.message_user(request, f"{record}: {refusal.message}", messages.ERROR)
    else:
        model_admin.message_user(request, f"{record}: {happened}.", messages.SUCCESS)


def is_confirmed(request: HttpRequest) -> bool:
    """Whether the operator comes from the confirmation page."""
    return CONFIRMED in request.POST


def ask(
    model_admin: RecordAdmin,
    request: HttpRequest,
    chosen: QuerySet[Any],
    *,
    title: str,
    warning: str,
    question: str = "",
) -> TemplateResponse:
    """The page before an action that cannot be taken back; with a `question`, its answer is posted as `answer`."""
    records, from_detail = list(chosen[:PAGE_SIZE]), FROM_DETAIL in request.POST
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.opts,
        "warning": warning,
        "question": question,
        "records": records,
        "action": request.POST.get("action", ""),
        "from_detail": from_detail,
        "back": change_url(records[0]) if from_detail and records else list_url(model_admin.model),
        "checkbox_name": helpers.ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/confirm_action.html", context)
