"""What `manage.py check --deploy` says besides Django's own checks."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004  # Django's name


@register(Tags.security, deploy=True)
def check_hosts(**_facts: Any) -> list[CheckMessage]:
    """`*` lets whoever calls choose the host of the links that we answer with."""
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    hint = "List the names under which clients reach the API. Load balancers may ask /healthz by any."
    return [Warning("ALLOWED_HOSTS lets every host in.", hint=hint, id="ampout.W002")]
