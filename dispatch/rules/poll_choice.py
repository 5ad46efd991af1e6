"""Which of the mailboxes that are due are read now: so many of a host side by side, and one of a login."""

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

HOST_CONVERSATIONS = 100
"""Conversations with one host, over all workers. Providers count connections by address, and we have one or few; more
workers are for more hosts, not for more weight on one."""

FAILING_SHARE = 4
"""A quarter of a worker's conversations, at most, goes to mailboxes whose last poll failed: those are what hangs until
a deadline, and must leave room for the others."""


@dataclass(frozen=True, slots=True)
class DueMailbox:
    """A mailbox to read. `login` names server and user; several credentials may share one."""

    credential_id: uuid.UUID
    login: str
    host: str
    is_failing: bool = False


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What is being read now: logins that are taken, conversations by host, and how many of ours had failed before."""

    logins: Collection[str] = frozenset()
    hosts: Mapping[str, int] = field(default_factory=dict)
    failing: int = 0


def choose_mailboxes(
    due: Iterable[DueMailbox], under_way: UnderWay, *, room: int, conversations: int
) -> list[DueMailbox]:
    """Up to `room` of those that are due, in their order; `conversations` is what this worker holds at most."""
    taken, hosts = set(under_way.logins), Counter(under_way.hosts)
    room_for_failing = max(1, conversations // FAILING_SHARE) - under_way.failing
    chosen: list[DueMailbox] = []
    for mailbox in due:
        if len(chosen) >= room:
            break
        if mailbox.login in taken or hosts[mailbox.host] >= HOST_CONVERSATIONS:
            continue
        if mailbox.is_failing and room_for_failing <= 0:
            continue
        room_for_failing -= mailbox.is_failing
        taken.add(mailbox.login)
        hosts[mailbox.host] += 1
        chosen.append(mailbox)
    return chosen
