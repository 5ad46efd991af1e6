"""The seeded demo: two hundred people and the campaign that writes to them."""

import csv
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

import ampout.sandbox
from ampout.lib.addresses import is_role_address, parse_address
from ampout.lib.text import find_control_character, looks_like_encoded_word
from ampout.sandbox.__main__ import DEFAULT_PASSWORD
from ampout.sandbox.dns import ZONES
from ampout.sandbox.logins import LOGIN
from ampout.sandbox.recipients import Behaviour, behaviour_of

FOLDER = Path(ampout.sandbox.__file__).parent
CONTACTS = list(csv.DictReader((FOLDER / "contacts.csv").read_text("utf-8").splitlines(), strict=True))
DEMO = tomllib.loads((FOLDER / "demo.toml").read_text("utf-8"))
FIELDS = ["email", "first_name", "last_name", "company", "city"]


def test_there_are_two_hundred_contacts_with_every_field_filled() -> None:
    assert len(CONTACTS) == 200
    assert all(list(contact) == FIELDS and all(contact.values()) for contact in CONTACTS)


def test_every_address_is_valid_and_nobody_is_there_twice() -> None:
    identities = [parse_address(contact["email"]).identity for contact in CONTACTS]
    assert len(set(identities)) == 200
    assert not any(is_role_address(identity) for identity in identities)


def test_no_field_holds_what_an_import_would_refuse() -> None:
    values = [value for contact in CONTACTS for value in contact.values()]
    assert not any(find_control_character(value) or looks_like_encoded_word(value) for value in values)
    assert not any(value.startswith(("=", "+", "-", "@")) for value in values)


def test_the_names_come_from_many_scripts() -> None:
    scripts = "а-я", "α-ω", "א-ת", "ء-ي", "一-龥", "ぁ-ん", "가-힣", "ก-๙", "अ-ह", "ა-ჰ", "ա-ֆ", "ạ-ỹ"
    names = "".join(contact["first_name"] + contact["last_name"] for contact in CONTACTS)
    assert [script for script in scripts if not re.search(f"[{script}]", names)] == []


def test_the_behaviours_are_spread_as_documented() -> None:
    assert Counter(behaviour_of(contact["email"]) for contact in CONTACTS) == {
        Behaviour.ACCEPTS: 86,
        Behaviour.UNKNOWN: 3,
        Behaviour.CONTENT: 4,
        Behaviour.GREYLIST: 6,
        Behaviour.FULL: 4,
        Behaviour.SLOW: 5,
        Behaviour.REWRITE: 5,
        Behaviour.REPLY: 10,
        Behaviour.REPLY_HTML: 4,
        Behaviour.REMOVE: 3,
        Behaviour.OOO_DE: 2,
        Behaviour.OOO_EN: 2,
        Behaviour.OOO_ES: 1,
        Behaviour.OOO_FR: 1,
        Behaviour.OOO_IT: 1,
        Behaviour.OOO_JA: 1,
        Behaviour.OOO_PL: 1,
        Behaviour.OOO_PT: 1,
        Behaviour.OOO_LATER: 4,
        Behaviour.OOO_PLAIN: 2,
        Behaviour.DSN_POSTFIX: 2,
        Behaviour.DSN_EXCHANGE: 2,
        Behaviour.DSN_QMAIL: 2,
        Behaviour.DSN_FULL: 2,
        Behaviour.DSN_POLICY: 1,
        Behaviour.DSN_DELAY: 2,
        Behaviour.COMPLAIN: 1,
        Behaviour.ONECLICK: 3,
        Behaviour.OPEN: 25,
        Behaviour.CLICK: 4,
        Behaviour.OPEN_PROXY: 5,
        Behaviour.OPEN_SCANNER: 5,
    }


def test_exactly_one_contact_sits_at_a_domain_without_mx() -> None:
    domains = Counter(contact["email"].rpartition("@")[2] for contact in CONTACTS)
    assert {domain for domain in domains if "MX" not in ZONES[f"{domain}."]} == {"nomx.test"}
    assert domains["nomx.test"] == 1
    assert set(domains) == {"sandbox.test", "sandbox-b.test", "sandbox-c.test", "nomx.test"}


def test_all_who_bounce_for_good_are_too_few_to_disable_a_sender_that_meets_them_all() -> None:
    hard = {Behaviour.UNKNOWN, Behaviour.DSN_POSTFIX, Behaviour.DSN_EXCHANGE, Behaviour.DSN_QMAIL}
    bounces = sum(behaviour_of(contact["email"]) in hard for contact in CONTACTS)
    fewest_sends, threshold = DEMO["campaign"]["bounce_rate_min_sends"], 8.0
    assert 100 * (bounces - 1) <= threshold * fewest_sends


def test_nobody_is_away_so_that_the_campaign_would_have_to_wait_for_days() -> None:
    assert Behaviour.OOO_DATE not in {behaviour_of(contact["email"]) for contact in CONTACTS}


def test_the_senders_have_an_imap_login_and_the_campaign_follows_opens_and_clicks() -> None:
    for credential in DEMO["credentials"]:
        assert credential["imap_username"] == credential["smtp_username"]
        assert credential["imap_password"] == DEFAULT_PASSWORD
    assert DEMO["campaign"]["track_opens"] is DEMO["campaign"]["track_clicks"] is True
    assert re.search(r'<a href="https://', DEMO["steps"][0]["body_html"])


def test_the_credentials_are_logins_of_the_sandbox_with_room_for_all() -> None:
    credentials = DEMO["credentials"]
    assert [credential["smtp_username"] for credential in credentials] == [
        f"sender{number}@sandbox.test" for number in (1, 2, 3)
    ]
    assert all(LOGIN.fullmatch(credential["smtp_username"]) for credential in credentials)
    assert all(credential["smtp_password"] == DEFAULT_PASSWORD for credential in credentials)
    assert sum(credential["daily_limit"] for credential in credentials) >= len(CONTACTS)


def test_the_gaps_let_the_first_step_through_within_two_minutes() -> None:
    campaign = DEMO["campaign"]
    messages_per_credential = len(CONTACTS) / len(DEMO["credentials"])
    assert 0 <= campaign["min_wait_seconds"] <= campaign["max_wait_seconds"]
    assert messages_per_credential * campaign["max_wait_seconds"] < 120


def test_the_three_steps_follow_each_other_in_minutes() -> None:
    assert [(step["position"], step["delay_minutes"]) for step in DEMO["steps"]] == [(1, 0), (2, 1), (3, 2)]
    assert DEMO["campaign"]["verify_email_mx"] is True


@pytest.mark.parametrize("step", DEMO["steps"], ids=lambda step: f"step {step['position']}")
def test_every_merge_tag_is_a_column_of_the_contacts(step: dict[str, str]) -> None:
    tags = set(re.findall(r"{{(.*?)}}", step["subject"] + step["body_html"]))
    assert tags <= set(FIELDS)
    assert "first_name" in tags


def test_the_custom_field_is_used() -> None:
    assert any("{{city}}" in step["body_html"] for step in DEMO["steps"])
