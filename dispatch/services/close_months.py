"""Closing months: what was sent in one that is over is written down, and never counted again.

1. A month is closed a week after its end: until then an operator's choice or late evidence may move what is unknown.
2. It is not closed while a message is on the wire since before that week: its fate is not told yet.
3. All accounts' months are written by one statement, each from where that account's last closed month ended; a month
   without sends leaves no row and costs nothing to look at again. Doing it twice changes nothing.
"""

from datetime import datetime, timedelta

from django.db import transaction

from ampout.accounts.rules.months import month_of, start_of
from ampout.lib import clock, sql

SETTLED_AFTER = timedelta(days=7)

_CLOSE = """
INSERT INTO accounts_monthlyusage (account_id, month, client_kind, sends)
SELECT tally.account_id, tally.month, tally.client_kind, sum(tally.count)
FROM dispatch_usagetally tally JOIN accounts_account account ON account.id = tally.account_id
WHERE tally.month < %(month)s
  AND tally.month > COALESCE((SELECT max(closed.month) FROM accounts_monthlyusage closed
                              WHERE closed.account_id = account.id), '-infinity')
  AND NOT EXISTS (SELECT 1 FROM dispatch_message message
                  WHERE message.account_id = account.id AND message.state = 'wire' AND message.wire_at < %(end)s)
GROUP BY 1, 2, 3 HAVING sum(tally.count) > 0
ON CONFLICT (account_id, month, client_kind) DO NOTHING
"""


@transaction.atomic
def close_months(*, now: datetime | None = None) -> int:
    """Write down the months that ended more than a week ago; returns how many rows that took."""
    now = now or clock.utc_now()
    sql.keep_plans_steady()
    month = month_of(now - SETTLED_AFTER)
    return sql.execute(_CLOSE, {"month": month, "end": start_of(month)})
