"""The bounce dialects that flufl.bounce knows, asked last: where our own rules saw a machine's mail and found nobody.

It is an outside program in spirit: it parses with the standard library, which grows and recurses on hostile mail, and
it raises for odd ones by design. So it sees only mail that our reader took in whole, cut to 64 KB, and nothing that it
raises leaves this module.
"""

import logging
from email import message_from_bytes

from flufl.bounce import all_failures

from dispatch.rules.classify.delivery_status import add_known_dialect, is_unclassified
from dispatch.rules.classify.knowledge import Knowledge
from dispatch.rules.classify.verdict import Classification
from dispatch.rules.mail.reader import Mail

MAX_BYTES = 64 * 1024
"""Bytes of a mail that are shown to the library; notices name their recipients early."""
_MAX_ADDRESSES = 100

# It writes a line for each detector that it runs, and a traceback for each mail that it cannot read.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)


def with_known_dialects(found: Classification, mail: Mail, raw: bytes, knowledge: Knowledge) -> Classification:
    """`found`, or a bounce of those whom flufl.bounce names, where `found` is a machine's mail about nobody."""
    if not is_unclassified(found) or mail.truncated:
        return found
    return add_known_dialect(found, mail, find_failed_addresses(raw), knowledge)


def find_failed_addresses(raw: bytes) -> tuple[str, ...]:
    """The addresses that flufl.bounce says have failed for good, lower-cased, in alphabetical order; never raises."""
    try:
        _, failed = all_failures(message_from_bytes(raw[:MAX_BYTES]))
        addresses = sorted(address.decode("ascii", "ignore").lower() for address in failed)
    except Exception:  # noqa: BLE001  # IndexError without a From, RecursionError, and whatever else odd mail brings
        return ()
    return tuple(address for address in addresses if "@" in address)[:_MAX_ADDRESSES]
