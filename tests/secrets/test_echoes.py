"""Each place where others' words enter, by itself: no word of a server or a receiver brings a secret of ours along."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from ampout.events.gateways.webhook_call import call_receiver
from ampout.lib import clock
from credentials.gateways.imap_connection import ImapFailure, Limits
from credentials.gateways.imap_login import check_imap_login
from credentials.gateways.smtp_login import check_smtp_login
from dispatch.gateways.mailbox import OpenMailbox, Withheld
from tests.peers.certificates import Certificates
from tests.peers.webhook_sink import Reply, running_webhook_sink
from tests.secrets.canaries import Canaries
from tests.secrets.echoes import CASES, Case, Mailbox, running_echoes
from tests.secrets.haystack import Search

WITH_MAILBOX = [case for case in CASES if case.imap]


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture
def mailboxes(certificates: Certificates, canaries: Canaries, settings: Settings) -> Iterator[list[Mailbox]]:
    """The servers of all cases."""
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.SMTP_CA_FILE = str(certificates.authority)
    with running_echoes(certificates, canaries) as (running, _):
        yield running


def fields_of(case: Case, mailboxes: list[Mailbox]) -> dict[str, Any]:
    return next(mailbox.fields for mailbox in mailboxes if mailbox.case is case)


def found(canaries: Canaries, words: str) -> list[str]:
    return [str(find) for find in Search(canaries).look("the words", words.encode())]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.smtp)
def test_a_trial_login_repeats_no_password(mailboxes: list[Mailbox], canaries: Canaries, case: Case) -> None:
    given = fields_of(case, mailboxes)
    smtp = check_smtp_login(given["smtp_host"], given["smtp_port"], given["smtp_username"], given["smtp_password"])
    assert found(canaries, smtp.message) == []


@pytest.mark.parametrize("case", WITH_MAILBOX, ids=lambda case: case.imap)
def test_a_mailbox_that_is_read_repeats_no_password(
    mailboxes: list[Mailbox], canaries: Canaries, case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    given = fields_of(case, mailboxes)
    login = (given["imap_host"], given["imap_port"], given["imap_username"], given["imap_password"])
    words = [check_imap_login(*login).message]
    try:
        with closing(OpenMailbox.open(*login, Limits())) as mailbox, mailbox.within(10):
            mailbox.examine(mailbox.folders()[0])
            mailbox.search_range(1)
    except (ImapFailure, Withheld) as failure:
        words.append(str(failure))
    assert found(canaries, "\n".join([*words, caplog.text])) == []


def test_a_receiver_that_echoes_gets_no_secret_into_the_history(canaries: Canaries) -> None:
    key = canaries.add("webhook secret", "whsec_d2ViaG9vay1jYW5hcnktOTFiMy1hbmQtbW9yZQ==")
    path = "/hook/" + canaries.add("secret in the URL", "pa7h-canary-4e6d91b3")
    with running_webhook_sink() as sink:
        sink.reply(path, Reply(404, body=f"<pre>Cannot POST {path}</pre> by {key}, please".encode()))
        result = asyncio.run(call_receiver(sink.url(path), "id", b"{}", (key,), now=clock.utc_now()))
    assert found(canaries, result.excerpt) == []
    assert result.excerpt == "<pre>Cannot POST [redacted]</pre> by whsec_[redacted], please"
