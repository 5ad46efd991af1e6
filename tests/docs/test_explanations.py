"""What the explanations say of laws, numbers and locks is what the code does."""

import re
from datetime import timedelta

import pytest
from django.conf import settings

from ampout.lib.door import IMAP_PORTS, SMTP_PORTS
from ampout.lib.errors import envelope
from credentials.gateways.smtp_connection import IMPLICIT_TLS_PORTS
from dispatch.gateways.smtp_session import Deadlines
from dispatch.rules.message_state import MessageState
from dispatch.services import claim, lane_runner
from dispatch.services.audit import CHECKS
from tests.docs.pages import PROJECT, read, rows

LAWS = read("explanation/laws.md")
DELIVERY = read("explanation/delivery.md")


# Laws


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w/]+\.py)`", LAWS + DELIVERY))))
def test_the_tests_that_prove_a_law_are_there(path: str) -> None:
    assert (PROJECT / path).is_file()


def test_the_audit_checks_exactly_the_laws_that_the_page_says() -> None:
    promised = {re.sub(r"\[(\w+)\].*", r"\1", row[0]) for row in rows(LAWS) if row[2:] == ["yes"]}
    assert promised == {re.split(r"[ :]", check)[0] for check in CHECKS}


def test_every_law_names_a_test() -> None:
    chapters = re.split(r"^## ", LAWS, flags=re.MULTILINE)[1:]
    laws = [chapter for chapter in chapters if not chapter.startswith("What comes back\n")]
    assert len(laws) == 11
    assert all("Proved by `tests/" in chapter for chapter in laws)


def test_every_promise_about_what_comes_back_names_a_test() -> None:
    promises = [row for row in rows(LAWS.split("\n## What comes back\n")[1]) if len(row) == 2]
    assert len(promises) == 16
    assert all(re.search(r"tests/[\w/]+\.py", proof) for _, proof in promises)


# Numbers


def minutes(seconds: float) -> str:
    return f"{seconds / 60:g} minutes"


def test_the_deadlines_are_those_of_the_session() -> None:
    deadlines = Deadlines()
    told = " ".join(DELIVERY.split())
    assert (
        f"Connect {deadlines.connect:g} seconds, each reply {minutes(deadlines.reply)}, each block of the body "
        f"{minutes(deadlines.data_block)}, the final reply {minutes(deadlines.final_reply)}, the whole transaction "
        f"{minutes(deadlines.transaction)}"
    ) in told
    assert f"kept for {settings.KEEP_CONNECTION_SECONDS} seconds" in told


def test_the_times_of_claims_and_leases_are_those_of_the_code() -> None:
    told = " ".join(DELIVERY.split())
    assert timedelta(seconds=30) == claim.CLAIM_AHEAD
    assert "claims messages up to 30 seconds ahead" in told
    assert f"a lease of {settings.LEASE_SECONDS} seconds and renews it every {settings.LEASE_SECONDS // 3}" in told
    assert lane_runner.LATE_REPLY_SECONDS == 5 * 60
    assert "listens on for five minutes" in told


def test_the_ports_are_those_of_the_door() -> None:
    page = " ".join(read("howto/connect-a-mailbox.md").split())
    assert ", ".join(str(port) for port in sorted(SMTP_PORTS)) in page
    implicit = [str(port) for port in sorted(IMPLICIT_TLS_PORTS)]
    assert f"Ports {', '.join(implicit[:-1])} and {implicit[-1]} speak TLS from the first byte" in page
    assert sorted(IMAP_PORTS) == [143, 993]


def test_the_order_of_locks_is_the_one_that_contributors_are_told() -> None:
    rules = " ".join((PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8").split())
    found = re.search(r"Locks are taken in one order: ([\w, ]+)\.", rules)
    assert found is not None
    assert f"> {found.group(1).replace(', ', ' → ')}\n" in DELIVERY


def test_the_states_in_the_picture_are_those_of_messages() -> None:
    drawn = re.findall(r'class="state [^>]*>(\w+)<', read("pictures/message.svg"))
    assert len(drawn) == 7
    assert set(drawn) <= {state.value for state in MessageState}


# Codes


def test_a_refusal_has_the_four_fields_of_the_page() -> None:
    shown = re.search(r"```json\n(\{.*?\})\n```", read("reference/api.md"), re.DOTALL)
    assert shown is not None
    assert re.findall(r'"(\w+)": ', shown.group(1))[:4] == list(envelope("code", "message"))
