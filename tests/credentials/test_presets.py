"""The data file of mail providers: every entry, what it says of the Message-ID, and the loader's refusals."""

import tomllib

import pytest

from ampout.lib import door
from ampout.lib.text import find_control_character
from credentials.presets import (
    DATA_FILE,
    InvalidPresets,
    MessageIdTreatment,
    Preset,
    all_presets,
    host_pattern,
    load_presets,
    preset_for,
)

SES_ID = "0100018c2f3e4d5a-da13fc7f-cbf7-4fde-9083-b4faab1275f9-000000"

GOOD = """
[one]
name = "One"
hosts = ["smtp.one.test"]
[one.smtp]
starttls = [587]
source = "https://one.test/smtp"
[one.message_id]
treatment = "keeps"
source = "https://one.test/id"
"""


def by_key(key: str) -> Preset:
    return next(preset for preset in all_presets() if preset.key == key)


def found(host: str) -> Preset:
    preset = preset_for(host)
    assert preset is not None
    return preset


every_preset = pytest.mark.parametrize("preset", all_presets(), ids=lambda preset: preset.key)


# -- Every entry


def test_the_providers_of_the_contract_are_there() -> None:
    keys = {preset.key for preset in all_presets()}
    assert keys >= {"smtp2go", "postmark", "mailgun", "amazon_ses", "gmail", "microsoft_365", "outlook"}


@every_preset
def test_an_entry_is_found_by_each_of_its_hosts(preset: Preset) -> None:
    for host in preset.hosts:
        assert found(host.format(region="eu-west-1")).key == preset.key


@every_preset
def test_an_entrys_ports_pass_the_outbound_door(preset: Preset) -> None:
    assert {*preset.smtp.starttls, *preset.smtp.tls} <= door.SMTP_PORTS
    assert preset.imap is None or preset.imap.port in door.IMAP_PORTS


@every_preset
def test_an_entrys_default_port_is_encrypted_submission(preset: Preset) -> None:
    assert preset.smtp.starttls[0] == 587
    assert preset.smtp.tls[:1] in {(), (465,)}


@every_preset
def test_an_entrys_headers_can_be_sent(preset: Preset) -> None:
    for name, value in preset.keep_headers.items():
        assert name.replace("-", "").isalnum()
        assert find_control_character(value) is None


@every_preset
def test_an_entrys_delivered_message_id_fits_the_ledger(preset: Preset) -> None:
    for word in ["0" * 1_000, "<" + "a" * 150 + "@" + "b" * 100 + ">", "Ok " + "0" * 100]:
        delivered = found(preset.hosts[0].format(region="ap-southeast-3")).delivered_message_id(word)
        assert len(delivered or "") <= 255


@every_preset
def test_an_entry_reads_nothing_from_a_plain_reply(preset: Preset) -> None:
    for reply in ["", "OK", "2.0.0 Ok: queued as 4XyZ", "Ok <>", "Ok <a@b@c>", "Ok <a\r\nBcc: x@y.test>", "Ok <é@b>"]:
        assert preset.delivered_message_id(reply) is None


def test_every_fact_names_its_source() -> None:
    """A group of facts in the file is a table, and each has a source of its own."""
    for key, entry in tomllib.loads(DATA_FILE.read_text()).items():
        groups = [entry["smtp"], entry["message_id"], *entry.get("ceilings", [])]
        groups += [entry[key] for key in ("imap", "advice") if key in entry]
        assert all(group["source"].startswith("https://") for group in groups), key


# -- Looking up


@pytest.mark.parametrize(
    "host",
    [
        *("", "smtp.example.com", "smtp.gmail.com.evil.test", "xsmtp.gmail.com", "smtpxgmail.com"),
        *("email-smtp..amazonaws.com", "email-smtp.a.b.amazonaws.com", "email-smtp.us_1.amazonaws.com"),
    ],
)
def test_an_unknown_host_has_no_preset(host: str) -> None:
    assert preset_for(host) is None


def test_hosts_are_compared_without_case() -> None:
    assert found("SMTP.Gmail.com").key == "gmail"


def test_a_region_is_read_from_the_host() -> None:
    assert found("email-smtp.eu-central-1.amazonaws.com").region == "eu-central-1"
    assert found("smtp.gmail.com").region == ""


def test_a_hosts_region_stands_for_one_label() -> None:
    assert host_pattern("mail-{region}.example.com").fullmatch("mail-eu.example.com")
    assert not host_pattern("mail-{region}.example.com").fullmatch("mail-eu.west.example.com")


# -- The Message-ID


def test_postmark_is_asked_to_keep_ours() -> None:
    postmark = found("smtp-broadcasts.postmarkapp.com")
    assert postmark.keep_headers == {"X-PM-KeepID": "true"}
    assert postmark.delivered_message_id(f"Ok {SES_ID}") is None


def test_postmarks_reports_name_the_message_by_its_two_sides() -> None:
    assert found("smtp.postmarkapp.com").marks("<0123.45@sender.example>") == {
        "X-PM-Metadata-ampout-id": "0123.45",
        "X-PM-Metadata-ampout-domain": "sender.example",
    }


def test_a_mark_that_the_provider_would_refuse_is_left_out() -> None:
    assert found("smtp.postmarkapp.com").marks(f"<0123.45@{'d' * 80}>") != {}
    assert found("smtp.postmarkapp.com").marks(f"<0123.45@{'d' * 81}>") == {}


def test_brevos_reports_name_the_message_by_its_id() -> None:
    assert found("smtp-relay.brevo.com").marks("<0123.45@x.example>") == {"X-Mailin-custom": "<0123.45@x.example>"}


