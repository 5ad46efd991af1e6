"""What Django's pages and mails about an error of ours may tell: where it happened, and never with which values."""

import traceback

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.views.debug import ExceptionReporter


class TracebackReporter(ExceptionReporter):
    """Python's own traceback, and nothing of the request, the variables or the settings: all of them hold secrets."""

    def get_traceback_text(self) -> SafeString:
        """The traceback."""
        return mark_safe(self._traceback())  # noqa: S308  # sent as text/plain

    def get_traceback_html(self) -> SafeString:
        """The traceback as a page."""
        return format_html("<!doctype html>\n<title>Error</title>\n<pre>{}</pre>\n", self._traceback())

    def _traceback(self) -> str:
        return "".join(traceback.format_exception(self.exc_type, self.exc_value, self.tb))
