"""Asking the admin for pages, as a test does."""

from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ampout.api.admin.columns import change_url


def read(client: Client, url: str) -> str:
    """A page that must be there."""
    answer = client.get(url)
    assert answer.status_code == 200, (url, answer.status_code)
    return str(answer.content.decode())


def history_url(record: Model) -> str:
    """What operators did to a record."""
    return change_url(record).replace("/change/", "/history/")


def count_queries(client: Client, url: str) -> int:
    """How many queries a page costs."""
    with CaptureQueriesContext(connection) as queries:
        read(client, url)
    return len(queries)