@pytest.mark.parametrize("host", ["mail.smtp2go.com", "smtp.mailgun.org", "smtp.sendgrid.net", "smtp.gmail.com"])
def test_other_providers_name_it_by_themselves(host: str) -> None:
    assert found(host).marks("<0123.45@x.example>") == {}


@pytest.mark.parametrize("host", ["mail.smtp2go.com", "smtp.eu.mailgun.org", "smtp.gmail.com"])
def test_other_providers_need_no_header(host: str) -> None:
    assert found(host).keep_headers == {}


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("email-smtp.us-east-1.amazonaws.com", "email.amazonses.com"),
        ("email-smtp.eu-west-1.amazonaws.com", "eu-west-1.amazonses.com"),
        ("email-smtp-fips.us-west-2.amazonaws.com", "us-west-2.amazonses.com"),
        ("email-smtp.eu-west-1.api.aws", "eu-west-1.amazonses.com"),
    ],
)
def test_amazons_message_id_is_its_reply_at_the_region(host: str, domain: str) -> None:
    assert found(host).delivered_message_id(f"Ok {SES_ID}") == f"<{SES_ID}@{domain}>"


@pytest.mark.parametrize("host", ["smtp.office365.com", "smtp-mail.outlook.com"])
def test_microsofts_message_id_stands_in_its_reply(host: str) -> None:
    name = "DBBPR03MB5414.eurprd03.prod.outlook.com"
    reply = f"2.0.0 OK <DBBPR03MB5414097781BC157026369C79A4069@{name}> [Hostname={name}]"
    assert found(host).delivered_message_id(reply) == f"<DBBPR03MB5414097781BC157026369C79A4069@{name}>"


def test_an_undocumented_provider_counts_as_keeping() -> None:
    smtp2go = by_key("smtp2go")
    assert smtp2go.message_id.treatment is MessageIdTreatment.UNDOCUMENTED
    assert smtp2go.delivered_message_id("OK id=1abc-DEF-23 <a@b.test>") is None


# -- The loader's refusals


def test_a_good_file_is_read() -> None:
    (one,) = load_presets(GOOD)
    assert (one.key, one.name, one.hosts, one.smtp.starttls, one.imap) == (
        "one",
        "One",
        ("smtp.one.test",),
        (587,),
        None,
    )


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('name = "One"', "", "one.name is missing"),
        ('name = "One"', "name = 1", "one.name cannot be used. Use a text"),
        ('name = "One"', 'name = ""', "one.name cannot be used"),
        ('name = "One"', 'name = "One"\nnmae = 1', "one.nmae is not known"),
        ('hosts = ["smtp.one.test"]', "hosts = []", "one.hosts cannot be used"),
        ('"smtp.one.test"', '"Smtp.one.test"', "one.hosts holds 'Smtp.one.test'"),
        ('"smtp.one.test"', '"{region}.{region}.test"', "at most one {region}"),
        ('"smtp.one.test"', '"smtp.one.test", "smtp.one.test"', "smtp.one.test stands twice"),
        ("starttls = [587]", "", "one.smtp names no port"),
        ("starttls = [587]", "starttls = [0]", "one.smtp.starttls cannot be used"),
        ("starttls = [587]", "starttls = [true]", "one.smtp.starttls cannot be used"),
        ('source = "https://one.test/smtp"', "", "one.smtp.source is missing"),
        ('source = "https://one.test/smtp"', 'source = "somewhere"', "one.smtp.source cannot be used. Use an https://"),
        ('source = "https://one.test/id"', "", "one.message_id.source is missing"),
        ('"keeps"', '"eats"', "one.message_id.treatment is 'eats'. Use one of keeps, replaces, undocumented"),
        ('"keeps"', '"replaces"', "one.message_id needs reply_pattern"),
        ('"keeps"', '"keeps"\nreply_pattern = "(?P<id>.)"', "one.message_id needs reply_pattern"),
        ('"keeps"', '"replaces"\nreply_pattern = "("\nform = "{id}"', "Use a regular expression"),
        ('"keeps"', '"replaces"\nreply_pattern = "."\nform = "{id}"', "with a group named id"),
        ('"keeps"', '"replaces"\nreply_pattern = "(?P<id>.)"\nform = "{id}{region}"', "needs a region"),
        ('"keeps"', '"keeps"\nheaders = {X = 1}', "one.message_id.headers cannot be used"),
        ('"keeps"', '"keeps"\nmarks = {X = "{to}"}', "one.message_id.marks holds something else"),
        ('"keeps"', '"keeps"\nmarks = {X = "{id}"}', "it needs longest_mark and marks_source"),
        ("[one.smtp]", "[[one.smtp]]", "one.smtp is not a table"),
        ("[one.smtp]", "ceilings = 1\n[one.smtp]", "one.ceilings cannot be used"),
        ("[one.smtp]", "ceilings = [{plan = 'x', messages = 5}]\n[one.smtp]", "one.ceilings[0].source is missing"),
        ("[one.smtp]", "imap = {host = 'x'}\n[one.smtp]", "one.imap.port is missing"),
        ("[one.smtp]", "advice = {text = 'x'}\n[one.smtp]", "one.advice.source is missing"),
        ("[one]", "[one", "The file is not TOML"),
    ],
)
def test_a_broken_file_is_refused_by_name(old: str, new: str, problem: str) -> None:
    assert old in GOOD
    with pytest.raises(InvalidPresets) as caught:
        load_presets(GOOD.replace(old, new, 1))
    assert problem in str(caught.value)
