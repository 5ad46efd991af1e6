"""What a server says too late about a message to somebody who was erased meanwhile."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dispatch.models import Message

if TYPE_CHECKING:
    from dispatch.services.settle import Outcome


def without_words_of_erased(outcomes: "Sequence[Outcome]", moved: Collection[uuid.UUID] = ()) -> "list[Outcome]":
    """These outcomes, those that came too late for a person who was erased without the server's words.

    Those that moved were under way until now, and so were not erased. The others' messages are locked, as an erasure
    under way is waited for; call it after the locks on enrollments.
    """
    late = {outcome.message_id for outcome in outcomes}.difference(moved)
    locked = Message.everywhere.select_for_update(no_key=True, of=("self",)).filter(pk__in=late).order_by("pk")
    erased = {pk for pk, recipient in locked.values_list("pk", "recipient") if not recipient} if late else set()
    return [
        replace(outcome, reply_text="", subject="") if outcome.message_id in erased else outcome for outcome in outcomes
    ]
