"""A campaign's account of its steps (law 2), as its page shows it: the same numbers as the API's `conservation`."""

from django.contrib import admin
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from ampout.api.admin.columns import spaced
from ampout.lib import clock
from campaigns.models import Campaign
from dispatch.services.tallied import tallied_conservation_of

ENDED = ("accepted", "refused", "gave_up", "quarantined", "unknown")
"""What became of a message; always shown, also where it is none."""


@admin.display(description="where its steps are")
def conservation(campaign: Campaign) -> SafeString:
    """The steps due, each term of the sum that they add up to, and whether they do. It costs one query."""
    account = tallied_conservation_of([campaign.pk], now=clock.utc_now())[campaign.pk]
    terms = [(spaced(name), account.ended.get(name, 0)) for name in ENDED]
    for side, numbers in (("stopped", account.stopped), ("waiting", account.waiting)):
        terms += [(f"{side}: {spaced(reason)}", count) for reason, count in sorted(numbers.items())]
    facts = {
        "due": f"{account.due:,}",
        "terms": [(name, f"{count:,}") for name, count in terms],
        "accounted": f"{account.accounted:,}",
        "balanced": account.balanced,
        "difference": f"{abs(account.due - account.accounted):,}",
    }
    return render_to_string("admin/conservation.html", facts)
